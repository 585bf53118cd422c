#include "conformance.h"

#include <fstream>

#include "skua/runtime_factory.h"

namespace skua::test {

void ConformanceTest::SetUp() {
  const auto entry = find_built_runtime(GetParam().label);
  if (!entry.ok()) GTEST_SKIP() << GetParam().label << " is not available: " << entry.error().describe();
  ASSERT_NE(GetParam().add_relu, nullptr)
      << GetParam().label << " is built but has no scenarios in runtimes.cpp";
  auto runtime = build_inference_runtime(environment());
  ASSERT_TRUE(runtime.ok()) << runtime.error().describe();
  runtime_ = *std::move(runtime);
}

RuntimeEnvironment ConformanceTest::environment(Role role) const {
  RuntimeEnvironment environment;
  environment.config.runtime = GetParam().label;
  environment.config.engine_cache_dir = root_.path() / "cache";
  environment.config.lanes = {{"lane_a"}, {"lane_b"}};
  GetParam().configure(environment.config);
  environment.role = role;
  environment.host = probe_host();
  return environment;
}

EngineCacheEntry ConformanceTest::compile(const Scenario& scenario) const {
  const auto path = root_.path() / (scenario.model_name + "." + GetParam().extension);
  std::ofstream(path, std::ios::binary) << scenario.source;
  auto entry = runtime_->compile_engine(path, scenario.build);
  if (!entry.ok()) ADD_FAILURE() << entry.error().describe();
  return *std::move(entry);
}

TensorMap ConformanceTest::one_input(const Shape& shape, const std::function<float(std::size_t)>& value) {
  Tensor x = Tensor::allocate(DType::kFloat32, shape).value();
  const auto elements = x.as<float>();
  for (std::size_t i = 0; i < elements.size(); ++i) elements[i] = value(i);
  TensorMap map;
  map.insert("x", std::move(x)).value();
  return map;
}

}  // namespace skua::test
