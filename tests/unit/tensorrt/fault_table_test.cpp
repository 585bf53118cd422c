// Every error of CUDA and TensorRT, at every call that loading, running and ending makes: one class, one
// answer, nothing leaked, and then a right result or a device that nothing touches any more.
#include "fault_table.h"

#include "becomes.h"
#include "run_fixture.h"
#include "runtimes/tensorrt/cuda_device.h"

namespace skua::test {

std::string trace_of(const FaultPair& pair) {
  return std::string(row_of(pair.step).name) + ": " + pair.function + " number " + std::to_string(pair.nth) +
         " fails with " + (pair.code.is_cuda ? "CUDA's " : "TensorRT's ") + std::to_string(pair.code.code);
}

bool is_survivable(const FaultPair& pair) {
  const std::string_view name = pair.function;
  // The SDK releases its own there, and asks nobody; and a question that failed may have the right answer.
  constexpr std::array<std::string_view, 10> kRightAnyway = {"ICudaEngine::getEngineCapability",
                                                             "ICudaEngine::getHardwareCompatibilityLevel",
                                                             "ICudaEngine::getName",
                                                             "ICudaEngine::getNbAuxStreams",
                                                             "ICudaEngine::getNbLayers",
                                                             "ICudaEngine::getTensorDataType",
                                                             "ICudaEngine::getTensorFormat",
                                                             "ICudaEngine::getTensorLocation",
                                                             "ICudaEngine::isRefittable",
                                                             "IRuntime::getEngineHostCodeAllowed"};
  if (name == "cudaGetLastError") return true;  // what an earlier call left behind
  if (pair.step == Step::kLoad) {
    return name == "cudaStreamDestroy" || name == "IRuntime::setEngineHostCodeAllowed" ||
           std::find(kRightAnyway.begin(), kRightAnyway.end(), name) != kRightAnyway.end();
  }
  const bool gives_memory_back = pair.step == Step::kNewContext || pair.step == Step::kNewShape;
  if (gives_memory_back && name == "cudaFree") return pair.code.kind != FaultClass::kDevice;
  if (pair.step == Step::kEnd || name == "cudaGraphDestroy" || name == "cudaGraphExecDestroy") return true;
  // A run without its graph is a run; the second enqueue and the copies beside it are those that are
  // recorded.
  const bool is_recording =
      name == "cudaStreamBeginCapture" || name == "cudaStreamEndCapture" || name == "cudaGraphInstantiate" ||
      (name == kEnqueue && pair.nth == 2) || name == "cudaGraphGetNodes" || name == "cudaGraphLaunch" ||
      (name == "cudaEventRecord" && pair.nth == 2) || (name == "cudaEventSynchronize" && pair.nth == 2) ||
      (name == "cudaMemcpyAsync" && pair.nth > 2) || name == "cudaMemsetAsync";
  const bool makes_graph =
      pair.step == Step::kFirstRun || pair.step == Step::kNewShape || pair.step == Step::kNewContext;
  // An internal error of TensorRT's is how it refuses to be recorded, if the device answers.
  const bool is_refusal = name == kEnqueue && pair.nth == 2;
  return is_recording && makes_graph && (pair.code.kind != FaultClass::kDevice || is_refusal);
}

FaultClass class_of(const FaultPair& pair) {
  // Without a recorder there is a text and no code.
  if (pair.function == "createInferRuntime" || pair.function == "IRuntime::setErrorRecorder")
    return FaultClass::kFrame;
  // By then the run has its answer; the device may be lost all the same.
  if (pair.step == Step::kFailed && pair.function == "cudaStreamQuery" && pair.nth > 1)
    return FaultClass::kFrame;
  // The first one takes away what was left behind, before anything has failed.
  if (pair.step == Step::kFailed && pair.function == "cudaGetLastError" && pair.nth == 1)
    return pair.code.is_sticky ? FaultClass::kDevice : FaultClass::kFrame;
  // While loading that is how TensorRT refuses bytes.
  const bool is_refusal = pair.step == Step::kLoad && !pair.code.is_cuda;
  return is_refusal && pair.code.kind == FaultClass::kDevice ? FaultClass::kFrame : pair.code.kind;
}

namespace {

class FaultScene : public TensorrtRun {
 protected:
  const PlanRequest& request(Step step) const {
    if (step == Step::kNewShape || step == Step::kNewContext) return rows_;
    return step == Step::kDynamicOutput ? non_zero_ : add_relu_;
  }
  struct Compiled {
    std::string plan;
    EngineRecord record;
  };
  const Compiled& compiled(const PlanRequest& request) {
    Compiled& made = compiled_[request.model];
    if (!made.plan.empty()) return made;
    made.plan = build_plan(request);
    const auto opened = trt::PlanEngine::open(bytes_of(made.plan), device_, trt::TrtContext::kLoad, "net");
    made.record = record_of(opened.value()->facts(), request);
    return made;
  }
  Status load(const PlanRequest& request) {
    const Compiled& from = compiled(request);
    auto opened = trt::PlanEngine::open(bytes_of(from.plan), device_, trt::TrtContext::kLoad, "net");
    SKUA_RETURN_IF_ERROR(opened);
    lane_.plan = *std::move(opened);
    lane_.record = from.record;
    SKUA_RETURN_IF_ERROR(trt::check_plan(lane_.plan->facts(), lane_.record));
    lane_.execution = std::make_unique<trt::TrtExecution>(lane_.plan, settings());
    return lane_.execution->place(lane_.record);
  }
  void end() {
    lane_.execution.reset();
    lane_.plan.reset();
  }
  /// Of such a step only the asking is in no other.
  static bool is_about_asking(Step step) { return step == Step::kPolling || step == Step::kLate; }
  void miss_deadline();
  void prepare(Step step);
  Status act(Step step);
  std::vector<FaultPair> pairs(Step step);
  void check(const FaultPair& pair);
  void check_answer(const FaultPair& pair, const Error& error) const;
  void check_after(const FaultPair& pair, bool is_placed);
  void check_left_alone(const FaultPair& pair) const;
  void check_lost(bool is_placed);
  void check_right();
  void check_values();

  int frame_ = 0;
  PlanRequest add_relu_ = add_relu(), rows_ = dynamic_rows(), non_zero_ = non_zero(6);
  std::map<std::string, Compiled> compiled_;
  Lane lane_;
};

/// Leaves the lane behind, and its work done since.
void FaultScene::miss_deadline() {
  sil::hang_work(kEnqueue, 1);
  ASSERT_FALSE(lane_->run(system_clock().monotonic_ns()).ok());
  sil::release_hangs();
  ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
}

/// Everything up to where the step begins.
void FaultScene::prepare(Step step) {
  end();
  begin_again();
  events_.clear();
  device_ = std::make_shared<trt::DeviceState>(events_);
  config_.tensorrt_io_memory = "copied";
  // The others ask as often as time allows.
  config_.tensorrt_wait = step == Step::kPolling ? "poll" : "block";
  config_.tensorrt_cuda_graphs = step != Step::kEnqueue && step != Step::kFailed && !is_about_asking(step);
  if (step == Step::kDevice) return;
  compiled(request(step));
  if (step == Step::kLoad) return;
  ASSERT_TRUE(is_ok(load(request(step))));
  if (step == Step::kFirstRun) return;
  ASSERT_TRUE(is_ok(lane_->run(std::nullopt)));
  if (step == Step::kLate) return miss_deadline();
  if (step != Step::kNewContext) return;
  sil::fail_call("cudaEventRecord", 1, cudaErrorStreamCaptureInvalidated);
  ASSERT_FALSE(lane_->run(std::nullopt).ok());
}

Status FaultScene::act(Step step) {
  switch (step) {
    case Step::kDevice: {
      SKUA_RETURN_IF_ERROR(trt::library_facts());
      SKUA_RETURN_IF_ERROR(trt::open_device());
      trt::DeviceFacts discrete;
      SKUA_RETURN_IF_ERROR(trt::free_bytes(discrete, trt::TrtContext::kDevice));
      return {};
    }
    case Step::kLoad:
      return load(request(step));
    case Step::kNewShape:
      SKUA_RETURN_IF_ERROR(lane_->set_input_shape(0, {3, 4}));
      break;
    case Step::kFailed:
      sil::fail_call(kEnqueue, 1, static_cast<int>(nvinfer1::ErrorCode::kFAILED_COMPUTATION));
      break;
    case Step::kEnd:
      end();
      return {};
    case Step::kFirstRun:
    case Step::kEnqueue:
    case Step::kGraph:
    case Step::kDynamicOutput:
    case Step::kNewContext:
    case Step::kPolling:
    case Step::kLate:
      break;
  }
  return lane_->run(std::nullopt);
}

/// Each call that the step makes, as the control has counted it, with each code of its library.
std::vector<FaultPair> FaultScene::pairs(Step step) {
  prepare(step);
  sil::reset();
  EXPECT_EQ(act(step).ok(), step != Step::kFailed);
  std::vector<FaultPair> found;
  for (const std::string& function : sil::functions()) {
    const bool is_cuda = function.rfind("cuda", 0) == 0;
    // How often the device is asked whether it is done is a matter of time.
    const bool is_asking = function == "cudaStreamQuery" || function == "cudaEventQuery";
    const int calls = is_asking ? (is_about_asking(step) ? 1 : 2) : sil::calls(function);
    if (is_about_asking(step) && !is_asking) continue;
    // The failure that the step is about, and what comes before it.
    if (step == Step::kFailed && (function == kEnqueue || function == "cudaMemcpyAsync")) continue;
    for (int nth = 1; nth <= calls; ++nth) {
      for (const FaultCode& code : kFaultCodes) {
        if (code.is_cuda == is_cuda) found.push_back({step, function, nth, code});
      }
    }
  }
  return found;
}

void FaultScene::check_answer(const FaultPair& pair, const Error& error) const {
  const StepRow& row = row_of(pair.step);
  const FaultClass kind = class_of(pair);
  ErrorCode code = row.code;
  Reason reason = kind == FaultClass::kDevice ? row.when_lost : row.reason;
  if (kind == FaultClass::kMemory) code = ErrorCode::kOutOfMemory, reason = Reason::kOutOfMemory;
  if (pair.function == "getInferLibVersion") code = row.code, reason = Reason::kSdkForeign;
  if (pair.function == "ICudaEngine::getDeviceMemorySizeV2")
    code = row.code, reason = Reason::kContractMismatch;
  EXPECT_EQ(error.code, code) << error.describe();
  EXPECT_EQ(error.reason, reason) << error.describe();
  const int expected = pair.code.code + (pair.code.is_cuda || pair.code.code == 0 ? 0 : trt::kTensorrtCodes);
  const bool is_told_by_tensorrt = pair.code.is_cuda && error.native_code >= trt::kTensorrtCodes;
  EXPECT_TRUE(error.native_code == expected || error.native_code == 0 || is_told_by_tensorrt)
      << error.native_code;
  EXPECT_EQ(error.message.empty(), code == ErrorCode::kInference || row.code == ErrorCode::kInference);
}

void FaultScene::check_right() {
  // Where asking after the failed run's work has failed too, the lane is busy until that is done.
  Status free;
  ASSERT_TRUE(becomes([&] {
    free = lane_->run(std::nullopt);
    return free.ok() || free.error().reason != Reason::kLaneBusy;
  }));
  ASSERT_TRUE(is_ok(free));
  for (int frame = 0; frame < 2; ++frame) check_values();
}

/// Another input each time: no result of an earlier frame is right.
void FaultScene::check_values() {
  ++frame_;
  const auto value = static_cast<float>(frame_);
  const TensorView input = lane_->input(0);
  std::vector<float> values(input.size_bytes() / sizeof(float), value);
  const bool is_of_data = lane_.record.outputs[0].dtype == DType::kInt64;
  if (is_of_data) {
    std::fill(values.begin() + 1, values.begin() + 1 + frame_ % 7, 0.0F);
    std::fill(values.begin() + 2 + frame_ % 7, values.end(), 0.0F);
  }
  write(input, values);
  ASSERT_TRUE(is_ok(lane_->run(std::nullopt)));
  const TensorView output = lane_->output(0);
  if (is_of_data) {
    EXPECT_EQ(read<std::int64_t>(output), (std::vector<std::int64_t>{0, 1 + frame_ % 7}));
  } else if (input.shape == Shape{1, 64}) {
    EXPECT_EQ(read<float>(output), add_relu_of(values));
  } else {
    EXPECT_EQ(output.shape, (Shape{input.shape[0], 3}));
    EXPECT_TRUE(is_right_for(value, output));
  }
}

/// From the call on that lost it, unless nobody is given its answer. TensorRT's own answer is judged by
/// asking CUDA; and before it answers, it gives back what it had taken.
void FaultScene::check_left_alone(const FaultPair& pair) const {
  const bool is_unheard = pair.function == "cudaGetLastError" ||
                          (pair.step == Step::kLoad && pair.function == "cudaStreamDestroy");
  if (is_unheard) return;
  const bool is_giving_back = pair.function == "cudaDeviceSynchronize";
  for (const std::string& function : sil::functions_since_failure()) {
    if (is_giving_back && function == "cudaFree") continue;
    EXPECT_THAT(function, testing::AnyOf("cudaGetLastError", "cudaStreamQuery"));
  }
}

/// Told once; every call answers at once, and none touches the device, destructors included.
void FaultScene::check_lost(bool is_placed) {
  EXPECT_EQ(events_.of("c7.device_lost").size(), 1U);
  sil::reset();
  if (is_placed) {
    EXPECT_TRUE(is_error(lane_->run(std::nullopt), ErrorCode::kInference, Reason::kDeviceLost));
    EXPECT_TRUE(is_error(lane_->set_input_shape(0, {1, 64}), ErrorCode::kInference, Reason::kDeviceLost));
    EXPECT_EQ(lane_->output(0).data, nullptr);
  }
  end();
  EXPECT_THAT(sil::functions(), testing::IsEmpty());
}

void FaultScene::check_after(const FaultPair& pair, bool is_placed) {
  if (pair.step == Step::kDevice) return;
  if (is_placed && !device_->is_lost()) {
    if (pair.code.is_sticky) {
      EXPECT_TRUE(is_error(lane_->run(std::nullopt), ErrorCode::kInference, Reason::kDeviceLost));
    } else {
      check_right();
    }
  }
  if (device_->is_lost()) return check_lost(is_placed);
  end();
  EXPECT_FALSE(device_->is_lost());
  EXPECT_EQ(sil::live_objects(), sil::LiveObjects());
  EXPECT_EQ(device_->held_bytes(), 0U);
}

void FaultScene::check(const FaultPair& pair) {
  SCOPED_TRACE(trace_of(pair));
  prepare(pair.step);
  sil::reset();
  sil::fail_call(pair.function, pair.nth, pair.code.code, pair.code.is_sticky);
  const Status answer = act(pair.step);
  if (device_->is_lost()) check_left_alone(pair);
  EXPECT_GE(sil::calls(pair.function), pair.nth) << "the call was not reached";
  const bool is_placed = lane_.execution != nullptr && (answer.ok() || pair.step != Step::kLoad);
  if (answer.ok()) {
    EXPECT_TRUE(is_survivable(pair)) << "nobody noticed";
  } else {
    check_answer(pair, answer.error());
    const bool has_run = is_placed && pair.function != "IExecutionContext::setInputShape";
    EXPECT_TRUE(!has_run || lane_->output(0).data == nullptr) << "the old result is still there";
  }
  check_after(pair, is_placed);
}

class TensorrtFaultPairs : public FaultScene {};

TEST_F(TensorrtFaultPairs, AreMoreThanFourHundred) {
  std::size_t count = 0;
  for (const StepRow& row : kSteps) count += pairs(row.step).size();
  RecordProperty("pairs", static_cast<int>(count));
  EXPECT_GE(count, 400U);
  end();
}

class TensorrtFaultTable : public FaultScene, public testing::WithParamInterface<StepRow> {};

TEST_P(TensorrtFaultTable, EveryErrorAtEveryCallHasItsAnswer) {
  const std::vector<FaultPair> all = pairs(GetParam().step);
  ASSERT_FALSE(all.empty());
  for (const FaultPair& pair : all) check(pair);
  end();
}

std::string step_name(const testing::TestParamInfo<StepRow>& info) { return std::string(info.param.name); }

INSTANTIATE_TEST_SUITE_P(Steps, TensorrtFaultTable, testing::ValuesIn(kSteps), step_name);

}  // namespace
}  // namespace skua::test
