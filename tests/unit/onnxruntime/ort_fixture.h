// What the tests of this folder share: the real library, compiling into a folder of the test's own, verdicts
// on errors.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bytes_of.h"
#include "compile_case.h"
#include "onnx_writer.h"
#include "runtimes/onnxruntime/compile_steps.h"
#include "runtimes/onnxruntime/ort_engine.h"
#include "temp_folder.h"
#include "verdicts.h"

namespace skua::test {

inline RuntimeConfig cpu_config() {
  RuntimeConfig config;
  config.runtime = "onnx_trt_ep";
  config.execution_provider = "cpu";
  return config;
}

class CompileCase : public BasicCompileCase {
 public:
  explicit CompileCase(const std::string& model, Precision precision = Precision::kFp32)
      : BasicCompileCase(model, "onnx", precision, cpu_config(), &ort::compile_onnx) {}
};

inline std::shared_ptr<const ort::OrtLibrary> real_library() {
  auto library = ort::OrtLibrary::open(ort::library_path(cpu_config()));
  EXPECT_TRUE(is_ok(library));
  return library.value();
}

/// A compiled engine, loaded as the run half loads it.
struct Loaded {
  EngineRecord record;
  std::unique_ptr<LoadedEngine> engine;
  std::unique_ptr<Execution> execution;
};

inline Loaded load(CompileCase& compile_case) {
  Loaded loaded;
  loaded.record = compile_case.compile().value();
  const std::string artifact = compile_case.artifact();
  loaded.engine = ort::load_engine(real_library(), cpu_config(), bytes_of(artifact), loaded.record).value();
  loaded.execution = loaded.engine->create_execution().value();
  return loaded;
}

template <typename T>
void write(const TensorView& view, const std::vector<T>& values) {
  ASSERT_EQ(view.size_bytes(), values.size() * sizeof(T));
  std::memcpy(view.data, values.data(), view.size_bytes());
}

template <typename T>
std::vector<T> read(const TensorView& view) {
  const auto values = view.as<T>();
  return std::vector<T>(values.begin(), values.end());
}

}  // namespace skua::test
