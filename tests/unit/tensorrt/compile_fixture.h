// What the tests of the compile half share: compiling into a folder of the test's own, and networks that are
// parsed.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "compile_case.h"
#include "onnx_writer.h"
#include "runtimes/tensorrt/compile_network.h"
#include "runtimes/tensorrt/compile_steps.h"
#include "sil/control/sil_control.h"
#include "verdicts.h"

namespace skua::test {

inline std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

inline RuntimeConfig tensorrt_config() {
  RuntimeConfig config;
  config.runtime = "tensorrt";
  config.engine_cache_dir = "/nonexistent";  // no timing cache
  return config;
}

/// Each case begins with a stand-in that has no orders.
class TensorrtCompileCase : public BasicCompileCase {
 public:
  explicit TensorrtCompileCase(const std::string& model, Precision precision = Precision::kFp32)
      : BasicCompileCase(model, "onnx", precision, tensorrt_config(), &tensorrt::compile_tensorrt) {
    sil::reset();
    request.artifact_name = "net__sm0_jp0_trt0_" + std::string(to_string(precision)) + ".engine";
  }
  ~TensorrtCompileCase() { sil::reset(); }
};

/// A network as the parser left it.
struct Parsed {
  tensorrt::ErrorRecorder recorder;
  OnnxModel source;
  tensorrt::ParsedNetwork network;
};

/// Requires a model that parses.
inline std::unique_ptr<Parsed> parse(const std::string& model) {
  auto parsed = std::make_unique<Parsed>();
  parsed->source = parse_onnx(bytes_of(model)).value();
  parsed->network = tensorrt::parse_network(bytes_of(model), "net", parsed->recorder).value();
  return parsed;
}

/// float x["rows",4] -> y["rows",3] = Relu(x W).
inline std::string dynamic_relu_model() {
  return OnnxWriter()
      .input("x", kFloat, {"rows", 4})
      .output("y", kFloat, {"rows", 3})
      .weights("w", kFloat, {4, 3}, raw<float>({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}))
      .node("MatMul", {"x", "w"}, {"h"}, {}, "product")
      .node("Relu", {"h"}, {"y"}, {}, "relu")
      .model();
}

}  // namespace skua::test
