// A lane computes what the network says, whatever way its memory, its launch and its wait take.
#include <functional>
#include <tuple>

#include "hot_path_counters.h"
#include "run_fixture.h"

namespace skua::test {
namespace {

using ::testing::Each;
using ::testing::SizeIs;

using Way = std::tuple<std::string, std::string, bool>;  // memory, wait, graphs

class TensorrtWays : public TensorrtRun, public testing::WithParamInterface<Way> {
 protected:
  void SetUp() override {
    TensorrtRun::SetUp();
    std::tie(config_.tensorrt_io_memory, config_.tensorrt_wait, config_.tensorrt_cuda_graphs) = GetParam();
    sil::hold_streams();  // a device that is as slow as it may be: a wait that is missing shows every time
  }
};

TEST_P(TensorrtWays, EachRunGivesItsOwnResult) {
  const Lane lane = place(add_relu());
  for (int frame = 0; frame < 6; ++frame) {
    std::vector<float> input = ramp(64);
    for (float& value : input) value *= static_cast<float>(frame + 1);
    write(lane->input(0), input);
    ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
    EXPECT_EQ(read<float>(lane->output(0)), add_relu_of(input)) << frame;
  }
  EXPECT_EQ(lane->has_graph(), config_.tensorrt_cuda_graphs);
}

TEST_P(TensorrtWays, ShapesFollowTheProfile) {
  const Lane lane = place(dynamic_rows());
  EXPECT_EQ(lane->input(0).shape, (Shape{2, 4}));
  for (const std::int64_t rows : {2, 5, 1, 1, 1, 3}) {
    if (lane->input(0).shape != Shape{rows, 4}) {
      ASSERT_TRUE(is_ok(lane->set_input_shape(0, {rows, 4})));
    }
    write(lane->input(0), std::vector<float>(static_cast<std::size_t>(rows * 4), static_cast<float>(rows)));
    ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
    EXPECT_EQ(lane->output(0).shape, (Shape{rows, 3}));
    const auto found = read<float>(lane->output(0));
    ASSERT_THAT(found, SizeIs(static_cast<std::size_t>(rows * 3)));
    // Every row is the same, so every third element is.
    EXPECT_EQ(found.front(), found[found.size() - 3]);
    EXPECT_NE(found.front(), 0.0F);
  }
}

TEST_P(TensorrtWays, OutputsWhoseShapeTheDataDecide) {
  const Lane lane = place(non_zero(6));
  for (const std::size_t ones : {3U, 6U, 0U, 1U}) {
    std::vector<float> input(8, 0.0F);
    std::fill_n(input.begin(), ones, 1.0F);
    write(lane->input(0), input);
    ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
    EXPECT_EQ(lane->output(0).shape, (Shape{1, static_cast<std::int64_t>(ones)}));
    const auto found = read<std::int64_t>(lane->output(0));
    for (std::size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i], static_cast<std::int64_t>(i));
  }
  EXPECT_FALSE(lane->has_graph());
  EXPECT_EQ(lane->graph_reason(), "data_dependent_outputs");
}

TEST_P(TensorrtWays, MoreThanTheCapacityIsNoResultAndHarmsNothing) {
  const Lane lane = place(non_zero(6));
  write(lane->input(0), std::vector<float>(8, 1.0F));
  EXPECT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kInference, Reason::kOutputOverflow));
  EXPECT_EQ(lane->output(0).data, nullptr);
  write<float>(lane->input(0), {1.0F, 1.0F, 0.0F, 0.0F, 0.0F, 0.0F, 0.0F, 0.0F});
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  EXPECT_EQ(read<std::int64_t>(lane->output(0)), (std::vector<std::int64_t>{0, 1}));
}

std::string way_name(const testing::TestParamInfo<Way>& info) {
  const auto& [memory, wait, has_graphs] = info.param;
  return memory + "_" + wait + (has_graphs ? "_graph" : "_enqueue");
}

INSTANTIATE_TEST_SUITE_P(Ways, TensorrtWays,
                         testing::Combine(testing::Values("mapped", "copied"),
                                          testing::Values("spin", "block", "poll"), testing::Bool()),
                         way_name);

class TensorrtExecution : public TensorrtRun {};

TEST_F(TensorrtExecution, OutputsAreHiddenBeforeTheFirstRun) {
  const Lane lane = place(add_relu());
  EXPECT_EQ(lane->output(0).data, nullptr);
}

TEST_F(TensorrtExecution, OneTensorIsCopiedWhereTheOthersAreMapped) {
  config_.tensorrt_io_memory = "mapped";
  config_.tensorrt_cuda_graphs = false;
  config_.tensorrt_copied_tensors = "net/x,other/y";
  const Lane lane = place(add_relu());
  write(lane->input(0), ramp(64));
  sil::reset();
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  EXPECT_EQ(sil::calls("cudaMemcpyAsync"), 1);
  EXPECT_EQ(read<float>(lane->output(0)), add_relu_of(ramp(64)));
}

TEST_F(TensorrtExecution, MappedMemoryIsNeverCopied) {
  config_.tensorrt_io_memory = "mapped";
  config_.tensorrt_cuda_graphs = false;
  const Lane lane = place(add_relu());
  sil::reset();
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  EXPECT_EQ(sil::calls("cudaMemcpyAsync"), 0);
}

TEST_F(TensorrtExecution, AGraphIsOneLaunch) {
  config_.tensorrt_io_memory = "copied";
  const Lane lane = place(add_relu());
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  ASSERT_TRUE(lane->has_graph());
  sil::reset();
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  EXPECT_EQ(sil::calls("cudaGraphLaunch"), 1);
  EXPECT_EQ(sil::calls("cudaMemcpyAsync"), 0);
  EXPECT_EQ(sil::calls(kEnqueue), 0);
}

TEST_F(TensorrtExecution, ANewShapeEndsTheGraphAndTheNextRunMakesAnother) {
  const Lane lane = place(dynamic_rows());
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  EXPECT_TRUE(lane->has_graph());
  ASSERT_TRUE(is_ok(lane->set_input_shape(0, {3, 4})));
  EXPECT_FALSE(lane->has_graph());
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  EXPECT_TRUE(lane->has_graph());
}

TEST_F(TensorrtExecution, AfterTheSealNoGraphIsMade) {
  const Lane lane = place(dynamic_rows());
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  device_->seal();
  ASSERT_TRUE(is_ok(lane->set_input_shape(0, {3, 4})));
  sil::reset();
  for (int frame = 0; frame < 3; ++frame) ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  EXPECT_FALSE(lane->has_graph());
  EXPECT_EQ(sil::calls("cudaStreamBeginCapture"), 0);
}

TEST_F(TensorrtExecution, AGraphThatCannotBeMadeIsToldWithItsReason) {
  for (const auto& [function, reason] :
       std::map<std::string, std::string>{{"cudaStreamBeginCapture", "capture_refused"},
                                          {"cudaStreamEndCapture", "capture_failed"},
                                          {"cudaGraphInstantiate", "instantiate_failed"}}) {
    begin_again();
    const Lane lane = place(add_relu());
    write(lane->input(0), ramp(64));
    sil::fail_call(function, 1, cudaErrorStreamCaptureUnsupported);
    ASSERT_TRUE(is_ok(lane->run(std::nullopt))) << function;
    EXPECT_EQ(read<float>(lane->output(0)), add_relu_of(ramp(64)));
    EXPECT_EQ(lane->graph_reason(), reason);
    ASSERT_FALSE(events_.of("c7.graph_unavailable").empty());
    EXPECT_THAT(events_.of("c7.graph_unavailable").back().message, testing::HasSubstr(reason));
    ASSERT_TRUE(is_ok(lane->run(std::nullopt))) << function;
    EXPECT_EQ(read<float>(lane->output(0)), add_relu_of(ramp(64)));
  }
}

/// Does something once, when a graph has been launched and not waited for yet.
class MeddlingClock final : public Clock {
 public:
  explicit MeddlingClock(std::function<void()> meddle) : meddle_(std::move(meddle)) {}
  std::int64_t monotonic_ns() const noexcept override {
    if (!has_meddled_ && sil::calls("cudaGraphLaunch") > 0) meddle_(), has_meddled_ = true;
    return system_clock().monotonic_ns();
  }
  std::int64_t utc_us() const noexcept override { return 0; }

 private:
  std::function<void()> meddle_;
  mutable bool has_meddled_ = false;
};

// The input changes between the run and the check of its graph: as if the graph computed something else.
TEST_F(TensorrtExecution, AGraphThatGivesOtherBytesIsNotUsedAndTheRunsOwnResultStays) {
  config_.tensorrt_io_memory = "mapped";
  config_.tensorrt_wait = "poll";
  TensorView input;
  const MeddlingClock clock([&input] { static_cast<float*>(input.data)[0] += 100.0F; });
  clock_ = &clock;
  const Lane lane = place(add_relu());
  input = lane->input(0);
  write(input, ramp(64));
  sil::hold_streams();  // the device looks at its input as late as it may
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  EXPECT_EQ(read<float>(lane->output(0)), add_relu_of(ramp(64)));
  EXPECT_FALSE(lane->has_graph());
  EXPECT_EQ(lane->graph_reason(), "graph_differs");
  EXPECT_EQ(events_.of("c7.graph_unavailable").size(), 1U);
}

TEST_F(TensorrtExecution, AShapeWithoutRoomIsRefusedAndChangesNothing) {
  const Lane lane = place(dynamic_rows());
  EXPECT_TRUE(
      is_error(lane->set_input_shape(0, {6, 4}), ErrorCode::kInvalidArgument, Reason::kShapeMismatch));
  EXPECT_TRUE(
      is_error(lane->set_input_shape(0, {2, 4, 1}), ErrorCode::kInvalidArgument, Reason::kShapeMismatch));
  EXPECT_EQ(lane->input(0).shape, (Shape{2, 4}));
  EXPECT_TRUE(is_ok(lane->run(std::nullopt)));
}

/// The SDK as its documentation says to call it, without us: a mapped input and output, and a blocking wait.
class RawLane {
 public:
  RawLane(const trt::PlanEngine& plan, bool has_graph) {
    context_.reset(plan.engine().createExecutionContext());
    EXPECT_EQ(cudaStreamCreateWithFlags(stream_.out(), cudaStreamNonBlocking), cudaSuccess);
    EXPECT_EQ(cudaEventCreateWithFlags(done_.out(), cudaEventDisableTiming | cudaEventBlockingSync),
              cudaSuccess);
    for (const auto& tensor : plan.facts().inputs) bind(plan, tensor);
    for (const auto& tensor : plan.facts().outputs) bind(plan, tensor);
    for (int warm = 0; warm < 2; ++warm) EXPECT_TRUE(run());
    if (!has_graph) return;
    trt::Graph recorded;
    EXPECT_EQ(cudaStreamBeginCapture(stream_.get(), cudaStreamCaptureModeThreadLocal), cudaSuccess);
    EXPECT_TRUE(context_->enqueueV3(stream_.get()));
    EXPECT_EQ(cudaStreamEndCapture(stream_.get(), recorded.out()), cudaSuccess);
    EXPECT_EQ(cudaGraphInstantiate(graph_.out(), recorded.get(), 0), cudaSuccess);
  }
  /// Begins with what CUDA remembers, as a caller must who wants to judge this run by it.
  bool run() {
    static_cast<void>(cudaGetLastError());
    const bool is_launched = graph_ ? cudaGraphLaunch(graph_.get(), stream_.get()) == cudaSuccess
                                    : context_->enqueueV3(stream_.get());
    return is_launched && cudaEventRecord(done_.get(), stream_.get()) == cudaSuccess &&
           cudaEventSynchronize(done_.get()) == cudaSuccess;
  }

 private:
  void bind(const trt::PlanEngine& plan, const trt::PlanTensor& tensor) {
    const std::size_t bytes = tensor.max.byte_size(tensor.dtype).value();
    memory_.push_back(trt::CudaMemory::pinned(plan.device(), bytes, trt::TrtContext::kLoad).value());
    EXPECT_TRUE(context_->setTensorAddress(tensor.name.c_str(), memory_.back().device()));
  }
  std::vector<trt::CudaMemory> memory_;
  trt::Stream stream_;
  trt::CudaEvent done_;
  trt::GraphExec graph_;
  std::unique_ptr<nvinfer1::IExecutionContext> context_;
};

// What the SDK itself allocates and locks in a run is its own; ours adds nothing.
TEST_F(TensorrtExecution, RunAddsNoAllocationAndNoLockToTheSdksOwn) {
  config_.tensorrt_io_memory = "mapped";
  config_.tensorrt_wait = "block";
  for (const bool has_graphs : {true, false}) {
    config_.tensorrt_cuda_graphs = has_graphs;
    const Lane lane = place(add_relu());
    for (int warm = 0; warm < 4; ++warm) ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
    RawLane raw(*lane.plan, has_graphs);
    for (int warm = 0; warm < 4; ++warm) ASSERT_TRUE(raw.run());
    bool is_right = true;
    const HotPathCounts sdk = count_hot_path([&] { is_right = raw.run(); });
    const HotPathCounts ours = count_hot_path([&] { is_right = is_right && lane->run(std::nullopt).ok(); });
    EXPECT_TRUE(is_right);
    EXPECT_LE(ours.allocations, sdk.allocations) << has_graphs;
    EXPECT_LE(ours.locks, sdk.locks) << has_graphs;
  }
}

}  // namespace
}  // namespace skua::test
