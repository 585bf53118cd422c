// compile_model with a builder that a network has taken over: its answer is well formed, and wrong on
// purpose.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "inference/compile.h"
#include "inference/compile_job.h"
#include "tests/unit/cache/cache_fixture.h"
#include "verdicts.h"

namespace skua::test {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class Events final : public EventSink {
 public:
  void emit(const Event& event) noexcept override { kinds.emplace_back(event.kind); }
  std::vector<std::string> kinds;
};

class HostileResponse : public ::testing::Test {
 protected:
  HostileResponse() {
    context_.config.runtime = "tensorrt";
    context_.config.engine_cache_dir = root_.path() / "cache";
    context_.host = orin();
    context_.events = &events_;
    root_.write("net.onnx", "model");
    fs::create_directory(root_.path() / "cache");
    other_ = publish_plan(root_.path() / "cache", plan_record("other"));
    record_ = plan_record("net");
    record_.build_config_sha256 = build_key(build_, context_.config).value();
  }

  /// The builder says `lines`, leaves what a builder leaves, and then does `more` in the staging folder.
  Result<EngineRecord> compile(const std::string& lines, const std::string& more = "true") {
    root_.write("answer/response.json", encode_response(record_));
    root_.write("answer/" + record_.file, plan_bytes());
    root_.write("answer/" + record_.golden.file, golden_bytes());
    context_.build_executable =
        root_.write("builder.sh", "#!/bin/sh\nprintf '" + lines + "'\ncd $(dirname $2) && cp " +
                                      (root_.path() / "answer").string() + "/* . && " + more + "\n");
    fs::permissions(context_.build_executable, fs::perms::owner_all);
    return compile_model(root_.path() / "net.onnx", build_, context_);
  }
  bool is_other_untouched() const {
    return root_.read("cache/" + other_.file) == plan_bytes() &&
           root_.read("cache/" + other_.golden.file) == golden_bytes() &&
           root_.has("cache/" + sidecar_name(other_.file));
  }

  TempFolder root_;
  Events events_;
  CompileContext context_;
  BuildConfig build_;
  EngineRecord record_, other_;
};

constexpr const char* kWhole = "confinement: landlock 7, seccomp, limits\\n";

TEST_F(HostileResponse, ControlAnHonestOneIsPublished) {
  const auto published = compile(kWhole);
  ASSERT_TRUE(is_ok(published));
  EXPECT_EQ(published->proof.at("confinement"), "landlock 7, seccomp, limits");
  EXPECT_THAT(events_.kinds, Not(Contains("c7.build_unconfined")));
}

TEST_F(HostileResponse, CannotOverwriteAnotherEngine) {
  record_.golden.file = other_.file;
  EXPECT_TRUE(is_build_error(compile(kWhole), Reason::kBuilderCrashed, "do not trust this network"));
  EXPECT_TRUE(is_other_untouched());
}

TEST_F(HostileResponse, CannotSayHowItIsConfinedOnceTheNetworkCanSpeak) {
  record_.proof["confinement"] = "landlock 7, seccomp, limits";
  const auto limited = compile(std::string("confinement: limits\\n") + kWhole);
  ASSERT_TRUE(is_ok(limited));
  EXPECT_EQ(limited->proof.at("confinement"), "limits");
  EXPECT_THAT(events_.kinds, Contains("c7.build_unconfined").Times(1));
}

TEST_F(HostileResponse, BuilderThatSaysNothingIsNotTakenForAConfinedOne) {
  const auto silent = compile("");
  ASSERT_TRUE(is_ok(silent));
  EXPECT_EQ(silent->proof.at("confinement"), "none");
  const auto talking = compile(std::string("something\\n") + kWhole);
  ASSERT_TRUE(is_ok(talking));
  EXPECT_EQ(talking->proof.at("confinement"), "none");
  EXPECT_THAT(events_.kinds, Contains("c7.build_unconfined").Times(2));
}

// What no Landlock kept it from leaving.
TEST_F(HostileResponse, OddFilesInTheStagingFolderHarmNobody) {
  const std::string engine = record_.file, golden = record_.golden.file;
  for (const std::string& trick : std::vector<std::string>{
           "rm " + engine + " && mkfifo " + engine, "ln -sf /etc/hostname " + engine,
           "rm " + golden + " && mkdir " + golden, "rm response.json && mkfifo response.json",
           "ln -sf /dev/zero response.json"}) {
    EXPECT_FALSE(compile(kWhole, trick).ok()) << trick;
    EXPECT_FALSE(root_.has("cache/" + engine)) << trick;
  }
  EXPECT_TRUE(is_ok(compile(kWhole, "mkdir -p $(printf 'd/%.0s' $(seq 200)) && chmod 0 d")));
  for (const auto& entry : fs::directory_iterator(root_.path() / "cache"))
    EXPECT_THAT(entry.path().filename().string(), Not(HasSubstr(".staging")));
  EXPECT_TRUE(is_other_untouched());
}

}  // namespace
}  // namespace skua::test
