// What the tests of the compile half share: compiling into a folder of the test's own, and networks that are
// parsed.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bytes_of.h"
#include "cache/golden.h"
#include "compile_case.h"
#include "onnx_writer.h"
#include "runtimes/tensorrt/compile_network.h"
#include "runtimes/tensorrt/compile_steps.h"
#include "sil/control/sil_control.h"
#include "verdicts.h"

namespace skua::test {

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
  /// Golden vectors of the test's own.
  void give_golden(const TensorMap& inputs, const TensorMap& outputs) {
    const auto golden = encode_golden(inputs, outputs).value();
    const std::string_view text(reinterpret_cast<const char*>(golden.data()), golden.size());
    request.build.golden = GoldenSource{folder.write("my.golden", text), "by hand"};
  }
};

template <typename T>
TensorMap one_tensor(const std::string& name, DType dtype, const Shape& shape, const std::vector<T>& values) {
  Tensor tensor = Tensor::allocate(dtype, shape).value();
  std::copy(values.begin(), values.end(), tensor.as<T>().begin());
  TensorMap map;
  EXPECT_TRUE(is_ok(map.insert(name, std::move(tensor))));
  return map;
}

/// All that comes before the build, by hand.
inline Status prepare_build(tensorrt::CompileState& state) {
  std::filesystem::create_directory(state.request.staging_dir);
  for (const auto step : {tensorrt::read_source, tensorrt::parse_source, tensorrt::settle_options})
    SKUA_RETURN_IF_ERROR(step(state));
  return {};
}

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

}  // namespace skua::test
