// A program without Skua, from its start to its first result, as one would write it against libtorch: what
// first_inference.cpp holds Skua's against. raw_first_inference ARCHIVE INPUT.raw SHAPE WARM_UPS
// frozen|optimized
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_file.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <string_view>

#include "core/process_memory.h"

namespace {

std::vector<std::int64_t> shape_of(const std::string& text) {
  std::vector<std::int64_t> dims;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, 'x');) dims.push_back(std::stoll(part));
  return dims;
}

torch::jit::Module load(const std::string& archive, bool is_optimized) {
  torch::jit::Module module = torch::jit::load(archive, at::kCPU);
  module.eval();
  const at::NoGradGuard no_gradients;
  for (const auto& held : module.named_attributes()) {
    if (!held.value.isTensor() || !at::isFloatingType(held.value.toTensor().scalar_type())) continue;
    held.value.toTensor().set_data(held.value.toTensor().to(at::kFloat));
  }
  torch::jit::Module frozen = torch::jit::freeze(module);
  return is_optimized ? torch::jit::optimize_for_inference(frozen) : frozen;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  skua::keep_freed_memory();
  at::set_num_threads(1);
  const c10::InferenceMode inference;
  torch::jit::Module network = load(argv[1], std::string_view(argv[5]) == "optimized");
  const auto dims = shape_of(argv[3]);
  std::int64_t count = 1;
  for (const std::int64_t dim : dims) count *= dim;
  const at::Tensor input = at::from_file(argv[2], false, count, at::kFloat).reshape(dims).clone();
  c10::IValue result;
  for (int run = 0; run <= std::atoi(argv[4]); ++run) result = network.forward({input});
  const at::Tensor first =
      result.isTensor() ? result.toTensor() : result.toTupleRef().elements()[0].toTensor();
  std::printf("%.9g\n", first.sum().item().toDouble());
  return 0;
}
