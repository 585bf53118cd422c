// Compiling over the software-in-the-loop SDK: what comes out of each route, and every refusal as a typed
// error.
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "cache/golden.h"
#include "cache/plan_header.h"
#include "compile_fixture.h"
#include "inference/compile.h"
#include "runtimes/tensorrt/compile_timing_cache.h"
#include "skua/sidecar.h"

namespace skua::test {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

TEST(TensorrtCompile, AddReluIsCompleteAndCanBeKept) {
  TensorrtCompileCase add_relu(add_relu_model());
  const auto record = add_relu.compile();
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->runtime_label, "tensorrt");
  EXPECT_EQ(record->model, "net");
  EXPECT_EQ(record->model_id, "test-add-relu");
  EXPECT_TRUE(record->proven);
  EXPECT_GT(record->device_memory_bytes, 0U);
  EXPECT_EQ(record->options.at("provider"), "sil");
  EXPECT_EQ(record->options.at("build_route"), "builder");
  EXPECT_EQ(record->options.at("builder_flags"), "none");
  EXPECT_EQ(record->proof.at("plan.tag"), "ftrt");
  EXPECT_EQ(record->proof.at("plan.network_name"), "net");
  const auto decoded = decode_build_record(encode_build_record(*record));
  ASSERT_TRUE(is_ok(decoded));
  EXPECT_EQ(*decoded, *record);
  const std::string artifact = add_relu.artifact();
  EXPECT_EQ(record->engine_sha256, Sha256Sidecar::digest(bytes_of(artifact)));
  EXPECT_TRUE(is_ok(check_plan_header(bytes_of(artifact), HostTuple(), "plan")));
}

TEST(TensorrtCompile, GoldenVectorsComeFromAnotherRuntime) {
  TensorrtCompileCase mlp(mlp_model());
  const EngineRecord record = mlp.compile().value();
  EXPECT_THAT(record.golden.origin, HasSubstr("onnxruntime"));
  EXPECT_THAT(record.golden.origin, HasSubstr("optimiser off"));
  const auto golden = decode_golden(bytes_of(mlp.folder.read("staging/" + record.golden.file)));
  ASSERT_TRUE(is_ok(golden));
  EXPECT_EQ(golden->outputs.find("y")->view().shape, (Shape{1, 4}));
  EXPECT_EQ(record.proof.count("golden.max_abs.y"), 1U);
}

TEST(TensorrtCompile, SameModelGivesSameBytes) {
  TensorrtCompileCase mlp(mlp_model());
  ASSERT_TRUE(is_ok(mlp.compile()));
  const std::string first = mlp.artifact();
  ASSERT_TRUE(is_ok(mlp.compile()));
  EXPECT_EQ(mlp.artifact(), first);
}

TEST(TensorrtCompile, ExternalWeightsAreInsideThePlan) {
  const std::string weights = raw<float>({9, 9, 9, 9, 1, 2, 3, 4});
  TensorrtCompileCase external(OnnxWriter()
                                   .input("x", kFloat, {4})
                                   .output("y", kFloat, {4})
                                   .external_weights("w", kFloat, {4}, "weights/w.bin", 16, 16)
                                   .node("Add", {"x", "w"}, {"h"})
                                   .node("Relu", {"h"}, {"y"})
                                   .model());
  external.folder.write("model/weights/w.bin", weights);
  const auto record = external.compile();
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->sources.size(), 2U);
  EXPECT_NE(record->model_sha256, record->sources[0].sha256);
}

TEST(TensorrtCompile, ProfilesBecomeThePlansOwn) {
  TensorrtCompileCase rows(dynamic_relu_model());
  rows.request.build.optimization_profiles = {{"x", Shape{1, 4}, Shape{2, 4}, Shape{5, 4}}};
  const auto record = rows.compile();
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->inputs[0].max_shape, (Shape{5, 4}));
  EXPECT_EQ(record->outputs[0].shape, (Shape{-1, 3}));
  EXPECT_EQ(record->outputs[0].max_shape, (Shape{5, 3}));
  EXPECT_FALSE(record->outputs[0].data_dependent);
  EXPECT_EQ(record->profiles, rows.request.build.optimization_profiles);
}

TEST(TensorrtCompile, ProfilesThatDoNotFitAreRefusedBeforeTheBuild) {
  TensorrtCompileCase rows(dynamic_relu_model());
  const auto refused = [&](std::vector<OptimizationProfile> profiles) {
    rows.request.build.optimization_profiles = std::move(profiles);
    const auto result = rows.compile();
    EXPECT_EQ(sil::calls("IBuilder::buildSerializedNetwork"), 0);
    return is_error(result, ErrorCode::kInvalidArgument, Reason::kProfileMismatch);
  };
  const OptimizationProfile good{"x", Shape{1, 4}, Shape{2, 4}, Shape{5, 4}};
  EXPECT_TRUE(refused({}));
  EXPECT_TRUE(refused({good, {"ghost", Shape{1}, Shape{1}, Shape{1}}}));  // TensorRT takes it in silence
  EXPECT_TRUE(refused({{"x", Shape{1}, Shape{2}, Shape{5}}}));
  EXPECT_TRUE(refused({{"x", Shape{1, 5}, Shape{2, 5}, Shape{5, 5}}}));
}

TEST(TensorrtCompile, ProfileThatBeginsWithNothingRuns) {
  TensorrtCompileCase rows(dynamic_relu_model());
  rows.request.build.optimization_profiles = {{"x", Shape{0, 4}, Shape{2, 4}, Shape{5, 4}}};
  const auto record = rows.compile();
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->profiles[0].min, (Shape{0, 4}));
}

// TensorRT warns of it and builds.
TEST(TensorrtCompile, ProfileThatNoMemoryCanHoldIsRefused) {
  TensorrtCompileCase rows(dynamic_relu_model());
  rows.request.build.optimization_profiles = {
      {"x", Shape{1, 4}, Shape{2, 4}, Shape{std::int64_t{1} << 40, 4}}};
  EXPECT_TRUE(is_build_error(rows.compile(), Reason::kBuilderMemory, "17592186044416 bytes"));
}

TEST(TensorrtCompilePrecision, Fp16RecordsTheShareOfHalfLayers) {
  TensorrtCompileCase mlp(mlp_model(), Precision::kFp16);
  const auto record = mlp.compile();
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->options.at("builder_flags"), "fp16");
  EXPECT_GT(std::stoi(record->proof.at("layers.fp16")), 0);
  EXPECT_GE(std::stoi(record->proof.at("layers.float")), std::stoi(record->proof.at("layers.fp16")));
}

TEST(TensorrtCompilePrecision, NoHalfLayerIsNoFp16) {
  TensorrtCompileCase mlp(mlp_model(), Precision::kFp16);
  mlp.request.build.keep_fp32 = {"*"};
  EXPECT_TRUE(is_build_error(mlp.compile(), Reason::kPrecisionNotSupported, "none of"));
}

TEST(TensorrtCompilePrecision, KeptLayersAreReadBackFromTheEngine) {
  TensorrtCompileCase rows(dynamic_relu_model(), Precision::kFp16);
  rows.request.build.optimization_profiles = {{"x", Shape{1, 4}, Shape{2, 4}, Shape{5, 4}}};
  rows.request.build.keep_fp32 = {"prod*"};
  const auto record = rows.compile();
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->options.at("keep_fp32_layers"), "product");
  EXPECT_EQ(record->proof.at("keep_fp32.read_back"), "product");
  EXPECT_EQ(record->proof.at("keep_fp32.not_shown"), "none");
  EXPECT_EQ(record->proof.at("layers.fp16"), "1");
}

TEST(TensorrtCompilePrecision, DoubleWeightsAndHalfReferencesAreRefused) {
  TensorrtCompileCase doubles(OnnxWriter()
                                  .input("x", kFloat, {1})
                                  .output("y", kFloat, {1})
                                  .weights("w", kDouble, {1}, raw<double>({1}))
                                  .node("Cast", {"w"}, {"f"}, {onnx_integer_attribute("to", kFloat)})
                                  .node("Add", {"x", "f"}, {"y"})
                                  .model(),
                              Precision::kFp16);
  EXPECT_TRUE(is_build_error(doubles.compile(), Reason::kPrecisionNotSupported, "float64 weights ('w')"));
  TensorrtCompileCase half(half_mlp_model(), Precision::kFp32);
  EXPECT_TRUE(is_build_error(half.compile(), Reason::kPrecisionNotSupported, "float16"));
}

TEST(TensorrtCompileBadInput, RefusalsOfTheParserAreTold) {
  TensorrtCompileCase fancy(OnnxWriter()
                                .input("x", kFloat, {4})
                                .output("y", kFloat, {4})
                                .node("Fancy", {"x"}, {"y"}, {}, "first")
                                .model());
  EXPECT_TRUE(is_build_error(fancy.compile(), Reason::kModelUnsupported, "'first' (Fancy)"));
  TensorrtCompileCase text("hello world");
  EXPECT_TRUE(is_build_error(text.compile(), Reason::kModelMalformed, "text"));
}

TEST(TensorrtCompileFaults, WithoutADeviceThereIsAClearError) {
  TensorrtCompileCase mlp(mlp_model());
  sil::remove_driver();
  EXPECT_TRUE(
      is_error(mlp.compile(), ErrorCode::kRuntimeNotAvailable, Reason::kProviderNotAvailable, "--unproven"));
}

TEST(TensorrtCompileFaults, AnotherReleaseOfTheLibraryIsRefusedFirst) {
  TensorrtCompileCase mlp(mlp_model());
  sil::fail_call("getInferLibVersion", 0, 100400);
  EXPECT_TRUE(is_error(mlp.compile(), ErrorCode::kRuntimeNotAvailable, Reason::kSdkForeign, "found 10.4.0"));
  EXPECT_EQ(sil::calls("createInferBuilder"), 0);
}

TEST(TensorrtCompileFaults, BuilderThatAnswersNothing) {
  TensorrtCompileCase mlp(mlp_model());
  sil::fail_call("IBuilder::buildSerializedNetwork", 1, 10);
  EXPECT_TRUE(
      is_build_error(mlp.compile(), Reason::kModelUnsupported, "building net__sm0_jp0_trt0_fp32.engine"));
}

TEST(TensorrtCompileFaults, PlanThatCannotBeReadBack) {
  TensorrtCompileCase mlp(mlp_model());
  sil::fail_call("IRuntime::deserializeCudaEngine", 1, 1);
  const auto record = mlp.compile();
  ASSERT_FALSE(record.ok());
  EXPECT_EQ(record.error().code, ErrorCode::kEngineBuild);
  EXPECT_THAT(record.error().message, HasSubstr("net__sm0_jp0_trt0_fp32.engine"));
}

TEST(TensorrtCompileFaults, WorkspaceBeyondTheDeviceIsRefusedBeforeTheBuild) {
  TensorrtCompileCase mlp(mlp_model());
  sil::limit_device_memory(64U << 20U);
  sil::make_discrete();
  mlp.request.build.workspace_mb = 65;
  EXPECT_TRUE(is_error(mlp.compile(), ErrorCode::kOutOfMemory, Reason::kOutOfMemory, "workspace_mb"));
  EXPECT_EQ(sil::calls("IBuilder::buildSerializedNetwork"), 0);
  sil::limit_device_memory(std::size_t{8} << 30U);
}

/// While one lives, no file grows beyond this.
class FileLimit {
 public:
  explicit FileLimit(rlim_t bytes) {
    former_handler_ = std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &former_);
    const rlimit limit{bytes, former_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileLimit() {
    ::setrlimit(RLIMIT_FSIZE, &former_);
    std::signal(SIGXFSZ, former_handler_);
  }
  FileLimit(const FileLimit&) = delete;
  FileLimit& operator=(const FileLimit&) = delete;

 private:
  rlimit former_{};
  void (*former_handler_)(int) = nullptr;
};

// TensorRT's own writer takes a short write for a success; Skua writes the plan itself.
TEST(TensorrtCompileFaults, PlanThatDoesNotFitOnTheDiskIsAnError) {
  TensorrtCompileCase mlp(mlp_model());
  ASSERT_TRUE(is_ok(mlp.compile()));
  Result<EngineRecord> record = Error{};
  {
    const FileLimit limit(mlp.artifact().size() - 1);
    record = mlp.compile();
  }
  EXPECT_EQ(sil::calls("IBuilder::buildSerializedNetwork"), 2);
  ASSERT_FALSE(record.ok());
  EXPECT_EQ(record.error().reason, Reason::kDiskFull) << record.error().describe();
}

TEST(TensorrtCompileUnproven, NeedsNoDriver) {
  TensorrtCompileCase mlp(mlp_model());
  mlp.request.unproven = true;
  sil::remove_driver();
  const auto record = mlp.compile();
  ASSERT_TRUE(is_ok(record));
  EXPECT_FALSE(record->proven);
  EXPECT_EQ(record->proof.at("unproven"), "never deserialised");
}

TEST(TensorrtCompileUnproven, StopsAfterThePlan) {
  TensorrtCompileCase mlp(mlp_model());
  mlp.request.unproven = true;
  const auto record = mlp.compile();
  ASSERT_TRUE(is_ok(record));
  EXPECT_FALSE(record->proven);
  EXPECT_EQ(sil::calls("IRuntime::deserializeCudaEngine"), 0);
  EXPECT_TRUE(is_ok(decode_build_record(encode_build_record(*record))));
}

// --- stopping ---

/// Asks for the build's end, as the parent process does, at TensorRT's first line.
class Stopper final : public CompileProgress {
 public:
  void step(std::string_view text) override {
    if (text.starts_with("TensorRT: ")) std::raise(SIGTERM);
  }
};

TEST(TensorrtCompileStop, BuildIsCancelledAtTheNextStep) {
  TensorrtCompileCase mlp(mlp_model());
  std::filesystem::create_directory(mlp.request.staging_dir);
  Stopper stopper;
  EXPECT_TRUE(is_build_error(tensorrt::compile_tensorrt(mlp.request, stopper), Reason::kCancelled));
  EXPECT_EQ(sil::calls("IBuilder::buildSerializedNetwork"), 1);  // begun, and ended in order
  EXPECT_FALSE(std::filesystem::exists(mlp.request.staging_dir / mlp.request.artifact_name));
}

TEST(TensorrtCompileStop, NothingIsBuiltWhenTheTimeIsOver) {
  TensorrtCompileCase mlp(mlp_model());
  mlp.request.config.trtexec_timeout_s = 0;
  EXPECT_TRUE(is_build_error(mlp.compile(), Reason::kBuilderTimeout, "trtexec_timeout_s"));
  EXPECT_EQ(sil::calls("IBuilder::buildSerializedNetwork"), 0);
}

// The steps by hand: nobody but the builder's own monitor looks at the time.
TEST(TensorrtCompileStop, BuildEndsByItselfWhenItsTimeIsOver) {
  TensorrtCompileCase mlp(mlp_model());
  mlp.request.config.trtexec_timeout_s = 0;
  SilentProgress progress;
  tensorrt::CompileState state(mlp.request, progress, tensorrt::library_facts().value());
  ASSERT_TRUE(is_ok(prepare_build(state)));
  EXPECT_TRUE(is_build_error(tensorrt::build_plan(state), Reason::kBuilderTimeout, "trtexec_timeout_s"));
  EXPECT_THAT(progress.steps, Contains(testing::StartsWith("TensorRT: ")));  // it had begun
  EXPECT_FALSE(std::filesystem::exists(state.artifact_path()));
}

// --- timing caches ---

class TimingCase : public TensorrtCompileCase {
 public:
  TimingCase() : TensorrtCompileCase(mlp_model()) {
    request.config.engine_cache_dir = folder.path() / "cache";
    std::filesystem::create_directory(request.config.engine_cache_dir);
  }
  /// As compile_model does after a build.
  void keep() {
    std::filesystem::copy_file(request.staging_dir / (request.artifact_name + ".timing"), path(),
                               std::filesystem::copy_options::overwrite_existing);
  }
  std::filesystem::path path() const {
    return request.config.engine_cache_dir / timing_cache_name(request.artifact_name);
  }
  std::string proof() { return compile().value().proof.at("timing_cache"); }
};

TEST(TensorrtTimingCache, IsUsedTheNextTime) {
  TimingCase mlp;
  EXPECT_EQ(mlp.path().filename(), "net__sm0_jp0_trt0_fp32.timing_cache");
  EXPECT_EQ(mlp.proof(), "none");
  mlp.keep();
  EXPECT_EQ(mlp.proof(), "used");
}

TEST(TensorrtTimingCache, OfAnotherHostIsNotUsed) {
  TimingCase mlp;
  ASSERT_EQ(mlp.proof(), "none");
  mlp.keep();
  mlp.request.host.sm_count = 8;
  EXPECT_EQ(mlp.proof(), "not used");
}

TEST(TensorrtTimingCache, GarbageThatTensorrtTakesAsEmptyIsNoticed) {
  TimingCase mlp;
  ASSERT_EQ(mlp.proof(), "none");
  const EngineRecord record = mlp.compile().value();
  // The right key around a wrong blob: only TensorRT can tell, and does so in its log alone.
  const std::string device = record.proof.at("device");
  const std::string key =
      tensorrt::timing_key(mlp.request.host, record.options.at("sdk_version") + " " + device);
  const auto file = tensorrt::encode_timing_cache(bytes_of("garbage"), key);
  mlp.folder.write("cache/" + mlp.path().filename().string(),
                   std::string(reinterpret_cast<const char*>(file.data()), file.size()));
  EXPECT_EQ(mlp.proof(), "refused by TensorRT");
}

TEST(TensorrtTimingCache, OneThatIsNotKeptIsAWarning) {
  TimingCase mlp;
  std::filesystem::create_directory(mlp.request.staging_dir);
  sil::fail_call("IBuilder::createBuilderConfig", 2, 2);  // the first is the build's
  SilentProgress progress;
  EXPECT_TRUE(is_ok(tensorrt::compile_tensorrt(mlp.request, progress)));
  EXPECT_THAT(progress.steps, testing::Contains(testing::HasSubstr("warning: the timing cache is not kept")));
  EXPECT_FALSE(std::filesystem::exists(mlp.request.staging_dir / (mlp.request.artifact_name + ".timing")));
}

}  // namespace
}  // namespace skua::test
