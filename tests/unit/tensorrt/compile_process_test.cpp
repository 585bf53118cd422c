// The whole way: compile_model starts the build executable, which opens the compiler module; what it
// publishes, and what becomes of a builder that crashes or is cancelled.
#include <atomic>
#include <fstream>

#include "cache/engine_verify.h"
#include "compile_fixture.h"
#include "core/buffer.h"
#include "core/hash.h"
#include "inference/compile.h"
#include "inference/compile_process.h"
#include "inference/module_loader.h"
#include "inference/module_open.h"

namespace skua::test {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

class Events final : public EventSink {
 public:
  void emit(const Event& event) noexcept override {
    lines.push_back(std::string(event.kind) + " " + event.message);
    if (on_line) on_line(event);
  }
  std::vector<std::string> lines;
  std::function<void(const Event&)> on_line;
};

class CompileInChild : public testing::Test {
 protected:
  CompileInChild() {
    context_.config = tensorrt_config();
    context_.config.engine_cache_dir = folder_.path() / "cache";
    context_.events = &events_;
    build_.precision = Precision::kFp32;
    folder_.write("model/net.onnx", mlp_model());
  }
  Result<EngineRecord> compile() {
    return compile_model(folder_.path() / "model/net.onnx", build_, context_);
  }

  /// skua-build with orders for the stand-in.
  void order(const std::string& orders) {
    context_.build_executable =
        folder_.write("builder.sh", "#!/bin/sh\nSKUA_SIL_FAULTS='" + orders + "' exec " +
                                        default_build_executable().string() + " \"$@\"\n");
    std::filesystem::permissions(context_.build_executable, std::filesystem::perms::owner_all);
  }
  std::vector<std::string> published() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(context_.config.engine_cache_dir))
      names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
  Status judged(const EngineRecord& record) {
    const auto cache = posix_file_system().open_folder(context_.config.engine_cache_dir).value();
    Buffer piece = Buffer::allocate(kHashPieceBytes).value();
    const EngineExpectation expected{record.file, std::nullopt, record.precision, context_.host, true};
    return judge_cached(*cache, expected, piece.bytes());
  }

  TempFolder folder_;
  Events events_;
  CompileContext context_;
  BuildConfig build_;
};

TEST_F(CompileInChild, PublishesAnEngineThatTheGateAccepts) {
  const auto record = compile();
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->file, "net__sm0_jp0_trt0_fp32.engine");
  EXPECT_TRUE(is_ok(judged(*record)));
  EXPECT_THAT(published(), testing::ElementsAre(
                               "net__sm0_jp0_trt0_fp32.engine", "net__sm0_jp0_trt0_fp32.engine.golden",
                               "net__sm0_jp0_trt0_fp32.engine.json", "net__sm0_jp0_trt0_fp32.engine.sha256",
                               "net__sm0_jp0_trt0_fp32.timing_cache"));
  EXPECT_THAT(events_.lines, Contains(HasSubstr("c7.build_progress TensorRT: ")));
}

TEST_F(CompileInChild, TimingCacheServesTheNextBuild) {
  EXPECT_EQ(compile().value().proof.at("timing_cache"), "none");
  EXPECT_EQ(compile().value().proof.at("timing_cache"), "used");
  EXPECT_THAT(events_.lines, testing::Not(Contains(HasSubstr("c7.build_warning"))));
}

TEST_F(CompileInChild, DamagedTimingCacheIsAWarningAndNoError) {
  ASSERT_TRUE(is_ok(compile()));
  folder_.write("cache/net__sm0_jp0_trt0_fp32.timing_cache", "garbage");
  EXPECT_EQ(compile().value().proof.at("timing_cache"), "not used");
  EXPECT_THAT(events_.lines, Contains(HasSubstr("c7.build_warning")));
  EXPECT_EQ(compile().value().proof.at("timing_cache"), "used");  // the good one has taken its place
}

TEST_F(CompileInChild, NoGateAcceptsAnUnprovenPlan) {
  context_.unproven = true;
  const auto record = compile();
  ASSERT_TRUE(is_ok(record));
  EXPECT_FALSE(record->proven);
  EXPECT_TRUE(
      is_error(judged(*record), ErrorCode::kEngineDeserialize, Reason::kEngineUnproven, "--unproven"));
}

TEST_F(CompileInChild, CrashOfTheBuilderIsAnErrorWithItsLastLines) {
  order("crash_builder");
  EXPECT_TRUE(is_build_error(compile(), Reason::kBuilderCrashed, "signal"));
  EXPECT_THAT(published(), IsEmpty());
}

TEST_F(CompileInChild, BuilderThatHangsIsEndedWhenItsTimeIsOver) {
  context_.config.trtexec_timeout_s = 2;
  order("hang:IBuilder::buildSerializedNetwork:1");
  EXPECT_TRUE(is_build_error(compile(), Reason::kBuilderTimeout, "trtexec_timeout_s"));
  EXPECT_THAT(published(), IsEmpty());
}

// As the kernel does when there is no memory left.
TEST_F(CompileInChild, BuilderThatIsKilledIsAnErrorWithItsLastLines) {
  context_.build_executable = folder_.write("killed.sh", "#!/bin/sh\necho last words >&2; kill -KILL $$\n");
  std::filesystem::permissions(context_.build_executable, std::filesystem::perms::owner_all);
  EXPECT_TRUE(is_build_error(compile(), Reason::kBuilderCrashed, "last words"));
  EXPECT_THAT(published(), IsEmpty());
}

TEST_F(CompileInChild, FloodOfLogLinesHarmsNothing) {
  order("flood_log:20000");
  EXPECT_TRUE(is_ok(compile()));
}

/// A copy of the library beside the compiler of this runtime alone: golden vectors have no other source then.
std::filesystem::path lone_compiler(const TempFolder& folder) {
  namespace fs = std::filesystem;
  const fs::path lone = folder.path() / "lone", installed = library_folder();
  fs::create_directory(lone);
  fs::copy_file(installed / "libskua.so.0", lone / "libskua.so.0");  // it looks where it itself lies
  const fs::path module = module_file(installed, "compiler", "tensorrt");
  fs::create_symlink(module, lone / module.filename());
  return lone;
}

TEST_F(CompileInChild, WithoutAnotherRuntimeGoldenVectorsMustBeGiven) {
  const EngineRecord usual = compile().value();
  const auto golden = folder_.write("own.golden", folder_.read("cache/" + usual.golden.file));
  context_.build_executable =
      folder_.write("builder.sh", "#!/bin/sh\nLD_LIBRARY_PATH=" + lone_compiler(folder_).string() + " exec " +
                                      default_build_executable().string() + " \"$@\"\n");
  std::filesystem::permissions(context_.build_executable, std::filesystem::perms::owner_all);
  const auto refused = compile();
  ASSERT_TRUE(is_build_error(refused, Reason::kReferenceUnavailable, "onnx_trt_ep"));
  EXPECT_THAT(refused.error().message,
              HasSubstr("install it, or give golden vectors of your own (build.golden)"));
  build_.golden = GoldenSource{golden, "by hand"};
  const auto record = compile();
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->golden.origin, "by hand");
}

TEST_F(CompileInChild, CancellingLeavesNothing) {
  std::atomic<bool> cancel{false};
  context_.cancel_requested = &cancel;
  events_.on_line = [&](const Event& event) {
    if (event.message.find("TensorRT: ") != std::string::npos) cancel = true;
  };
  EXPECT_TRUE(is_build_error(compile(), Reason::kCancelled));
  EXPECT_THAT(published(), IsEmpty());
}

}  // namespace
}  // namespace skua::test
