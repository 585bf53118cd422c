// A calibration sample: NumPy's archive of arrays.
#include "calibration/npz.h"

#include <cmath>

#include "../fuzz.h"

namespace {

/// Inputs that are small, so that no memory runs out where a size is the file's to choose.
const std::vector<skua::TensorSpec>& inputs() {
  using skua::DType;
  static const std::vector<skua::TensorSpec> specs = {{"x", DType::kFloat32, {1, -1, 4}, {1, 4096, 4}, false},
                                                      {"half", DType::kFloat16, {-1}, {4096}, false},
                                                      {"id", DType::kInt64, {}, {}, false}};
  return specs;
}

}  // namespace

/// The first byte says how many inputs the network has.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skua;
  if (size == 0) return 0;
  const auto specs = std::span(inputs()).first(1 + data[0] % inputs().size());
  const auto sample = calibration::decode_npz(std::as_bytes(std::span(data + 1, size - 1)), specs, "s.npz");
  if (!sample.ok()) {
    fuzz::require_refusal(sample.error(), {Reason::kDataSetMalformed, Reason::kOutOfMemory});
    return 0;
  }
  fuzz::require(sample->size() == specs.size(), "one array an input");
  for (const TensorSpec& spec : specs) {
    const Tensor* array = sample->find(spec.name);
    fuzz::require(array != nullptr && array->view().dtype == spec.dtype, "of the input's type", spec.name);
    fuzz::require(array->view().shape.rank() == spec.shape.rank() && array->view().size_bytes() > 0,
                  "of the input's shape", spec.name);
    if (spec.dtype != DType::kFloat32) continue;
    for (const float value : array->as<float>()) fuzz::require(std::isfinite(value), "finite", spec.name);
  }
  return 0;
}
