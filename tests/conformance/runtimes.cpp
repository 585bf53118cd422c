// The rows of the suite. Adding a runtime adds one function and one line at the end.
#include <fstream>
#include <sstream>

#include "conformance.h"
#include "onnx_writer.h"
#include "skua/runtime_factory.h"

namespace skua::test {
namespace {

BuildConfig fp32_build() {
  BuildConfig build;
  build.precision = Precision::kFp32;
  return build;
}

Scenario onnx_add_relu() {
  OnnxWriter writer;
  writer.input("x", kFloat, {1, 64}).output("y", kFloat, {1, 64});
  writer.weights("bias", kFloat, {1}, raw<float>({0.5F}));
  writer.node("Add", {"x", "bias"}, {"sum"}).node("Relu", {"sum"}, {"y"});
  return {"add_relu", writer.model(), fp32_build()};
}

Scenario onnx_dynamic_rows() {
  std::vector<float> weights(12);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(i + 1);
  OnnxWriter writer;
  writer.input("x", kFloat, {"rows", 4}).output("y", kFloat, {"rows", 3});
  writer.weights("w", kFloat, {4, 3}, raw(weights));
  writer.node("MatMul", {"x", "w"}, {"y"});
  BuildConfig build = fp32_build();
  build.optimization_profiles = {{"x", {1, 4}, {2, 4}, {4, 4}}};
  return {"dynamic_rows", writer.model(), build};
}

Scenario onnx_data_dependent() {
  OnnxWriter writer;
  writer.input("x", kFloat, {8}).output("y", kInt64, {1, ""});
  writer.weights("threshold", kFloat, {1}, raw<float>({-0.75F}));
  writer.node("Add", {"x", "threshold"}, {"above"})
      .node("Relu", {"above"}, {"kept"})
      .node("NonZero", {"kept"}, {"y"});
  BuildConfig build = fp32_build();
  // Smaller than the eight that the input can give, so that an overflow can be tried.
  build.max_output_shapes = {{"y", {1, 6}}};
  return {"data_dependent", writer.model(), build};
}

RuntimeUnderTest onnx_cpu() {
  return {"onnx_trt_ep",
          "onnx_trt_ep",
          "onnx",
          [](RuntimeConfig& config) { config.execution_provider = "cpu"; },
          &onnx_add_relu,
          &onnx_dynamic_rows,
          &onnx_data_dependent};
}

/// tests/torchscripts writes them when the tests are built.
std::string torchscript(const std::string& name) {
  std::ostringstream bytes;
  bytes << std::ifstream(std::string(SKUA_TORCHSCRIPTS) + "/" + name + ".pt", std::ios::binary).rdbuf();
  return bytes.str();
}

Scenario torch_add_relu() { return {"add_relu", torchscript("add_relu"), BuildConfig()}; }

Scenario torch_dynamic_rows() {
  BuildConfig build;
  build.optimization_profiles = {{"x", {1, 4}, {2, 4}, {4, 4}}};
  return {"dynamic_rows", torchscript("dynamic_rows"), build};
}

Scenario torch_data_dependent() {
  BuildConfig build;
  build.max_output_shapes = {{"y", {1, 6}}};
  return {"data_dependent", torchscript("data_dependent"), build};
}

RuntimeUnderTest torch_cpu(const std::string& arithmetic) {
  return {"pytorch_fp16_" + arithmetic,
          "pytorch_fp16",
          "pt",
          [arithmetic](RuntimeConfig& config) {
            config.device = "cpu";
            config.arithmetic = arithmetic;
          },
          &torch_add_relu,
          &torch_dynamic_rows,
          &torch_data_dependent};
}

/// Over the software-in-the-loop SDK where it is built with that; skipped where it is not built.
RuntimeUnderTest tensorrt() {
  return {"tensorrt",         "tensorrt",          "onnx", [](RuntimeConfig&) {}, &onnx_add_relu,
          &onnx_dynamic_rows, &onnx_data_dependent};
}

}  // namespace

std::vector<RuntimeUnderTest> runtimes_under_test() {
  return {
      onnx_cpu(),
      torch_cpu("widened"),
      torch_cpu("native"),
      tensorrt(),
  };
}

std::string runtime_name(const ::testing::TestParamInfo<RuntimeUnderTest>& info) { return info.param.name; }

}  // namespace skua::test
