// What TensorRT says: to the recorder, to the logger, and as events.
#include <thread>

#include "run_clocks.h"
#include "run_fixture.h"
#include "runtimes/tensorrt/sdk_messages.h"
#include "runtimes/tensorrt/trt_types.h"

namespace skua::test::run_messages_tests {
namespace {

using nvinfer1::ErrorCode;
using trt::FaultClass;
using trt::Severity;

TEST(TensorrtRecorder, TheFirstErrorIsTheCause) {
  trt::ErrorRecorder recorder;
  EXPECT_EQ(recorder.first(), std::nullopt);
  EXPECT_EQ(recorder.getNbErrors(), 0);
  recorder.reportError(ErrorCode::kINVALID_ARGUMENT, "first\nline two");
  recorder.reportError(ErrorCode::kINTERNAL_ERROR, "second");
  EXPECT_EQ(recorder.first(), ErrorCode::kINVALID_ARGUMENT);
  EXPECT_EQ(recorder.text(), "first line two; second");
  EXPECT_EQ(recorder.getErrorCode(1), ErrorCode::kINTERNAL_ERROR);
  EXPECT_STREQ(recorder.getErrorDesc(1), "second");
  EXPECT_EQ(recorder.getErrorCode(2), ErrorCode::kSUCCESS);
  EXPECT_STREQ(recorder.getErrorDesc(-1), "");
  recorder.clear();
  EXPECT_EQ(recorder.first(), std::nullopt);
}

TEST(TensorrtRecorder, WhatDoesNotFitIsCutAndCounted) {
  trt::ErrorRecorder recorder;
  const std::string longest(5000, 'x');
  recorder.reportError(ErrorCode::kUNSPECIFIED_ERROR, longest.c_str());
  recorder.reportError(ErrorCode::kUNSPECIFIED_ERROR, nullptr);
  EXPECT_LT(std::strlen(recorder.getErrorDesc(0)), 2000U);
  EXPECT_STREQ(recorder.getErrorDesc(1), "");
  for (int i = 0; i < 100; ++i) recorder.reportError(ErrorCode::kINVALID_STATE, "more");
  EXPECT_EQ(recorder.getNbErrors(), trt::ErrorRecorder::kCapacity);
  EXPECT_TRUE(recorder.hasOverflowed());
  EXPECT_EQ(recorder.first(), ErrorCode::kUNSPECIFIED_ERROR);
  recorder.clear();
  EXPECT_FALSE(recorder.hasOverflowed());
}

TEST(TensorrtRecorder, SeveralThreadsMayReport) {
  trt::ErrorRecorder recorder;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        recorder.reportError(ErrorCode::kINVALID_STATE, "text");
        static_cast<void>(recorder.text());
        recorder.incRefCount();
        recorder.decRefCount();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(recorder.getNbErrors(), trt::ErrorRecorder::kCapacity);
}

class KeptLines final : public trt::LogListener {
 public:
  void on_log(Severity severity, std::string_view text) noexcept override {
    lines.emplace_back(severity, std::string(text));
  }
  std::vector<std::pair<Severity, std::string>> lines;
};

TEST(TensorrtLogger, FansOutToListenersAndToTheCaptureOfTheThread) {
  trt::ProcessLogger& logger = trt::process_logger();
  KeptLines kept;
  {
    const trt::LogSubscription subscription(kept);
    const trt::LogCapture outer;
    {
      const trt::LogCapture inner;
      logger.log(Severity::kERROR, "one\ntwo.");
      logger.log(Severity::kWARNING, "careful");
      EXPECT_EQ(inner.text(), "one two");
      EXPECT_FALSE(inner.has_foreign_device_warning());
    }
    EXPECT_EQ(outer.text(), "");
    std::thread([&] { logger.log(Severity::kERROR, "elsewhere"); }).join();
    EXPECT_EQ(outer.text(), "");
  }
  EXPECT_EQ(kept.lines.size(), 3U);
  logger.log(Severity::kERROR, "after");
  EXPECT_EQ(kept.lines.size(), 3U);
}

TEST(TensorrtLogger, InsideOfARunALineIsCountedAndNothingElse) {
  KeptLines kept;
  const trt::LogSubscription subscription(kept);
  const auto before = trt::process_logger().count(Severity::kERROR);
  const trt::LogCapture capture;
  {
    const trt::QuietLog quiet;
    trt::process_logger().log(Severity::kERROR, "in the run");
  }
  EXPECT_EQ(trt::process_logger().count(Severity::kERROR), before + 1);
  EXPECT_TRUE(kept.lines.empty());
  EXPECT_EQ(capture.text(), "");
}

TEST(TensorrtLogger, TheWarningOfAnotherModelOfDeviceIsSeen) {
  const trt::LogCapture capture;
  trt::process_logger().log(
      Severity::kWARNING, "Using an engine plan file across different models of devices is not recommended");
  EXPECT_TRUE(capture.has_foreign_device_warning());
}

TEST(TensorrtLogger, ANullLineIsNone) { trt::process_logger().log(Severity::kERROR, nullptr); }

TEST(TensorrtMessages, WarningsBecomeEventsAndAFloodIsCutOff) {
  KeptEvents events;
  const trt::SdkMessages messages(std::make_shared<trt::DeviceState>(events));
  trt::process_logger().log(Severity::kINFO, "nothing");
  EXPECT_TRUE(events.of("c7.sdk_message").empty());
  for (int i = 0; i < 1000; ++i) trt::process_logger().log(Severity::kWARNING, "careful");
  const auto told = events.of("c7.sdk_message");
  ASSERT_EQ(told.size(), 201U);
  EXPECT_EQ(told.front().message, "TensorRT: careful");
  EXPECT_THAT(told.back().message, testing::HasSubstr("more than 200"));
}

TEST(TensorrtTypes, EveryTypeThereAndBack) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat16, DType::kInt8, DType::kInt32, DType::kBool,
                            DType::kUInt8, DType::kInt64}) {
    ASSERT_TRUE(trt::data_type_of(dtype).has_value());
    EXPECT_EQ(trt::dtype_of(*trt::data_type_of(dtype)).value(), dtype);
  }
  for (const DType dtype : {DType::kFloat64, DType::kInt16, DType::kUInt16, DType::kUInt32, DType::kUInt64})
    EXPECT_FALSE(trt::data_type_of(dtype).has_value());
  EXPECT_THAT(trt::dtype_of(nvinfer1::DataType::kBF16).error().message, testing::HasSubstr("kBF16"));
  EXPECT_THAT(trt::dtype_of(static_cast<nvinfer1::DataType>(77)).error().message, testing::HasSubstr("77"));
}

TEST(TensorrtTypes, ShapesThereAndBack) {
  for (const Shape& shape : {Shape{}, Shape{3}, Shape{-1, 4}, Shape{1, 2, 3, 4, 5, 6, 7, 8}})
    EXPECT_EQ(trt::shape_of(trt::dims_of(shape)).value(), shape);
  nvinfer1::Dims unknown{};
  unknown.nbDims = -1;
  EXPECT_FALSE(trt::shape_of(unknown).ok());
  unknown.nbDims = 9;
  EXPECT_FALSE(trt::shape_of(unknown).ok());
}

TEST(TensorrtErrors, OfTwoTheGraverCounts) {
  const trt::Fault frame{FaultClass::kFrame, 1}, device{FaultClass::kDevice, 700}, none{};
  EXPECT_EQ(trt::worse(frame, device), device);
  EXPECT_EQ(trt::worse(device, frame), device);
  EXPECT_EQ(trt::worse(none, frame), frame);
  EXPECT_EQ(trt::worse(frame, {FaultClass::kFrame, 2}), frame);
}

/// Logs when it is looked at: as TensorRT may, in the middle of a run and on its thread.
class TalkingClock final : public Clock {
 public:
  std::int64_t monotonic_ns() const noexcept override {
    trt::process_logger().log(Severity::kWARNING, "in the run");
    return 0;
  }
  std::int64_t utc_us() const noexcept override { return 0; }
};

class TensorrtQuiet : public TensorrtRun {};

TEST_F(TensorrtQuiet, WhatIsLoggedInARunIsCountedAndGoesNowhere) {
  const TalkingClock clock;
  clock_ = &clock;
  config_.tensorrt_wait = "poll";
  const Lane lane = place(add_relu());
  KeptLines kept;
  const trt::LogSubscription subscription(kept);
  const auto before = trt::process_logger().count(Severity::kWARNING);
  // A run without a deadline looks at the clock in any case, one with a deadline only if the work is not done
  // yet.
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  EXPECT_GT(trt::process_logger().count(Severity::kWARNING), before);
  EXPECT_TRUE(kept.lines.empty());
}

}  // namespace
}  // namespace skua::test::run_messages_tests
