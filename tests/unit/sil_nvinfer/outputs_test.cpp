// Outputs whose size only the run or a value tells, and types that differ inside.
#include "runs_fixture.h"

namespace skua::sil_test {
namespace {

class Outputs final : public nvinfer1::IOutputAllocator {
 public:
  explicit Outputs(void* memory, std::uint64_t capacity) : memory_(memory), capacity_(capacity) {}
  void* reallocateOutputAsync(char const*, void*, uint64_t size, uint64_t, cudaStream_t) override {
    asked = size;
    return size <= capacity_ ? memory_ : nullptr;
  }
  void notifyShape(char const*, nvinfer1::Dims const& told) noexcept override { shape = sizes(told); }

  std::uint64_t asked = 0;
  std::vector<std::int64_t> shape;

 private:
  void* memory_;
  std::uint64_t capacity_;
};

TEST_F(SilRuns, AnOutputWhoseSizeDependsOnDataIsAskedFor) {
  const auto engine = load(plan_of(test::non_zero_model()));
  ASSERT_NE(engine, nullptr) << listener.errors();
  EXPECT_EQ(sizes(engine->getTensorShape("y")), (std::vector<std::int64_t>{1, -1}));
  const Owned<nvinfer1::IExecutionContext> context(engine->createExecutionContext());
  EXPECT_EQ(context->getMaxOutputSize("y"), 64) << "eight indices at most";
  EXPECT_EQ(context->inferShapes(0, nullptr), 0) << "it is not missing";
  DeviceMemory found(64);
  Outputs outputs(found.data(), 64);
  ASSERT_TRUE(context->setTensorAddress("x", x.data()));
  ASSERT_TRUE(context->setOutputAllocator("y", &outputs));
  x.write(std::vector<float>{0, 1, 0, 2, 0, 0, 3, 0});
  ASSERT_TRUE(context->enqueueV3(stream)) << listener.errors();
  EXPECT_EQ(outputs.shape, (std::vector<std::int64_t>{1, 3})) << "known when enqueueV3 returns";
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(found.read<std::int64_t>(3), (std::vector<std::int64_t>{1, 3, 6}));
  x.write(std::vector<float>(8));
  ASSERT_TRUE(context->enqueueV3(stream));
  EXPECT_EQ(outputs.shape, (std::vector<std::int64_t>{1, 0}));
  EXPECT_EQ(outputs.asked, 1U) << "never for nothing";
}

TEST_F(SilRuns, AnAllocatorThatGivesNothingFailsTheRun) {
  const auto engine = load(plan_of(test::non_zero_model()));
  const Owned<nvinfer1::IExecutionContext> context(engine->createExecutionContext());
  Outputs outputs(nullptr, 0);
  context->setTensorAddress("x", x.data());
  context->setOutputAllocator("y", &outputs);
  x.write(std::vector<float>(8, 1.0F));
  EXPECT_FALSE(context->enqueueV3(stream));
  EXPECT_NE(listener.errors().find("The output allocator gave nothing for y"), std::string::npos);
}

TEST_F(SilRuns, ADataDependentRunCannotBeCaptured) {
  const auto engine = load(plan_of(test::non_zero_model()));
  const Owned<nvinfer1::IExecutionContext> context(engine->createExecutionContext());
  DeviceMemory found(64);
  context->setTensorAddress("x", x.data());
  context->setTensorAddress("y", found.data());
  x.write(std::vector<float>(8, 1.0F));
  ASSERT_TRUE(context->enqueueV3(stream)) << listener.errors();
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  EXPECT_FALSE(context->enqueueV3(stream));
  EXPECT_NE(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  cudaGetLastError();
  EXPECT_TRUE(context->enqueueV3(stream)) << "outside it still runs";
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
}

TEST_F(SilRuns, AShapeTensorIsReadFromTheHost) {
  Workshop workshop(listener);
  ASSERT_TRUE(workshop.parse(reshape_model()));
  auto* const profile = workshop.builder->createOptimizationProfile();
  const std::int32_t low[2] = {2, 2}, middle[2] = {4, 6}, high[2] = {12, 12};
  ASSERT_TRUE(profile->setShapeValues("shape", OptProfileSelector::kMIN, low, 2));
  ASSERT_TRUE(profile->setShapeValues("shape", OptProfileSelector::kOPT, middle, 2));
  ASSERT_TRUE(profile->setShapeValues("shape", OptProfileSelector::kMAX, middle, 2)) << listener.errors();
  ASSERT_TRUE(profile->setShapeValues("shape", OptProfileSelector::kMAX, high, 2));
  ASSERT_EQ(workshop.config->addOptimizationProfile(profile), 0);
  const auto engine = load(workshop.build());
  ASSERT_NE(engine, nullptr) << listener.errors();
  EXPECT_TRUE(engine->isShapeInferenceIO("shape"));
  EXPECT_EQ(engine->getTensorLocation("shape"), nvinfer1::TensorLocation::kHOST);
  EXPECT_EQ(engine->getProfileTensorValues("shape", 0, OptProfileSelector::kMAX)[1], 12);
  const Owned<nvinfer1::IExecutionContext> context(engine->createExecutionContext());
  DeviceMemory in(96), out(96);
  std::vector<std::int64_t> shape = {8, 3};
  context->setTensorAddress("x", in.data());
  context->setTensorAddress("y", out.data());
  EXPECT_EQ(context->inferShapes(0, nullptr), 1) << "its values are missing";
  ASSERT_TRUE(context->setInputTensorAddress("shape", shape.data()));
  EXPECT_EQ(context->inferShapes(0, nullptr), 0) << listener.errors();
  EXPECT_EQ(sizes(context->getTensorShape("y")), (std::vector<std::int64_t>{8, 3}));
  ASSERT_TRUE(context->enqueueV3(stream)) << listener.errors();
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  shape = {24, 1};
  EXPECT_EQ(context->inferShapes(0, nullptr), -1) << "outside of the profile";
  EXPECT_FALSE(context->enqueueV3(stream));
}

TEST_F(SilRuns, AnInputThatIsAlsoAnOutputIsCopied) {
  const auto engine = load(plan_of(OnnxWriter()
                                       .input("x", test::kFloat, {4})
                                       .output("x", test::kFloat, {4})
                                       .output("y", test::kFloat, {4})
                                       .node("Neg", {"x"}, {"y"})
                                       .model()));
  ASSERT_NE(engine, nullptr) << listener.errors();
  const Owned<nvinfer1::IExecutionContext> context(engine->createExecutionContext());
  DeviceMemory copy(16);
  context->setTensorAddress("__x", x.data());
  context->setTensorAddress("x", copy.data());
  context->setTensorAddress("y", y.data());
  x.write(std::vector<float>{1, 2, 3, 4});
  ASSERT_TRUE(context->enqueueV3(stream)) << listener.errors();
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(copy.read<float>(4), (std::vector<float>{1, 2, 3, 4}));
}

TEST_F(SilRuns, DoubleIsFloatOutside) {
  const auto engine = load(plan_of(OnnxWriter()
                                       .input("x", test::kDouble, {4})
                                       .output("y", test::kDouble, {4})
                                       .node("Neg", {"x"}, {"y"})
                                       .model()));
  ASSERT_NE(engine, nullptr) << listener.errors();
  EXPECT_EQ(engine->getTensorDataType("y"), nvinfer1::DataType::kFLOAT);
  const Owned<nvinfer1::IExecutionContext> context(engine->createExecutionContext());
  context->setTensorAddress("x", x.data());
  context->setTensorAddress("y", y.data());
  x.write(std::vector<float>{1, 2, 3, 4});
  ASSERT_TRUE(context->enqueueV3(stream));
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(y.read<float>(4), (std::vector<float>{-1, -2, -3, -4}));
}

}  // namespace
}  // namespace skua::sil_test
