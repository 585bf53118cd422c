// Every error of CUDA and TensorRT, at every call of a run and of placing a lane: one class, one answer.
#include <algorithm>
#include <array>
#include <set>

#include "run_fixture.h"

namespace skua::test {
namespace {

using trt::FaultClass;

/// One row: a code of CUDA, and what the run that meets it answers.
struct CodeRow {
  int code;
  FaultClass kind;
};

// From CUDA's documentation, not from the table under test: what needs a new process, and what does not.
constexpr std::array kCodes = {
    CodeRow{1, FaultClass::kFrame},     CodeRow{2, FaultClass::kMemory},
    CodeRow{98, FaultClass::kContext},  CodeRow{214, FaultClass::kDevice},
    CodeRow{226, FaultClass::kDevice},  CodeRow{400, FaultClass::kContext},
    CodeRow{700, FaultClass::kDevice},  CodeRow{701, FaultClass::kFrame},
    CodeRow{702, FaultClass::kDevice},  CodeRow{710, FaultClass::kDevice},
    CodeRow{714, FaultClass::kDevice},  CodeRow{715, FaultClass::kDevice},
    CodeRow{716, FaultClass::kDevice},  CodeRow{717, FaultClass::kDevice},
    CodeRow{718, FaultClass::kDevice},  CodeRow{719, FaultClass::kDevice},
    CodeRow{720, FaultClass::kContext}, CodeRow{721, FaultClass::kDevice},
    CodeRow{801, FaultClass::kFrame},   CodeRow{810, FaultClass::kDevice},
    CodeRow{901, FaultClass::kContext}, CodeRow{910, FaultClass::kContext},
    CodeRow{911, FaultClass::kDevice},  CodeRow{999, FaultClass::kDevice},
};

constexpr std::array kTensorrtCodes = {CodeRow{1, FaultClass::kContext}, CodeRow{2, FaultClass::kDevice},
                                       CodeRow{3, FaultClass::kFrame},   CodeRow{4, FaultClass::kFrame},
                                       CodeRow{5, FaultClass::kMemory},  CodeRow{6, FaultClass::kContext},
                                       CodeRow{7, FaultClass::kFrame},   CodeRow{8, FaultClass::kFrame},
                                       CodeRow{9, FaultClass::kContext}, CodeRow{10, FaultClass::kFrame}};

bool is_answer_of(FaultClass kind, const Error& error) {
  switch (kind) {
    case FaultClass::kMemory:
      return error.code == ErrorCode::kOutOfMemory && error.reason == Reason::kOutOfMemory;
    case FaultClass::kDevice:
      return error.code == ErrorCode::kInference && error.reason == Reason::kDeviceLost;
    case FaultClass::kNone:
    case FaultClass::kFrame:
    case FaultClass::kContext:
      break;
  }
  return error.code == ErrorCode::kInference && error.reason == Reason::kExecutionFailed;
}

class TensorrtFaults : public TensorrtRun {
 protected:
  /// The functions that one run calls.
  std::vector<std::string> functions_of_a_run(const Lane& lane) {
    sil::reset();
    EXPECT_TRUE(is_ok(lane->run(std::nullopt)));
    return sil::functions();
  }
  void check_fault(const std::string& function, const CodeRow& row);
  void check_recovered(const Lane& lane, const std::string& trace);
  bool is_refused(const std::string& plan, const std::string& function, const CodeRow& row);
  void check_dead(const Lane& lane, const CodeRow& row, const std::string& trace);
};

/// A frame is lost, the next one is right; after a lost context too.
void TensorrtFaults::check_recovered(const Lane& lane, const std::string& trace) {
  write(lane->input(0), ramp(64));
  ASSERT_TRUE(is_ok(lane->run(std::nullopt))) << trace;
  EXPECT_EQ(read<float>(lane->output(0)), add_relu_of(ramp(64))) << trace;
  EXPECT_FALSE(device_->is_lost()) << trace;
}

/// Every call answers at once, and none of them touches the device.
void TensorrtFaults::check_dead(const Lane& lane, const CodeRow& row, const std::string& trace) {
  EXPECT_TRUE(device_->is_lost()) << trace;
  EXPECT_EQ(device_->lost().native_code, row.code) << trace;
  EXPECT_EQ(events_.of("c7.device_lost").size(), 1U) << trace;
  sil::reset();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kInference, Reason::kDeviceLost)) << trace;
    EXPECT_TRUE(is_error(lane->set_input_shape(0, {1, 64}), ErrorCode::kInference, Reason::kDeviceLost))
        << trace;
  }
  EXPECT_TRUE(sil::functions().empty()) << trace << ": " << sil::functions().front();
}

void TensorrtFaults::check_fault(const std::string& function, const CodeRow& row) {
  begin_again();
  const std::string trace = function + " fails with " + std::to_string(row.code);
  device_ = std::make_shared<trt::DeviceState>(events_);
  {
    const Lane lane = place(add_relu());
    write(lane->input(0), ramp(64));
    ASSERT_TRUE(is_ok(lane->run(std::nullopt))) << trace;
    sil::fail_call(function, 1, row.code, row.kind == FaultClass::kDevice);
    const Status failed = lane->run(std::nullopt);
    ASSERT_FALSE(failed.ok()) << trace;
    EXPECT_TRUE(is_answer_of(row.kind, failed.error())) << trace << ": " << failed.error().describe();
    EXPECT_TRUE(failed.error().message.empty()) << trace;
    EXPECT_EQ(failed.error().native_code, row.code) << trace;
    EXPECT_EQ(lane->output(0).data, nullptr) << trace;
    if (row.kind == FaultClass::kDevice) {
      check_dead(lane, row, trace);
    } else {
      check_recovered(lane, trace);
    }
  }
  if (row.kind == FaultClass::kDevice) {
    EXPECT_TRUE(sil::functions().empty()) << trace << ": a destructor called " << sil::functions().front();
  } else {
    EXPECT_EQ(sil::live_objects(), sil::LiveObjects()) << trace;
  }
  events_.clear();
}

TEST_F(TensorrtFaults, EveryCallOfARunWithEveryCode) {
  int pairs = 0;
  for (const bool has_graph : {true, false}) {
    begin_again();
    device_ = std::make_shared<trt::DeviceState>(events_);
    config_.tensorrt_cuda_graphs = has_graph;
    config_.tensorrt_io_memory = "copied";
    std::vector<std::string> functions;
    {
      const Lane lane = place(add_relu());
      for (int warm = 0; warm < 2; ++warm) ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
      functions = functions_of_a_run(lane);
    }
    for (const std::string& function : functions) {
      if (function.rfind("cuda", 0) != 0) continue;  // TensorRT's own codes are below
      for (const CodeRow& row : kCodes) check_fault(function, row), ++pairs;
    }
  }
  RecordProperty("pairs", pairs);
  EXPECT_GE(pairs, 140);
}

TEST_F(TensorrtFaults, EveryCodeOfTensorrt) {
  config_.tensorrt_cuda_graphs = false;
  for (const CodeRow& row : kTensorrtCodes) {
    begin_again();
    device_ = std::make_shared<trt::DeviceState>(events_);
    const std::string trace = "enqueueV3 fails with " + std::to_string(row.code);
    const Lane lane = place(add_relu());
    ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
    sil::fail_call(kEnqueue, 1, row.code);
    const Status failed = lane->run(std::nullopt);
    ASSERT_FALSE(failed.ok()) << trace;
    EXPECT_TRUE(is_answer_of(row.kind, failed.error())) << trace << ": " << failed.error().describe();
    EXPECT_EQ(failed.error().native_code, trt::kTensorrtCodes + row.code) << trace;
    if (row.kind != FaultClass::kDevice) check_recovered(lane, trace);
  }
}

TEST_F(TensorrtFaults, AnAsynchronousErrorIsTheErrorOfThisRun) {
  for (const CodeRow& row : kCodes) {
    begin_again();
    device_ = std::make_shared<trt::DeviceState>(events_);
    config_.tensorrt_cuda_graphs = false;
    const Lane lane = place(add_relu());
    ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
    sil::fail_work(kEnqueue, 1, row.code);
    const Status failed = lane->run(std::nullopt);
    ASSERT_FALSE(failed.ok()) << row.code;
    EXPECT_TRUE(is_answer_of(row.kind, failed.error())) << row.code << failed.error().describe();
    EXPECT_EQ(lane->output(0).data, nullptr);
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

TEST_F(TensorrtFaults, AfterALostContextTheNextRunMakesAnotherInTheSameMemory) {
  const Lane lane = place(add_relu());
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  device_->seal();
  sil::fail_call("cudaEventRecord", 1, cudaErrorStreamCaptureInvalidated);
  EXPECT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kInference, Reason::kExecutionFailed));
  sil::reset();
  check_recovered(lane, "a lost context");
  EXPECT_EQ(sil::calls("ICudaEngine::createExecutionContext"), 1);
  EXPECT_EQ(sil::calls("cudaMalloc"), 0);
  EXPECT_EQ(device_->allocations_after_seal(), 0U);
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

// --- placing ---

/// Opens a plan and places a lane while `function` fails; true when that was refused, as it must be.
bool TensorrtFaults::is_refused(const std::string& plan, const std::string& function, const CodeRow& row) {
  begin_again();
  device_ = std::make_shared<trt::DeviceState>(events_);
  const std::string trace = function + " fails with " + std::to_string(row.code);
  const bool is_sticky = row.kind == FaultClass::kDevice && function.rfind("cuda", 0) == 0;
  sil::fail_call(function, 1, row.code, is_sticky);
  const auto refusal = [&]() -> Status {
    SKUA_ASSIGN_OR_RETURN(auto opened,
                          trt::PlanEngine::open(bytes_of(plan), device_, trt::TrtContext::kLoad, "net"));
    const EngineRecord record = record_of(opened->facts(), add_relu());
    SKUA_RETURN_IF_ERROR(trt::check_plan(opened->facts(), record));
    trt::TrtExecution execution(std::move(opened), settings());
    return execution.place(record);
  }();
  if (!device_->is_lost()) {
    EXPECT_EQ(sil::live_objects(), sil::LiveObjects()) << trace;
  }
  if (refusal.ok()) return false;
  const bool is_memory = row.kind == FaultClass::kMemory;
  EXPECT_NE(refusal.error().message, "") << trace;
  EXPECT_TRUE(refusal.error().code == ErrorCode::kEngineDeserialize ||
              (is_memory && refusal.error().code == ErrorCode::kOutOfMemory))
      << trace << ": " << refusal.error().describe();
  EXPECT_EQ(device_->is_lost(), is_sticky) << trace << ": " << refusal.error().describe();
  return true;
}

TEST_F(TensorrtFaults, WhateverFailsWhileLoadingIsARefusalThatLeavesNothing) {
  const std::string plan = build_plan(add_relu());
  config_.tensorrt_io_memory = "copied";
  sil::reset();
  { const Lane lane = place(add_relu()); }
  int pairs = 0, refusals = 0;
  for (const std::string& function : sil::functions()) {
    const bool is_cuda = function.rfind("cuda", 0) == 0;
    if (function == "getInferLibVersion") continue;  // the fixture's own question
    for (const CodeRow& row :
         is_cuda ? std::span<const CodeRow>(kCodes) : std::span<const CodeRow>(kTensorrtCodes)) {
      refusals += is_refused(plan, function, row) ? 1 : 0;
      ++pairs;
    }
  }
  RecordProperty("pairs", pairs);
  RecordProperty("refusals", refusals);
  EXPECT_GE(pairs, 300);
  EXPECT_GE(refusals, 200);
}

}  // namespace
}  // namespace skua::test
