// What the tests of the run half share: plans built with the SDK itself, a lane over one, and a device that
// begins anew for each test.
#pragma once

#include <NvOnnxParser.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "bytes_of.h"
#include "onnx_writer.h"
#include "runtimes/tensorrt/record_options.h"
#include "runtimes/tensorrt/tensorrt_runtime.h"
#include "runtimes/tensorrt/trt_execution.h"
#include "runtimes/tensorrt/trt_library.h"
#include "runtimes/tensorrt/trt_logger.h"
#include "sil/control/sil_control.h"
#include "temp_folder.h"
#include "verdicts.h"

namespace skua::test {

namespace trt = skua::tensorrt;

/// A run's call of TensorRT, as the control of faults knows it.
inline const std::string kEnqueue = "IExecutionContext::enqueueV3";

/// Keeps what is told.
class KeptEvents final : public EventSink {
 public:
  void emit(const Event& event) noexcept override {
    try {
      const std::lock_guard lock(mutex_);
      events_.push_back(event);
    } catch (const std::bad_alloc&) {  // what a test that takes the memory away has asked for
    }
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    events_.clear();
  }
  std::vector<Event> of(std::string_view kind) const {
    const std::lock_guard lock(mutex_);
    std::vector<Event> found;
    for (const Event& event : events_) {
      if (event.kind == kind) found.push_back(event);
    }
    return found;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Event> events_;
};

/// How a network is built, and what its record says beyond what the plan says itself.
struct PlanRequest {
  std::string model;
  std::vector<OptimizationProfile> profiles = {};
  std::map<std::string, Shape> max_output_shapes = {};  ///< of outputs that are not static
};

nvinfer1::Dims dims_of(const Shape& shape);
/// The plan, made by the SDK's parser and builder.
std::string build_plan(const PlanRequest& request);
/// As compiling would write it.
EngineRecord record_of(const trt::PlanFacts& facts, const PlanRequest& request);

/// A fresh device before each test, and none of its objects left after it.
class TensorrtRun : public testing::Test {
 protected:
  void SetUp() override { begin_again(); }
  void TearDown() override {
    sil::release_hangs();
    begin_again();
  }
  static void begin_again() {
    sil::reset();
    sil::restart_device();
    sil::reset();
    trt::process_loss() = trt::kNotLost;
  }

  /// Opens a plan and places a lane.
  struct Lane {
    EngineRecord record;
    std::shared_ptr<trt::PlanEngine> plan;
    std::unique_ptr<trt::TrtExecution> execution;
    trt::TrtExecution* operator->() const { return execution.get(); }
  };
  Lane place(const PlanRequest& request) {
    Lane lane;
    lane.plan =
        trt::PlanEngine::open(bytes_of(build_plan(request)), device_, trt::TrtContext::kLoad, "net").value();
    lane.record = record_of(lane.plan->facts(), request);
    lane.execution = std::make_unique<trt::TrtExecution>(lane.plan, settings());
    EXPECT_TRUE(is_ok(lane.execution->place(lane.record)));
    return lane;
  }

  trt::LaneSettings settings() {
    trt::LaneSettings settings;
    settings.wait = trt::wait_mode_of(config_);
    settings.uses_graphs = config_.tensorrt_cuda_graphs;
    settings.io = trt::IoPolicy::from(config_, true).value();
    settings.clock = clock_;
    settings.farewell_clock = farewell_clock_;
    return settings;
  }

  /// A lane over add_relu gives what it should.
  static void check_right(const Lane& lane);
  /// A run that costs the lane its context; orders and counts begin anew after it.
  static void lose_context(const Lane& lane);

  KeptEvents events_;
  std::shared_ptr<trt::DeviceState> device_ = std::make_shared<trt::DeviceState>(events_);
  RuntimeConfig config_;
  const Clock* clock_ = &system_clock();
  const Clock* farewell_clock_ = &system_clock();
};

/// The runtime as its users have it, over engines that it has compiled itself.
class TensorrtRuntimeScene : public TensorrtRun {
 protected:
  RuntimeEnvironment environment();
  EngineCacheEntry compile(InferenceRuntime& runtime, const std::string& name, const PlanRequest& request);

  TempFolder folder_;
};

inline PlanRequest add_relu() { return {add_relu_model()}; }
inline PlanRequest dynamic_rows() {
  return {dynamic_rows_model(), {{"x", Shape{1, 4}, Shape{2, 4}, Shape{5, 4}}}, {{"y", Shape{5, 3}}}};
}
inline PlanRequest non_zero(std::int64_t capacity) {
  return {non_zero_model(), {}, {{"y", Shape{1, capacity}}}};
}

template <typename T>
void write(const TensorView& view, const std::vector<T>& values) {
  ASSERT_EQ(view.size_bytes(), values.size() * sizeof(T));
  std::memcpy(view.data, values.data(), view.size_bytes());
}

template <typename T>
std::vector<T> read(const TensorView& view) {
  if (view.data == nullptr) return {};
  const auto values = view.as<T>();
  return std::vector<T>(values.begin(), values.end());
}

std::vector<float> ramp(std::size_t count);
/// What add_relu_model gives for an input.
std::vector<float> add_relu_of(const std::vector<float>& input);
/// Whether `output` is what dynamic_rows gives for rows that hold nothing but `value`, to the bit: weights
/// are eighths.
bool is_right_for(float value, const TensorView& output);

}  // namespace skua::test
