// Session options as key/value pairs, error translation, and the recorded variant.
#include "runtimes/onnxruntime/ort_options.h"
#include "ort_fixture.h"
#include "runtimes/onnxruntime/ort_errors.h"
#include "runtimes/onnxruntime/record_options.h"

namespace skua::test {
namespace {

using ort::Pairs;
using testing::ElementsAre;
using testing::Pair;

RuntimeConfig config_of(const std::string& provider) {
  RuntimeConfig config = cpu_config();
  config.execution_provider = provider;
  return config;
}

ort::EngineLimits limits() {
  return {std::uint64_t{256} << 20U,
          {{"a", Shape{1, 4}, Shape{2, 4}, Shape{8, 4}}, {"b", Shape{1}, Shape{1}, Shape{3}}}};
}

TEST(OrtOptions, CpuRun) {
  const auto plan = ort::run_plan(config_of("cpu"), limits());
  EXPECT_EQ(plan.graph_optimization, "disabled");
  EXPECT_EQ(plan.intra_op_threads, 1);
  EXPECT_EQ(plan.provider, "cpu");
  EXPECT_THAT(plan.config, ElementsAre(Pair("session.load_model_format", "ONNX"),
                                       Pair("session.intra_op.allow_spinning", "0"),
                                       Pair("session.inter_op.allow_spinning", "0")));
  EXPECT_TRUE(plan.provider_options.empty());
  EXPECT_TRUE(plan.save_optimized_to.empty());
}

TEST(OrtOptions, TensorRtRun) {
  const auto plan = ort::run_plan(config_of("tensorrt"), limits());
  EXPECT_THAT(
      plan.config,
      ElementsAre(Pair("session.load_model_format", "ONNX"), Pair("session.intra_op.allow_spinning", "0"),
                  Pair("session.inter_op.allow_spinning", "0"), Pair("session.disable_cpu_ep_fallback", "1"),
                  Pair("session.disable_model_compile", "1")));
  EXPECT_THAT(
      plan.provider_options,
      ElementsAre(Pair("device_id", "0"), Pair("trt_max_workspace_size", "268435456"),
                  Pair("trt_engine_cache_enable", "0"), Pair("trt_timing_cache_enable", "0"),
                  Pair("trt_fp16_enable", "0"), Pair("trt_int8_enable", "0"),
                  Pair("trt_profile_min_shapes", "a:1x4,b:1"), Pair("trt_profile_opt_shapes", "a:2x4,b:1"),
                  Pair("trt_profile_max_shapes", "a:8x4,b:3")));
}

TEST(OrtOptions, TensorRtCompileEmbedsItsContext) {
  const auto plan = ort::compile_plan(config_of("tensorrt"), limits(), Precision::kFp16, "/staging/net.onnx");
  EXPECT_THAT(plan.config,
              testing::IsSupersetOf({Pair("ep.context_enable", "1"), Pair("ep.context_embed_mode", "1"),
                                     Pair("ep.context_file_path", "/staging/net.onnx")}));
  EXPECT_THAT(plan.config, testing::Not(testing::Contains(Pair("session.disable_model_compile", "1"))));
  EXPECT_TRUE(plan.save_optimized_to.empty());
}

TEST(OrtOptions, CudaIsBoundedByTheBudget) {
  RuntimeConfig config = config_of("cuda");
  config.gpu_memory_budget_bytes = 12345;
  const auto plan = ort::run_plan(config, limits());
  EXPECT_THAT(plan.provider_options, testing::Contains(Pair("gpu_mem_limit", "12345")));
  EXPECT_THAT(plan.config, testing::Contains(Pair("session.disable_cpu_ep_fallback", "1")));
}

TEST(OrtOptions, CpuCompileSavesAtTheLevelOfThePrecision) {
  const auto fp32 = ort::compile_plan(config_of("cpu"), limits(), Precision::kFp32, "/staging/net.onnx");
  EXPECT_EQ(fp32.graph_optimization, "all");
  EXPECT_EQ(fp32.save_optimized_to, "/staging/net.onnx");
  const auto fp16 = ort::compile_plan(config_of("cpu"), limits(), Precision::kFp16, "/staging/net.onnx");
  EXPECT_EQ(fp16.graph_optimization, "extended");
}

TEST(OrtOptions, WorkspaceIsAtMostAQuarterOfTheBudget) {
  RuntimeConfig config;
  config.gpu_memory_budget_bytes = std::uint64_t{1024} << 20U;
  EXPECT_EQ(ort::workspace_bytes(config, 100), std::uint64_t{100} << 20U);
  EXPECT_EQ(ort::workspace_bytes(config, 1024), std::uint64_t{256} << 20U);
}

TEST(OrtOptions, UnknownConfigKeyIsRefusedByUs) {
  EXPECT_TRUE(is_ok(ort::check_config_keys({{"session.intra_op.allow_spinning", "0"}})));
  EXPECT_TRUE(is_error(ort::check_config_keys({{"session.intra_op.allow_spining", "0"}}),
                       ErrorCode::kInternal, Reason::kInternal, "allow_spining"));
}

// Every plan must be acceptable to our own list, also on machines without the provider.
TEST(OrtOptions, EveryPlanUsesKnownKeysOnly) {
  for (const std::string provider : {"cpu", "cuda", "tensorrt"}) {
    EXPECT_TRUE(is_ok(ort::check_config_keys(ort::run_plan(config_of(provider), limits()).config)));
    EXPECT_TRUE(is_ok(ort::check_config_keys(
        ort::compile_plan(config_of(provider), limits(), Precision::kFp32, "/staging/net.onnx").config)));
  }
}

Error translated(ort::OrtContext context, OrtErrorCode code, const char* message) {
  const OrtApi& api = real_library()->api();
  return ort::translate(api, api.CreateStatus(code, message), context, "net");
}

TEST(OrtErrors, ContextDecidesTheClass) {
  const auto has = [](const Error& error, ErrorCode code, Reason reason) {
    return error.code == code && error.reason == reason && error.message.find("net") != std::string::npos;
  };
  EXPECT_TRUE(has(translated(ort::OrtContext::kLoad, ORT_FAIL, "x"), ErrorCode::kEngineDeserialize,
                  Reason::kDeserializeFailed));
  EXPECT_TRUE(
      has(translated(ort::OrtContext::kRun, ORT_FAIL, "x"), ErrorCode::kInference, Reason::kExecutionFailed));
  EXPECT_TRUE(has(translated(ort::OrtContext::kCompile, ORT_NOT_IMPLEMENTED, "x"), ErrorCode::kEngineBuild,
                  Reason::kModelUnsupported));
  EXPECT_TRUE(has(translated(ort::OrtContext::kCompile, ORT_INVALID_PROTOBUF, "x"), ErrorCode::kEngineBuild,
                  Reason::kModelMalformed));
  EXPECT_TRUE(has(translated(ort::OrtContext::kProvider, ORT_FAIL, "x"), ErrorCode::kRuntimeNotAvailable,
                  Reason::kProviderNotAvailable));
}

TEST(OrtErrors, MemoryComesFirstInEveryContext) {
  for (const auto context : {ort::OrtContext::kLoad, ort::OrtContext::kRun, ort::OrtContext::kCompile}) {
    for (const char* text : {"std::bad_alloc", "Failed to allocate memory for requested buffer of size 1"}) {
      const Error error = translated(context, ORT_RUNTIME_EXCEPTION, text);
      EXPECT_EQ(error.code, ErrorCode::kOutOfMemory);
      EXPECT_EQ(error.native_code, ORT_RUNTIME_EXCEPTION);
    }
  }
}

TEST(OrtErrors, TextIsOneShortLine) {
  const std::string text = "first\nsecond" + std::string(5000, 'x');
  const Error error = translated(ort::OrtContext::kRun, ORT_FAIL, text.c_str());
  EXPECT_EQ(error.message.find('\n'), std::string::npos);
  EXPECT_LT(error.message.size(), 800U);
  EXPECT_NE(error.message.find("first second"), std::string::npos);
}

TEST(OrtErrors, HotTranslationHasNoText) {
  const OrtApi& api = real_library()->api();
  const Error failed = ort::translate_hot(api, api.CreateStatus(ORT_FAIL, "something"));
  EXPECT_EQ(failed.code, ErrorCode::kInference);
  EXPECT_EQ(failed.native_code, ORT_FAIL);
  EXPECT_TRUE(failed.message.empty());
  const Error memory = ort::translate_hot(api, api.CreateStatus(ORT_FAIL, "std::bad_alloc"));
  EXPECT_EQ(memory.code, ErrorCode::kOutOfMemory);
}

constexpr char kIllegalAddress[] =
    "CUDA failure 700: an illegal memory access was encountered ; GPU=0 ; hostname=orin ; file=cuda_call.cc";

TEST(OrtErrors, ALostDeviceHasAReasonOfItsOwnAndCudasNumber) {
  const OrtApi& api = real_library()->api();
  const Error hot = ort::translate_hot(api, api.CreateStatus(ORT_FAIL, kIllegalAddress));
  EXPECT_EQ(hot.code, ErrorCode::kInference);
  EXPECT_EQ(hot.reason, Reason::kDeviceLost);
  EXPECT_EQ(hot.native_code, 700);
  const Error load = translated(ort::OrtContext::kLoad, ORT_FAIL, kIllegalAddress);
  EXPECT_EQ(load.code, ErrorCode::kEngineDeserialize);
  EXPECT_EQ(load.reason, Reason::kDeviceLost);
  EXPECT_EQ(load.native_code, 700);
  EXPECT_NE(load.message.find("start the program again"), std::string::npos);
}

TEST(OrtErrors, ControlOrdinaryCudaErrorsAreNoLostDevice) {
  const OrtApi& api = real_library()->api();
  const Error failed =
      ort::translate_hot(api, api.CreateStatus(ORT_FAIL, "CUDA failure 1: invalid argument"));
  EXPECT_EQ(failed.reason, Reason::kExecutionFailed);
  const Error memory = ort::translate_hot(api, api.CreateStatus(ORT_FAIL, "CUDA failure 2: out of memory"));
  EXPECT_EQ(memory.reason, Reason::kOutOfMemory);
}

class RecordedOptions : public testing::Test {
 protected:
  RecordedOptions() {
    record.file = "net.onnx";
    record.runtime_label = "onnx_trt_ep";
    record.precision = Precision::kFp32;
    BuildConfig build;
    build.precision = Precision::kFp32;
    record.options = ort::record_options(config, build, "1.23.2");
  }
  Status check() const { return ort::check_recorded(record, config, "1.23.2"); }
  RuntimeConfig config = cpu_config();
  EngineRecord record;
};

TEST_F(RecordedOptions, SameConfigurationIsAccepted) {
  EXPECT_TRUE(is_ok(check()));
  EXPECT_EQ(record.options.at("device"), "cpu");
}

TEST_F(RecordedOptions, EachDifferenceIsNamed) {
  for (const std::string option : {"execution_provider", "device", "onnxruntime", "graph_optimization"}) {
    const std::string kept = record.options.at(option);
    record.options[option] = "other";
    EXPECT_TRUE(is_error(check(), ErrorCode::kEngineDeserialize, Reason::kRuntimeMismatch, option));
    record.options.erase(option);
    EXPECT_TRUE(is_error(check(), ErrorCode::kEngineDeserialize, Reason::kRuntimeMismatch, option));
    record.options[option] = kept;
  }
  EXPECT_TRUE(is_ok(check()));
}

TEST_F(RecordedOptions, AnotherRuntimesEngineIsRefused) {
  record.runtime_label = "tensorrt";
  EXPECT_TRUE(is_error(check(), ErrorCode::kEngineDeserialize, Reason::kRuntimeMismatch, "runtime"));
}

TEST_F(RecordedOptions, LevelFollowsThePrecision) {
  record.precision = Precision::kFp16;
  EXPECT_TRUE(
      is_error(check(), ErrorCode::kEngineDeserialize, Reason::kRuntimeMismatch, "graph_optimization"));
}

}  // namespace
}  // namespace skua::test
