// A tool may fail, crash, hang, or leave children behind. Shell scripts stand for tools, because they can be
// made to.
#include "compile/tool_process.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "becomes.h"
#include "compile_fixture.h"

namespace skua::test {
namespace {

using compile::run_tool;
using compile::ToolProcess;

class ToolProcessTest : public testing::Test {
 protected:
  ToolProcess tool(const std::string& script) {
    ToolProcess process;
    process.executable = folder_.write("tool.sh", "#!/bin/sh\n" + script + "\n");
    std::filesystem::permissions(process.executable, std::filesystem::perms::owner_all);
    process.working_folder = folder_.path();
    process.log = folder_.path() / "tool.log";
    process.deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    return process;
  }
  /// Whether a killed process ends; it may wait for its reaper.
  bool ends(const std::string& file) {
    const std::string pid = folder_.read(file);
    return becomes([&pid] {
      std::error_code ignored;
      return !std::filesystem::exists("/proc/" + pid.substr(0, pid.size() - 1) + "/exe", ignored);
    });
  }
  TempFolder folder_;
};

TEST_F(ToolProcessTest, TellsStatusAndLastLine) {
  const auto end = run_tool(tool("echo one; echo two >&2; echo; exit 3"));
  ASSERT_TRUE(is_ok(end));
  EXPECT_EQ(end->exit_status, 3);
  EXPECT_EQ(end->signal, 0);
  EXPECT_EQ(end->last_line, "two");
}

TEST_F(ToolProcessTest, WordsArriveAsTheyAre) {
  ToolProcess process = tool("for word in \"$@\"; do echo \"<$word>\"; done");
  process.arguments = {"a b", "$HOME", "*", "'x'", ""};
  ASSERT_TRUE(is_ok(run_tool(process)));
  EXPECT_EQ(folder_.read("tool.log"), "<a b>\n<$HOME>\n<*>\n<'x'>\n<>\n");
}

TEST_F(ToolProcessTest, EnvironmentIsCleanAndInputEmpty) {
  ::setenv("SKUA_TEST_SECRET", "1", 1);
  ToolProcess process = tool("/usr/bin/env | /usr/bin/sort; cat");
  process.environment = {"MORE=2"};
  ASSERT_TRUE(is_ok(run_tool(process)));
  const std::string log = folder_.read("tool.log");
  EXPECT_THAT(log, testing::HasSubstr("MORE=2"));
  EXPECT_THAT(log, testing::HasSubstr("TMPDIR=" + folder_.path().string()));
  EXPECT_THAT(log, testing::Not(testing::HasSubstr("SKUA_TEST_SECRET")));
  EXPECT_THAT(log, testing::Not(testing::HasSubstr("HOME=")));  // Python would not find the user's packages
}

TEST_F(ToolProcessTest, LastLineMayBeLongerThanTheEndOfALog) {
  const auto end = run_tool(tool("echo first; printf 'last %05000d\\n\\n' 7"));
  ASSERT_TRUE(is_ok(end));
  EXPECT_EQ(end->last_line, "last " + std::string(4999, '0') + "7");
}

TEST_F(ToolProcessTest, WordsThatNoToolCanBeGivenAreRefusedBeforeTheStart) {
  ToolProcess process = tool("echo started");
  process.arguments = {std::string(131071, 'a')};
  EXPECT_TRUE(is_ok(run_tool(process)));
  std::filesystem::remove(process.log);
  process.arguments = {std::string(131072, 'a')};
  EXPECT_TRUE(is_build_error(run_tool(process), Reason::kModelUnsupported, "found one of 131072"));
  process.arguments.assign(100, std::string(131071, 'a'));
  EXPECT_TRUE(
      is_build_error(run_tool(process), Reason::kModelUnsupported, "expected a command line of at most"));
  EXPECT_FALSE(std::filesystem::exists(process.log));
}

TEST_F(ToolProcessTest, SignalIsTold) {
  const auto end = run_tool(tool("kill -SEGV $$"));
  ASSERT_TRUE(is_ok(end));
  EXPECT_EQ(end->signal, SIGSEGV);
  EXPECT_EQ(end->exit_status, -1);
}

TEST_F(ToolProcessTest, DeadlineEndsTheWholeGroup) {
  ToolProcess process = tool("sleep 600 & echo $! > child; echo started; wait");
  process.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
  EXPECT_TRUE(is_build_error(run_tool(process), Reason::kBuilderTimeout, "started"));
  EXPECT_TRUE(ends("child"));
}

TEST_F(ToolProcessTest, StopEndsTheWholeGroup) {
  ToolProcess process = tool("sleep 600 & echo $! > child.new; mv child.new child; wait");
  process.stop_requested = [this] { return std::filesystem::exists(folder_.path() / "child"); };
  EXPECT_TRUE(is_build_error(run_tool(process), Reason::kCancelled));
  EXPECT_TRUE(ends("child"));
}

TEST_F(ToolProcessTest, ChildrenThatItLeavesBehindAreEnded) {
  ASSERT_TRUE(is_ok(run_tool(tool("sleep 600 & echo $! > child"))));
  EXPECT_TRUE(ends("child"));
}

// The script waits for its child as a wrapper around a tool does, and is itself the only one that would end
// with its parent.
TEST_F(ToolProcessTest, TheWholeGroupEndsWithACallerThatIsKilled) {
  const ToolProcess process = tool("sleep 600 & echo $! > child.new; mv child.new child; wait");
  const pid_t caller = ::fork();
  if (caller == 0) {
    static_cast<void>(run_tool(process));
    ::_exit(0);
  }
  ASSERT_GT(caller, 0);  // -1 would be everybody
  EXPECT_TRUE(becomes([this] { return folder_.has("child"); }));
  ::kill(caller, SIGKILL);
  ::waitpid(caller, nullptr, 0);
  EXPECT_TRUE(ends("child"));
}

TEST_F(ToolProcessTest, LeavesNoProcessOfItsOwnBehind) {
  ASSERT_TRUE(is_ok(run_tool(tool("true"))));
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);  // no child that is not waited for
}

TEST_F(ToolProcessTest, NoSearchPathDecidesWhichToolRuns) {
  ToolProcess process = tool("true");
  process.executable = "true";
  EXPECT_TRUE(is_build_error(run_tool(process), Reason::kBuilderMissing, "absolute path"));
  process.executable = folder_.path() / "absent";
  EXPECT_TRUE(is_build_error(run_tool(process), Reason::kBuilderMissing, "absent"));
  process.executable = folder_.write("not-executable", "#!/bin/sh\n");
  EXPECT_TRUE(is_build_error(run_tool(process), Reason::kBuilderMissing));
}

}  // namespace
}  // namespace skua::test
