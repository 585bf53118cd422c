// Opening the library, its refusals, and that it stays quiet.
#include <cstdlib>
#include <filesystem>

#include "ort_fixture.h"
#include "runtimes/onnxruntime/onnx_trt_ep_runtime.h"

namespace skua::test {
namespace {

std::size_t thread_count() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

TEST(OrtLibrary, OpensTheOneFixedAtConfigureTime) {
  const auto library = real_library();
  EXPECT_EQ(library->version().substr(0, 5), "1.23.");
  EXPECT_TRUE(library->path().is_absolute());
  EXPECT_THAT(library->providers().value(), testing::Contains("CPUExecutionProvider"));
}

TEST(OrtLibrary, MissingFileIsSdkMissing) {
  EXPECT_TRUE(is_error(ort::OrtLibrary::open("/nonexistent/libonnxruntime.so"),
                       ErrorCode::kRuntimeNotAvailable, Reason::kSdkMissing,
                       "/nonexistent/libonnxruntime.so"));
}

TEST(OrtLibrary, RelativePathIsRefusedNotSearchedFor) {
  EXPECT_TRUE(is_error(ort::OrtLibrary::open("libonnxruntime.so"), ErrorCode::kRuntimeNotAvailable,
                       Reason::kSdkMissing, "absolute"));
}

TEST(OrtLibrary, AnotherLibraryIsForeign) {
  TempFolder folder;
  const auto text = folder.write("libonnxruntime.so", "not a library");
  EXPECT_TRUE(
      is_error(ort::OrtLibrary::open(text), ErrorCode::kRuntimeNotAvailable, Reason::kSdkMissing, text));
  // A real library without ONNX Runtime's entry point.
  EXPECT_TRUE(is_error(ort::OrtLibrary::open(SKUA_PLAIN_LIBRARY), ErrorCode::kRuntimeNotAvailable,
                       Reason::kSdkForeign, "not ONNX Runtime"));
}

TEST(OrtLibrary, AnotherReleaseIsForeignAndBothAreNamed) {
  const auto library = ort::OrtLibrary::open(SKUA_FOREIGN_LIBRARY);
  EXPECT_TRUE(is_error(library, ErrorCode::kRuntimeNotAvailable, Reason::kSdkForeign, "1.99.0"));
  EXPECT_NE(library.error().message.find("1.23"), std::string::npos);
}

TEST(OrtLibrary, TelemetryIsSwitchedOffBeforeTheLibraryIsOpened) {
  unsetenv("ORT_DISABLE_TELEMETRY");
  (void)ort::OrtLibrary::open("/nonexistent/libonnxruntime.so");
  const char* value = std::getenv("ORT_DISABLE_TELEMETRY");
  ASSERT_NE(value, nullptr);
  EXPECT_STREQ(value, "1");
}

TEST(OrtLibrary, NoThreadIsStartedWithOneThreadConfigured) {
  CompileCase add_relu(add_relu_model());
  Loaded loaded = load(add_relu);
  ASSERT_TRUE(is_ok(loaded.execution->run(std::nullopt)));
  EXPECT_EQ(thread_count(), 1U);
}

// The control: the count does see ONNX Runtime's threads.
TEST(OrtLibrary, ConfiguredThreadsAreStarted) {
  CompileCase add_relu(add_relu_model());
  const EngineRecord record = add_relu.compile().value();
  RuntimeConfig config = cpu_config();
  config.intra_op_threads = 3;
  const std::string artifact = add_relu.artifact();
  const auto engine = ort::load_engine(real_library(), config, bytes_of(artifact), record).value();
  EXPECT_GE(thread_count(), 3U);  // the thread sanitizer adds one of its own
}

TEST(OrtLibrary, LogCaptureTakesTheLinesOfItsThreadOnly) {
  ort::LogCapture outer;
  outer.add("a");
  {
    ort::LogCapture inner;
    inner.add("b");
    EXPECT_EQ(inner.text(), "b");
  }
  for (int i = 0; i < 20; ++i) outer.add("line");
  EXPECT_EQ(outer.text().find('a'), std::string::npos) << "only the last lines are kept";
}

TEST(OnnxTrtEpRuntime, CpuIsAvailable) {
  RuntimeEnvironment environment;
  environment.config = cpu_config();
  const auto runtime = ort::create_runtime(environment);
  ASSERT_TRUE(is_ok(runtime));
  EXPECT_EQ((*runtime)->current_runtime_label(), "onnx_trt_ep");
}

// The real library's real refusal: this wheel has no GPU provider. Where one is installed this test does not
// apply.
TEST(OnnxTrtEpRuntime, GpuProvidersAreRefusedWithTheLibrarysOwnText) {
  const auto providers = real_library()->providers().value();
  for (const std::string provider : {"tensorrt", "cuda"}) {
    if (testing::Value(providers, testing::Contains(std::string(ort::provider_name(provider))))) GTEST_SKIP();
    RuntimeEnvironment environment;
    environment.config = cpu_config();
    environment.config.execution_provider = provider;
    const auto runtime = ort::create_runtime(environment);
    EXPECT_TRUE(is_error(runtime, ErrorCode::kRuntimeNotAvailable, Reason::kProviderNotAvailable, provider));
    EXPECT_NE(runtime.error().message.find("ONNX Runtime refused"), std::string::npos);
    EXPECT_NE(runtime.error().native_code, 0);
  }
}

TEST(OnnxTrtEpRuntime, ProbeNamesTheLibrary) {
  const auto info = ort::probe_sdk(cpu_config());
  ASSERT_TRUE(is_ok(info));
  EXPECT_EQ(info->version.substr(0, 5), "1.23.");
  EXPECT_FALSE(info->library_path.empty());
}

}  // namespace
}  // namespace skua::test
