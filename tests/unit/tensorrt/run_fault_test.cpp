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
  void check_dead(const Lane& lane, const CodeRow& row, const std::string& trace);
};

/// A frame is lost, the next one is right; after a lost context too.
void TensorrtFaults::check_recovered(const Lane& lane, const std::string& trace) {
  write(lane->input(0), ramp(64));
  Status next = lane->run(std::nullopt);
  for (int i = 0; i < 200 && !next.ok() && next.error().reason == Reason::kLaneBusy; ++i)
    next = lane->run(std::nullopt);
  ASSERT_TRUE(is_ok(next)) << trace;
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
  EXPECT_GE(pairs, 150);
}

TEST_F(TensorrtFaults, EveryCodeOfTensorrt) {
  const std::array rows = {CodeRow{1, FaultClass::kContext}, CodeRow{2, FaultClass::kDevice},
                           CodeRow{3, FaultClass::kFrame},   CodeRow{4, FaultClass::kFrame},
                           CodeRow{5, FaultClass::kMemory},  CodeRow{6, FaultClass::kContext},
                           CodeRow{7, FaultClass::kFrame},   CodeRow{8, FaultClass::kFrame},
                           CodeRow{9, FaultClass::kContext}, CodeRow{10, FaultClass::kFrame}};
  config_.tensorrt_cuda_graphs = false;
  for (const CodeRow& row : rows) {
    begin_again();
    device_ = std::make_shared<trt::DeviceState>(events_);
    const std::string trace = "enqueueV3 fails with " + std::to_string(row.code);
    const Lane lane = place(add_relu());
    ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
    sil::fail_call("enqueueV3", 1, row.code);
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
    sil::fail_work("enqueueV3", 1, row.code);
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

TEST_F(TensorrtFaults, WhateverFailsWhilePlacingIsARefusalThatLeavesNothing) {
  const std::string plan = build_plan(add_relu());
  config_.tensorrt_io_memory = "copied";
  std::vector<std::string> functions;
  {
    sil::reset();
    const Lane lane = place(add_relu());
    functions = sil::functions();
  }
  int pairs = 0;
  for (const std::string& function : functions) {
    if (function.rfind("cuda", 0) != 0 || function == "cudaGetLastError") continue;
    for (const CodeRow& row : kCodes) {
      begin_again();
      device_ = std::make_shared<trt::DeviceState>(events_);
      const std::string trace = function + " fails with " + std::to_string(row.code);
      {
        const auto opened = trt::PlanEngine::open(bytes_of(plan), device_, trt::TrtContext::kLoad, "net");
        ASSERT_TRUE(is_ok(opened));
        const EngineRecord record = record_of((*opened)->facts(), add_relu());
        trt::TrtExecution execution(*opened, settings());
        sil::fail_call(function, 1, row.code, row.kind == FaultClass::kDevice);
        const Status placed = execution.place(record);
        if (placed.ok()) continue;  // not one of the calls of placing a lane
        ++pairs;
        EXPECT_NE(placed.error().message, "") << trace;
        EXPECT_EQ(placed.error().code,
                  row.kind == FaultClass::kMemory ? ErrorCode::kOutOfMemory : ErrorCode::kEngineDeserialize)
            << trace << placed.error().describe();
        EXPECT_EQ(device_->is_lost(), row.kind == FaultClass::kDevice) << trace;
      }
      if (row.kind != FaultClass::kDevice) EXPECT_EQ(sil::live_objects(), sil::LiveObjects()) << trace;
    }
  }
  RecordProperty("pairs", pairs);
  EXPECT_GE(pairs, 100);
}

}  // namespace
}  // namespace skua::test
