// The build executable may crash, hang, flood or be killed: the caller gets an error and nothing else. Shell
// scripts stand for builders here, because they can be made to misbehave.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include "inference/compile_process.h"
#include "temp_folder.h"

namespace skua::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Whether a killed process is gone, or waits for its reaper, before a bounded number of looks.
bool ends_soon(int pid) {
  for (int look = 0; look < 1000000; ++look) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string id, name, state;
    if (!(stat >> id >> name >> state) || state == "Z" || state == "X") return true;
    std::this_thread::yield();
  }
  return false;
}

class CompileProcessTest : public ::testing::Test {
 protected:
  BuildProcess builder(const std::string& script) {
    const auto path = root_.path() / "builder.sh";
    std::ofstream(path) << "#!/bin/sh\n" << script << "\n";
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    BuildProcess process;
    process.executable = path;
    process.request = root_.path() / "request.json";
    process.response = root_.path() / "response.json";
    process.log = root_.path() / "build.log";
    process.timeout = std::chrono::seconds(60);
    return process;
  }

  TempFolder root_;
};

TEST_F(CompileProcessTest, OrderlyEndIsSuccessAndProgressArrivesByLine) {
  BuildProcess process = builder("echo one; echo two; echo noise >&2");
  std::vector<std::string> lines;
  process.on_progress = [&](std::string_view line) { lines.emplace_back(line); };
  const Status status = run_build_process(process);
  ASSERT_TRUE(status.ok()) << status.error().describe();
  EXPECT_THAT(lines, ElementsAre("one", "two"));
  EXPECT_EQ(log_tail(process.log), "noise\n");
}

TEST_F(CompileProcessTest, CrashIsAnErrorWithSignalAndLog) {
  const Status status = run_build_process(builder("echo last words >&2; kill -SEGV $$"));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kEngineBuild);
  EXPECT_EQ(status.error().reason, Reason::kBuilderCrashed);
  EXPECT_THAT(status.error().message, HasSubstr("signal 11"));
  EXPECT_THAT(status.error().message, HasSubstr("last words"));
}

TEST_F(CompileProcessTest, NonZeroExitIsAnError) {
  const Status status = run_build_process(builder("exit 7"));
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().message, HasSubstr("status 7"));
}

TEST_F(CompileProcessTest, BuilderWithoutRoomForItsResponseMeansDiskFull) {
  EXPECT_EQ(run_build_process(builder("exit 28")).error().reason, Reason::kDiskFull);
  EXPECT_EQ(run_build_process(builder("exit 27")).error().reason, Reason::kBuilderCrashed);
}

TEST_F(CompileProcessTest, FullDiskIsCalledSo) {
  const Status status = run_build_process(builder("exit " + std::to_string(kBuilderDiskFullStatus)));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().reason, Reason::kDiskFull);
}

TEST_F(CompileProcessTest, HangEndsAtTheTimeoutWithTheWholeGroup) {
  BuildProcess process = builder("sh -c 'echo $$ > " + (root_.path() / "grandchild").string() +
                                 "; while :; do :; done' & echo started; wait");
  process.on_progress = [&](std::string_view) { process.timeout = std::chrono::seconds(0); };
  process.timeout = std::chrono::seconds(1);
  const Status status = run_build_process(process);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().reason, Reason::kBuilderTimeout);
  std::ifstream stream(root_.path() / "grandchild");
  int grandchild = 0;
  if (stream >> grandchild) {
    EXPECT_TRUE(ends_soon(grandchild));
  }
}

TEST_F(CompileProcessTest, ACallerWithoutMemoryLeavesNoBuilderBehind) {
  BuildProcess process = builder("echo $$; exec sleep 60");  // an end of its own, if nobody ends it
  int child = 0;
  process.on_progress = [&](std::string_view line) {
    child = std::stoi(std::string(line));
    throw std::bad_alloc();
  };
  EXPECT_THROW(run_build_process(process), std::bad_alloc);
  ASSERT_GT(child, 0);
  EXPECT_TRUE(ends_soon(child));
}

/// As in a host that lets the kernel reap, or waits for any child: nobody learns how the build ended, and its
/// number may be another process's.
TEST_F(CompileProcessTest, AnEndThatSomebodyElseSawIsAnErrorAtOnce) {
  const auto former = ::signal(SIGCHLD, SIG_IGN);
  const auto begun = std::chrono::steady_clock::now();
  const Status status = run_build_process(builder("exit 0"));
  ::signal(SIGCHLD, former);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().reason, Reason::kBuilderCrashed);
  EXPECT_THAT(status.error().message, HasSubstr("SIGCHLD"));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(30)) << "the timeout is 60 s";
  EXPECT_TRUE(run_build_process(builder("exit 0")).ok()) << "the control";
}

TEST_F(CompileProcessTest, CancellationStopsIt) {
  BuildProcess process = builder("echo started; while :; do :; done");
  std::atomic<bool> cancel{false};
  process.cancel_requested = &cancel;
  process.on_progress = [&](std::string_view) { cancel = true; };
  const Status status = run_build_process(process);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().reason, Reason::kCancelled);
}

TEST_F(CompileProcessTest, BuilderIsAskedToEndBeforeItIsKilled) {
  const auto ended = root_.path() / "ended";
  BuildProcess process =
      builder("trap 'echo orderly > " + ended.string() + "; exit 0' TERM; echo started; while :; do :; done");
  bool is_started = false;
  process.on_progress = [&](std::string_view) { is_started = true; };
  process.stop_requested = [&] { return is_started; };
  EXPECT_EQ(run_build_process(process).error().reason, Reason::kCancelled);
  EXPECT_TRUE(std::filesystem::exists(ended));
}

TEST_F(CompileProcessTest, BuilderThatDoesNotHeedIsKilled) {
  BuildProcess process = builder("trap '' TERM; echo $$; while :; do :; done");
  int builder_pid = 0;
  process.on_progress = [&](std::string_view line) { builder_pid = std::stoi(std::string(line)); };
  process.stop_requested = [&] { return builder_pid != 0; };
  EXPECT_EQ(run_build_process(process).error().reason, Reason::kCancelled);
  EXPECT_TRUE(ends_soon(builder_pid));
}

TEST_F(CompileProcessTest, MissingExecutableIsNamed) {
  BuildProcess process = builder("true");
  process.executable = root_.path() / "absent";
  const Status status = run_build_process(process);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().reason, Reason::kBuilderMissing);
  EXPECT_THAT(status.error().message, HasSubstr("absent"));
}

TEST_F(CompileProcessTest, EnvironmentIsCleanAndStdinIsEmpty) {
  const auto report = root_.path() / "report";
  const Status status = run_build_process(builder("env | cut -d= -f1 | sort | tr '\\n' ' ' > " +
                                                  report.string() + "; wc -c >> " + report.string()));
  ASSERT_TRUE(status.ok());
  std::ifstream stream(report);
  std::string line;
  std::getline(stream, line);
  // PWD and its like are the shell's own.
  EXPECT_THAT(line, HasSubstr("ORT_DISABLE_TELEMETRY"));
  EXPECT_THAT(line, ::testing::Not(HasSubstr("HOME")));
  EXPECT_THAT(line, HasSubstr("0"));
}

TEST_F(CompileProcessTest, LackOfMemoryIsNamed) {
  const Status said = run_build_process(builder("exit " + std::to_string(kBuilderMemoryStatus)));
  EXPECT_EQ(said.error().reason, Reason::kBuilderMemory);
  EXPECT_THAT(said.error().message, HasSubstr("build_memory_mb"));
  const std::string gave_up =
      "echo \"terminate called after throwing an instance of 'std::bad_alloc'\" >&2; ";
  EXPECT_EQ(run_build_process(builder(gave_up + "kill -ABRT $$")).error().reason, Reason::kBuilderMemory);
  EXPECT_EQ(run_build_process(builder("kill -ABRT $$")).error().reason, Reason::kBuilderCrashed);
}

// Nobody can tell who has sent it.
TEST_F(CompileProcessTest, KilledMayMeanThatMemoryRanOut) {
  const Status killed = run_build_process(builder("kill -KILL $$"));
  EXPECT_EQ(killed.error().reason, Reason::kBuilderCrashed);
  EXPECT_THAT(killed.error().message, HasSubstr("somebody sent, or the kernel because memory ran out"));
}

TEST_F(CompileProcessTest, LogThatIsNoFileAnyMoreIsNotRead) {
  const std::string log = (root_.path() / "build.log").string();
  const auto secret = root_.write("secret", "not for you");
  for (const std::string& trick :
       {"rm " + log + "; mkfifo " + log, "ln -sf " + secret.string() + " " + log}) {
    const Status status = run_build_process(builder(trick + "; exit 7"));
    ASSERT_FALSE(status.ok());
    EXPECT_THAT(status.error().message, HasSubstr("status 7"));
    EXPECT_THAT(status.error().message, ::testing::Not(HasSubstr("not for you")));
    std::filesystem::remove(log);
  }
}

TEST_F(CompileProcessTest, NoDescriptorOfTheCallersIsInherited) {
  constexpr int kHigh = 199;  // none that a shell would take for itself
  const int folder = ::open(root_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const int leaked = ::fcntl(folder, F_DUPFD, kHigh);  // not close-on-exec
  ::close(folder);
  ASSERT_GE(leaked, kHigh);
  const Status status = run_build_process(builder("ls /proc/self/fd | tr '\\n' ' ' >&2"));
  ::close(leaked);
  ASSERT_TRUE(status.ok());
  const std::string found = log_tail(root_.path() / "build.log");
  EXPECT_THAT(found, ::testing::StartsWith("0 1 2 "));
  EXPECT_THAT(found, ::testing::Not(HasSubstr(std::to_string(leaked))));
}

TEST_F(CompileProcessTest, BuilderHasASessionOfItsOwnAndNoTerminal) {
  const Status status = run_build_process(builder("cut -d' ' -f1,6,7 /proc/$$/stat >&2"));
  ASSERT_TRUE(status.ok());
  std::istringstream words(log_tail(root_.path() / "build.log"));
  int pid = 0, session = 0, terminal = -1;
  ASSERT_TRUE(words >> pid >> session >> terminal);
  EXPECT_EQ(pid, session);
  EXPECT_EQ(terminal, 0);
}

TEST_F(CompileProcessTest, EndlessLineDoesNotGrowMemoryAndDoesNotBlock) {
  const Status status = run_build_process(builder("head -c 3000000 /dev/zero | tr '\\0' 'x'"));
  EXPECT_TRUE(status.ok());
}

}  // namespace
}  // namespace skua::test
