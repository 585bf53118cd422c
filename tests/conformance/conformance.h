// One suite over every runtime. A runtime takes part through one row in runtimes_under_test(): how to
// configure it and which model files stand for the suite's scenarios. A runtime that is not available here is
// skipped, with its reason printed; nothing ever stands in for it.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "skua/inference_runtime.h"
#include "temp_folder.h"

namespace skua::test {

/// A network whose outputs the suite can compute itself.
struct Scenario {
  std::string model_name;
  std::string source;  ///< the model file's bytes
  BuildConfig build;
};

struct RuntimeUnderTest {
  std::string name;  ///< in the tests' names; the label, and what variant of the runtime it is
  std::string label;
  std::string extension;  ///< of model files
  std::function<void(RuntimeConfig&)> configure;
  std::function<Scenario()> add_relu;  ///< float32 x[1,64] -> y = max(x + 0.5, 0)
  /// Empty, as the next one, where no network of the runtime can be like this: what needs it is skipped.
  std::function<Scenario()>
      dynamic_rows;  ///< float32 x[1..4 rows, 4] -> y[rows, 3] = x W, W(i, j) = 3 i + j + 1
  std::function<Scenario()>
      data_dependent;  ///< float32 x[8] -> int64 y[1, ?]: indices with x > 0.75; room for 6
};

std::vector<RuntimeUnderTest> runtimes_under_test();
/// For gtest's names.
std::string runtime_name(const ::testing::TestParamInfo<RuntimeUnderTest>& info);

/// A ground runtime over a cache of its own, and models compiled into it.
class ConformanceTest : public ::testing::TestWithParam<RuntimeUnderTest> {
 protected:
  void SetUp() override;

  RuntimeEnvironment environment(Role role = Role::kGround) const;
  EngineCacheEntry compile(const Scenario& scenario) const;
  EngineHandle load(const Scenario& scenario) const {
    return runtime_->deserialize_engine(compile(scenario)).value();
  }
  static TensorMap one_input(const Shape& shape, const std::function<float(std::size_t)>& value);

  TempFolder root_;
  std::unique_ptr<InferenceRuntime> runtime_;
};

}  // namespace skua::test
