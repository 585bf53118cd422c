#include "run_fixture.h"

#include <array>

namespace skua::test {
namespace {

using nvinfer1::OptProfileSelector;

void add_profiles(nvinfer1::IBuilder& builder, nvinfer1::IBuilderConfig& config, const PlanRequest& request) {
  if (request.profiles.empty()) return;
  nvinfer1::IOptimizationProfile* const into = builder.createOptimizationProfile();
  for (const OptimizationProfile& profile : request.profiles) {
    const char* const name = profile.input_name.c_str();
    ASSERT_TRUE(into->setDimensions(name, OptProfileSelector::kMIN, dims_of(profile.min)));
    ASSERT_TRUE(into->setDimensions(name, OptProfileSelector::kOPT, dims_of(profile.opt)));
    ASSERT_TRUE(into->setDimensions(name, OptProfileSelector::kMAX, dims_of(profile.max)));
  }
  ASSERT_EQ(config.addOptimizationProfile(into), 0);
}

TensorSpec spec_of(const trt::PlanTensor& tensor, const PlanRequest& request) {
  const auto bound = request.max_output_shapes.find(tensor.name);
  TensorSpec spec{tensor.name, tensor.dtype, tensor.shape, tensor.max, false};
  if (bound != request.max_output_shapes.end()) spec.max_shape = bound->second;
  return spec;
}

}  // namespace

nvinfer1::Dims dims_of(const Shape& shape) {
  nvinfer1::Dims dims{};
  dims.nbDims = static_cast<std::int32_t>(shape.rank());
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) dims.d[axis] = shape[axis];
  return dims;
}

std::string build_plan(const PlanRequest& request) {
  trt::ProcessLogger& logger = trt::process_logger();
  const std::unique_ptr<nvinfer1::IBuilder> builder(nvinfer1::createInferBuilder(logger));
  const std::unique_ptr<nvinfer1::INetworkDefinition> network(builder->createNetworkV2(0));
  const std::unique_ptr<nvonnxparser::IParser> parser(nvonnxparser::createParser(*network, logger));
  EXPECT_TRUE(parser->parse(request.model.data(), request.model.size()));
  network->setName("net");
  const std::unique_ptr<nvinfer1::IBuilderConfig> config(builder->createBuilderConfig());
  add_profiles(*builder, *config, request);
  const trt::LogCapture log;
  const std::unique_ptr<nvinfer1::IHostMemory> plan(builder->buildSerializedNetwork(*network, *config));
  if (plan == nullptr) {
    ADD_FAILURE() << "no plan: " << log.text();
    return "";
  }
  return {static_cast<const char*>(plan->data()), plan->size()};
}

EngineRecord record_of(const trt::PlanFacts& facts, const PlanRequest& request) {
  EngineRecord record;
  record.file = "net__sm0_jp0_trt0_fp32.engine";
  record.model = "net";
  record.runtime_label = trt::kRuntimeLabel;
  record.precision = Precision::kFp32;
  record.options = trt::record_options(trt::library_facts().value().version);
  record.device_memory_bytes = facts.device_memory_bytes;
  record.profiles = request.profiles;
  for (const trt::PlanTensor& tensor : facts.inputs) record.inputs.push_back(spec_of(tensor, request));
  for (const trt::PlanTensor& tensor : facts.outputs) record.outputs.push_back(spec_of(tensor, request));
  return record;
}

RuntimeEnvironment TensorrtRuntimeScene::environment() {
  RuntimeEnvironment environment;
  environment.config.runtime = "tensorrt";
  environment.config.engine_cache_dir = folder_.path() / "cache";
  environment.config.lanes = {{"lane_a", ""}};
  environment.host = probe_host();
  environment.role = Role::kGround;
  environment.events = &events_;
  return environment;
}

EngineCacheEntry TensorrtRuntimeScene::compile(InferenceRuntime& runtime, const std::string& name,
                                               const PlanRequest& request) {
  folder_.write(name + ".onnx", request.model);
  BuildConfig build;
  build.precision = Precision::kFp32;
  build.optimization_profiles = request.profiles;
  return runtime.compile_engine(folder_.path() / (name + ".onnx"), build).value();
}

void TensorrtRun::check_right(const Lane& lane) {
  write(lane->input(0), ramp(64));
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  EXPECT_EQ(read<float>(lane->output(0)), add_relu_of(ramp(64)));
}

void TensorrtRun::lose_context(const Lane& lane) {
  sil::fail_call("cudaEventRecord", 1, cudaErrorStreamCaptureInvalidated);
  ASSERT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kInference, Reason::kExecutionFailed));
  sil::reset();
}

std::vector<float> ramp(std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i) - static_cast<float>(count) / 2;
  return values;
}

bool is_right_for(float value, const TensorView& output) {
  constexpr std::array kColumnSums = {-1.0F / 8.0F, -4.0F / 8.0F, 0.0F};
  const auto y = output.as<float>();
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (y[i] != value * kColumnSums[i % 3]) return false;
  }
  return true;
}

std::vector<float> add_relu_of(const std::vector<float>& input) {
  std::vector<float> output(input.size());
  for (std::size_t i = 0; i < input.size(); ++i) {
    const float bias = (static_cast<float>(i % 7) - 3.0F) / 8.0F;
    output[i] = std::max(0.0F, input[i] + bias);
  }
  return output;
}

}  // namespace skua::test
