#include "skua/error.h"

#include <gtest/gtest.h>

#include <set>

#include "skua/reason.h"

namespace skua {
namespace {

constexpr int kErrorCodes = static_cast<int>(ErrorCode::kInternal) + 1;

template <typename Expected>
void expect_thrown(ErrorCode code) {
  try {
    throw_error(make_error(code, Reason::kDiskFull, "thing", 28));
  } catch (const SkuaError& error) {
    EXPECT_EQ(typeid(error), typeid(Expected)) << error_class_name(code);
    EXPECT_EQ(error.error().code, code);
    EXPECT_EQ(error.error().native_code, 28);
    EXPECT_EQ(error.what(), error.error().describe());
  }
}

TEST(Error, EveryCodeThrowsItsOwnClass) {
  expect_thrown<InvalidArgumentError>(ErrorCode::kInvalidArgument);
  expect_thrown<EngineBuildError>(ErrorCode::kEngineBuild);
  expect_thrown<CalibrationCacheError>(ErrorCode::kCalibrationCache);
  expect_thrown<EngineDeserializeError>(ErrorCode::kEngineDeserialize);
  expect_thrown<EngineSchemaMismatchError>(ErrorCode::kEngineSchemaMismatch);
  expect_thrown<EngineSidecarMissingError>(ErrorCode::kEngineSidecarMissing);
  expect_thrown<EngineHashMismatchError>(ErrorCode::kEngineHashMismatch);
  expect_thrown<ManifestError>(ErrorCode::kManifest);
  expect_thrown<InferenceError>(ErrorCode::kInference);
  expect_thrown<OutOfMemoryError>(ErrorCode::kOutOfMemory);
  expect_thrown<TelemetryUnavailableError>(ErrorCode::kTelemetryUnavailable);
  expect_thrown<RuntimeNotAvailableError>(ErrorCode::kRuntimeNotAvailable);
  expect_thrown<AirborneBootstrapError>(ErrorCode::kAirborneBootstrap);
  expect_thrown<IoError>(ErrorCode::kIo);
  expect_thrown<InternalError>(ErrorCode::kInternal);
}

TEST(Error, ClassNamesAreDistinct) {
  std::set<std::string_view> names;
  for (int code = 0; code < kErrorCodes; ++code) names.insert(error_class_name(static_cast<ErrorCode>(code)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kErrorCodes));
}

TEST(Error, SubclassesAreCaughtAsTheirBase) {
  const auto throw_code = [](ErrorCode code) { throw_error(make_error(code, Reason::kNone, "")); };
  EXPECT_THROW(throw_code(ErrorCode::kManifest), EngineDeserializeError);
  EXPECT_THROW(throw_code(ErrorCode::kEngineHashMismatch), EngineDeserializeError);
  EXPECT_THROW(throw_code(ErrorCode::kAirborneBootstrap), RuntimeNotAvailableError);
}

TEST(Error, LoadRefusalsAreTheDeserializeErrorsAlone) {
  for (int number = 0; number < kErrorCodes; ++number) {
    const auto code = static_cast<ErrorCode>(number);
    bool is_caught_as_refusal = false;
    try {
      throw_error(make_error(code, Reason::kNone, ""));
    } catch (const EngineDeserializeError&) {
      is_caught_as_refusal = true;
    } catch (const SkuaError&) {
    }
    EXPECT_EQ(make_error(code, Reason::kNone, "").is_load_refusal(), is_caught_as_refusal)
        << error_class_name(code);
  }
}

TEST(Error, DescribesClassMessageAndReason) {
  EXPECT_EQ(make_error(ErrorCode::kManifest, Reason::kUnlistedFile, "file x is not listed").describe(),
            "ManifestError: file x is not listed [unlisted_file]");
}

TEST(Error, DescribesAnEmptyMessageByItsReason) {
  EXPECT_EQ(make_error(ErrorCode::kInference, Reason::kLaneBusy, "").describe(),
            "InferenceError: " + std::string(sentence_of(Reason::kLaneBusy)) + " [lane_busy]");
}

}  // namespace
}  // namespace skua
