// What the tests of this folder share: the real library, compiling into a folder of the test's own.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <memory>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "bytes_of.h"
#include "compile_case.h"
#include "runtimes/pytorch/compile_steps.h"
#include "runtimes/pytorch/record_options.h"
#include "runtimes/pytorch/torch_library.h"
#include "verdicts.h"

namespace skua::test {

/// One of tests/torchscripts.
inline std::string torchscript(const std::string& name) {
  std::ostringstream bytes;
  bytes << std::ifstream(std::string(SKUA_TORCHSCRIPTS) + "/" + name + ".pt", std::ios::binary).rdbuf();
  return bytes.str();
}

inline RuntimeConfig torch_config(const std::string& arithmetic = "widened") {
  RuntimeConfig config;
  config.runtime = "pytorch_fp16";
  config.device = "cpu";
  config.arithmetic = arithmetic;
  return config;
}

class CompileCase : public BasicCompileCase {
 public:
  explicit CompileCase(const std::string& network, const std::string& arithmetic = "widened",
                       Precision precision = Precision::kFp16)
      : BasicCompileCase(torchscript(network), "pt", precision, torch_config(arithmetic),
                         &pytorch::compile_torchscript) {}
};

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
  const RuntimeConfig& config = compile_case.request.config;
  const pytorch::RunBridge* bridge = pytorch::open_run_bridge(config).value();
  loaded.engine =
      bridge->load(bytes_of(artifact), loaded.record, pytorch::plan_of(loaded.record, config)).value();
  loaded.execution = loaded.engine->create_execution().value();
  loaded.execution->warm_up(loaded.record).value();
  return loaded;
}

inline void fill(const TensorView& view, float first, float step) {
  float value = first;
  for (float& element : view.as<float>()) element = std::exchange(value, value + step);
}

template <typename T>
std::vector<T> read(const TensorView& view) {
  const auto values = view.as<T>();
  return std::vector<T>(values.begin(), values.end());
}

}  // namespace skua::test
