// What the table of errors (fault_table.h) cannot say: errors of work, of one lane that ends others, and what
// becomes of a lane whose context is lost.
#include "fault_table.h"
#include "run_fixture.h"

namespace skua::test {
namespace {

class TensorrtFaults : public TensorrtRun {
 protected:
  /// A frame is lost, the next one is right; after a lost context too.
  void check_recovered(const Lane& lane, const std::string& trace) {
    write(lane->input(0), ramp(64));
    ASSERT_TRUE(is_ok(lane->run(std::nullopt))) << trace;
    EXPECT_EQ(read<float>(lane->output(0)), add_relu_of(ramp(64))) << trace;
    EXPECT_FALSE(device_->is_lost()) << trace;
  }
};

TEST_F(TensorrtFaults, AnAsynchronousErrorIsTheErrorOfThisRun) {
  for (const FaultCode& row : kFaultCodes) {
    if (!row.is_cuda) continue;
    SCOPED_TRACE(row.code);
    begin_again();
    device_ = std::make_shared<trt::DeviceState>(events_);
    config_.tensorrt_cuda_graphs = false;
    const Lane lane = place(add_relu());
    ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
    sil::fail_work(kEnqueue, 1, row.code);
    const bool is_memory = row.kind == FaultClass::kMemory;
    const Reason other = row.kind == FaultClass::kDevice ? Reason::kDeviceLost : Reason::kExecutionFailed;
    EXPECT_TRUE(is_error(lane->run(std::nullopt), is_memory ? ErrorCode::kOutOfMemory : ErrorCode::kInference,
                         is_memory ? Reason::kOutOfMemory : other));
    EXPECT_EQ(lane->output(0).data, nullptr);
    if (row.kind != FaultClass::kDevice) check_recovered(lane, "an error of its work");
  }
}

// A code that by itself is harmless, but that the device answers again and again.
TEST_F(TensorrtFaults, AnErrorThatStaysLosesTheDevice) {
  config_.tensorrt_cuda_graphs = false;
  const Lane lane = place(add_relu());
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  sil::fail_call("cudaEventRecord", 1, cudaErrorInvalidValue, true);
  EXPECT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kInference, Reason::kDeviceLost));
  EXPECT_TRUE(device_->is_lost());
}

TEST_F(TensorrtFaults, AfterALostContextTheNextRunMakesAnotherInTheSameScratchMemory) {
  const Lane lane = place(add_relu());
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  device_->seal();
  sil::fail_call("cudaEventRecord", 1, cudaErrorStreamCaptureInvalidated);
  EXPECT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kInference, Reason::kExecutionFailed));
  sil::reset();
  check_recovered(lane, "a lost context");
  EXPECT_EQ(sil::calls("ICudaEngine::createExecutionContext"), 1);
  EXPECT_EQ(sil::calls("cudaMalloc"),
            2);  // what TensorRT itself keeps for a context, and its first run takes
  EXPECT_EQ(device_->allocations_after_seal(), 2U);
}

TEST_F(TensorrtFaults, AContextThatCannotBeMadeAnewIsTriedAgain) {
  config_.tensorrt_cuda_graphs = false;
  const Lane lane = place(add_relu());
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  sil::fail_call("cudaEventRecord", 1, cudaErrorStreamCaptureInvalidated);
  EXPECT_FALSE(lane->run(std::nullopt).ok());
  sil::fail_call("ICudaEngine::createExecutionContext", 1, 6);
  EXPECT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kInference, Reason::kExecutionFailed));
  EXPECT_EQ(lane->output(0).data, nullptr);
  check_recovered(lane, "a context that could not be made");
}

// The SDK's destructors call CUDA, those of an engine without a lane too.
TEST_F(TensorrtFaults, AnEngineOfALostDeviceIsNeverDestroyed) {
  const std::string plan = build_plan(add_relu());
  auto opened = trt::PlanEngine::open(bytes_of(plan), device_, trt::TrtContext::kLoad, "net").value();
  device_->lose({FaultClass::kDevice, cudaErrorIllegalAddress});
  sil::reset();
  opened.reset();
  EXPECT_THAT(sil::functions(), testing::IsEmpty());
}

TEST_F(TensorrtFaults, OneLostDeviceEndsEveryLane) {
  const Lane first = place(add_relu());
  const Lane second = place(dynamic_rows());
  ASSERT_TRUE(is_ok(second->run(std::nullopt)));
  sil::fail_call("cudaEventRecord", 1, cudaErrorIllegalAddress, true);
  EXPECT_TRUE(is_error(first->run(std::nullopt), ErrorCode::kInference, Reason::kDeviceLost));
  EXPECT_TRUE(is_error(second->run(std::nullopt), ErrorCode::kInference, Reason::kDeviceLost));
  EXPECT_EQ(second->output(0).data, nullptr);
  const std::string plan = build_plan(add_relu());
  sil::reset();
  EXPECT_TRUE(is_error(trt::PlanEngine::open(bytes_of(plan), device_, trt::TrtContext::kLoad, "net"),
                       ErrorCode::kEngineDeserialize, Reason::kDeviceLost));
  EXPECT_TRUE(sil::functions().empty());
}

}  // namespace
}  // namespace skua::test
