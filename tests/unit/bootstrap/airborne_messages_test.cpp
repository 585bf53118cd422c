// What an operator reads when the aircraft does not start, word by word. The states of the build flags are
// this build's; all eight combinations are asked in registry_answers_test.cpp.
#include "bootstrap/airborne_messages.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "airborne_fixture.h"
#include "skua/runtime_factory.h"

namespace skua::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kAll = "c2_vpr, c2_5_rerank, c3_matcher, c3_5_adhop";

using AirborneMessages = AirborneTest;

Error not_built(const std::string& runtime) {
  return make_error(ErrorCode::kRuntimeNotAvailable, Reason::kRuntimeNotBuilt, runtime + " is not built", 7);
}

TEST_F(AirborneMessages, NoRuntimeNamesKeyFlagsRuntimesAndConsumersAndKeepsItsCause) {
  AirborneConfig config = folder_.config();
  build_error_ = not_built("pytorch_fp16");
  const Error error = refusal(config);
  EXPECT_EQ(error.code, ErrorCode::kAirborneBootstrap);
  EXPECT_EQ(error.reason, Reason::kRuntimeNotBuilt);
  EXPECT_EQ(error.native_code, 7);
  ASSERT_NE(error.cause, nullptr);
  EXPECT_EQ(error.cause->code, ErrorCode::kRuntimeNotAvailable);
  EXPECT_EQ(error.cause->message, "pytorch_fp16 is not built");
  EXPECT_THAT(error.message, HasSubstr("c7_inference"));
  EXPECT_THAT(error.message, HasSubstr("'pytorch_fp16'"));
  EXPECT_THAT(error.message, HasSubstr("tensorrt (BUILD_TENSORRT_RUNTIME is "));
  EXPECT_THAT(error.message, HasSubstr("pytorch_fp16 (BUILD_PYTORCH_FP16_RUNTIME is "));
  EXPECT_THAT(error.message, HasSubstr(kAll));
  EXPECT_THAT(error.message, Not(HasSubstr("onnx_trt_ep")));
}

TEST_F(AirborneMessages, ABuiltRuntimeThatCannotBeHadSaysWhatToInstall) {
  const std::string runtime = folder_.config().inference.runtime;
  const auto registry = runtime_registry();
  const auto is_it = [&](const RuntimeEntry& entry) { return entry.label == runtime && entry.is_built; };
  if (std::none_of(registry.begin(), registry.end(), is_it)) GTEST_SKIP() << runtime << " is not built";
  const auto message_for = [&](Reason reason) {
    build_error_ = make_error(ErrorCode::kRuntimeNotAvailable, reason, "no runtime");
    return refusal(folder_.config()).message;
  };
  for (const Reason missing : {Reason::kModuleMissing, Reason::kSdkMissing})
    EXPECT_THAT(message_for(missing), HasSubstr("install the package that holds this runtime"));
  for (const Reason foreign : {Reason::kModuleForeign, Reason::kSdkForeign})
    EXPECT_THAT(message_for(foreign), HasSubstr("modules, library and SDK of one release"));
  EXPECT_THAT(message_for(Reason::kProviderNotAvailable), HasSubstr("the cause below says what to change"));
}

TEST_F(AirborneMessages, ConsumersAreThoseOfTheConfiguration) {
  build_error_ = not_built("pytorch_fp16");
  const auto message_with = [&](std::optional<std::vector<std::string>> consumers) {
    AirborneConfig config = folder_.config();
    config.consumers = std::move(consumers);
    return refusal(config).message;
  };
  const std::string head = "cannot have; ", tail = " cannot be composed without it";
  const std::vector<std::string> all = {"c3_5_adhop", "c3_matcher", "c2_5_rerank", "c2_vpr"};
  EXPECT_THAT(message_with(all), HasSubstr(head + kAll + tail));
  EXPECT_THAT(message_with(std::nullopt), HasSubstr(head + kAll + tail));
  EXPECT_THAT(message_with({{"c3_matcher", "c2_vpr"}}), HasSubstr(head + "c2_vpr, c3_matcher" + tail));
  EXPECT_THAT(message_with({{"c3_5_adhop"}}), HasSubstr(head + "c3_5_adhop" + tail));
  EXPECT_THAT(message_with({{"c3_5_adhop", "c1_vio"}}), HasSubstr(head + "c3_5_adhop" + tail));
}

TEST_F(AirborneMessages, WithoutAConsumerTheRuntimesOwnErrorIsTheAnswer) {
  AirborneConfig config = folder_.config();
  config.consumers.emplace();
  build_error_ = not_built("pytorch_fp16");
  const Error error = refusal(config);
  EXPECT_EQ(error.code, ErrorCode::kRuntimeNotAvailable);
  EXPECT_EQ(error.message, "pytorch_fp16 is not built");
  config.inference.runtime = "onnx_trt_ep";
  EXPECT_EQ(refusal(config).code, ErrorCode::kRuntimeNotAvailable);
  EXPECT_EQ(refusal(config).reason, Reason::kRuntimeNotAirborne);
}

TEST_F(AirborneMessages, AResearchRuntimeIsRefusedBeforeItIsBuiltAndNeverOffered) {
  AirborneConfig config = folder_.config();
  for (const char* runtime : {"onnx_trt_ep", "nonsense"}) {
    config.inference.runtime = runtime;
    const Error error = refusal(config);
    EXPECT_EQ(error.code, ErrorCode::kAirborneBootstrap);
    EXPECT_EQ(error.reason, Reason::kRuntimeNotAirborne);
    EXPECT_THAT(error.message, HasSubstr("'" + std::string(runtime) + "'"));
    EXPECT_THAT(operator_text(error), HasSubstr("tensorrt (BUILD_TENSORRT_RUNTIME is "));
    EXPECT_THAT(operator_text(error), HasSubstr("pytorch_fp16 (BUILD_PYTORCH_FP16_RUNTIME is "));
    EXPECT_THAT(operator_text(error), Not(HasSubstr("BUILD_ONNX_TRT_EP_RUNTIME")));
  }
  EXPECT_EQ(runtimes_, 0);
}

TEST_F(AirborneMessages, AnotherErrorThanAMissingRuntimeIsPassedOn) {
  build_error_ = make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument, "thermal_cpu is 900");
  const Error error = refusal(folder_.config());
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(error.message, "thermal_cpu is 900");
  EXPECT_EQ(error.cause, nullptr);
}

TEST_F(AirborneMessages, GateRefusalsArePassedOn) {
  EXPECT_EQ(refusal(folder_.config()).reason, Reason::kCurrentMissing);
  folder_.publish_set({"lightglue"}, "lightglue");
  AirborneConfig config = folder_.config();
  config.inference.flight_set_limit_bytes = 100;
  EXPECT_EQ(refusal(config).reason, Reason::kSetTooLarge);
  EXPECT_EQ(refusal(config).code, ErrorCode::kManifest);
  EXPECT_TRUE(build_pre_constructed(folder_.config(), surroundings_).ok());
}

TEST_F(AirborneMessages, AMatcherThatTheSetLacksNamesFieldEnginesAndRemedy) {
  folder_.publish_set({"ultravpr", "demo_matcher"}, "demo_matcher");
  AirborneConfig config = folder_.config();
  const Error error = refusal(config);
  EXPECT_EQ(error.code, ErrorCode::kAirborneBootstrap);
  EXPECT_EQ(error.reason, Reason::kPreConstructedMissing);
  EXPECT_THAT(error.message, HasSubstr("c3_lightglue_runtime: lightglue_model is 'lightglue'"));
  EXPECT_THAT(error.message, HasSubstr("'set-1' has only: ultravpr, demo_matcher"));
  EXPECT_THAT(error.message, HasSubstr("provision a set that has it"));
  config.inference.lightglue_model = "demo_matcher";
  EXPECT_TRUE(build_pre_constructed(config, surroundings_).ok());
}

TEST_F(AirborneMessages, ReplayWithoutTheBlockBuildsNothing) {
  AirborneConfig config = folder_.config();
  config.mode = FlightMode::kReplay;
  config.has_inference_block = false;
  const PreConstruction built = build_pre_constructed(config, surroundings_).value();
  EXPECT_THAT(built.entries, IsEmpty());
  EXPECT_EQ(built.set_id, "");
  EXPECT_EQ(runtimes_, 0);
}

TEST_F(AirborneMessages, ReplayWithTheBlockAndLiveWithoutItBuildTheRuntime) {
  build_error_ = not_built("pytorch_fp16");
  AirborneConfig config = folder_.config();
  config.mode = FlightMode::kReplay;
  EXPECT_EQ(refusal(config).code, ErrorCode::kAirborneBootstrap);
  config.mode = FlightMode::kLive;
  config.has_inference_block = false;
  EXPECT_EQ(refusal(config).code, ErrorCode::kAirborneBootstrap);
  EXPECT_EQ(runtimes_, 2);
}

TEST(OperatorText, HasPrefixMessageReasonAndEveryCause) {
  Error error = make_error(ErrorCode::kAirborneBootstrap, Reason::kRuntimeNotBuilt, "no c7_inference");
  EXPECT_EQ(operator_text(error), "airborne_bootstrap: no c7_inference [runtime_not_built]");
  Error cause = make_error(ErrorCode::kRuntimeNotAvailable, Reason::kRuntimeNotBuilt, "switched off");
  cause.cause = std::make_shared<const Error>(make_error(ErrorCode::kIo, Reason::kNotFound, "x.so"));
  error.cause = std::make_shared<const Error>(cause);
  EXPECT_EQ(operator_text(error),
            "airborne_bootstrap: no c7_inference [runtime_not_built]; caused by RuntimeNotAvailableError: "
            "switched off [runtime_not_built]; caused by IoError: x.so [not_found]");
  EXPECT_EQ(operator_text({ErrorCode::kOutOfMemory, Reason::kOutOfMemory, 0, "", nullptr}),
            "airborne_bootstrap: memory could not be allocated [out_of_memory]");
}

}  // namespace
}  // namespace skua::test
