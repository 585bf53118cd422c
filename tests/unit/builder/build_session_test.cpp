// What a build process starts ends with it, in whatever group it hides; and what all of it takes is watched.
// Nothing here is confined: this is the caller's part.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <string>
#include <vector>

#include "becomes.h"
#include "inference/compile_process.h"
#include "inference/process_session.h"
#include "temp_folder.h"

namespace skua::test {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

bool runs(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string id, name, state;
  return (stat >> id >> name >> state) && state != "Z" && state != "X";
}

class BuildSession : public ::testing::Test {
 protected:
  BuildProcess hostile(const std::string& act, int count) {
    BuildProcess process;
    process.executable = SKUA_HOSTILE_BUILDER;
    process.arguments = {act, std::to_string(count)};
    process.request = root_.path() / "request.json";
    process.response = root_.path() / "response.json";
    process.log = root_.path() / "build.log";
    process.timeout = std::chrono::seconds(50);
    return process;
  }
  std::vector<pid_t> children() {
    std::ifstream list(root_.path() / "children");
    std::vector<pid_t> found;
    for (pid_t pid = 0; list >> pid;) found.push_back(pid);
    return found;
  }
  std::vector<pid_t> survivors() {
    std::vector<pid_t> found;
    for (const pid_t pid : children()) {
      if (runs(pid)) found.push_back(pid);
    }
    return found;
  }

  TempFolder root_;
};

TEST_F(BuildSession, ChildrenInGroupsOfTheirOwnEndWithTheBuilder) {
  const Status ended = run_build_process(hostile("leave", 8));
  EXPECT_TRUE(ended.ok()) << ended.error().describe();
  ASSERT_THAT(children(), SizeIs(8));
  EXPECT_THAT(survivors(), SizeIs(0));
}

// They are ended one by one here: the control must not leave anybody behind either.
TEST_F(BuildSession, ControlWithoutASessionTheyWouldRunOn) {
  BuildProcess process = hostile("leave", 1);
  process.has_own_session = false;
  bool is_over = false;  // the pipe would never end by itself
  process.on_progress = [&](std::string_view) { is_over = becomes([&] { return children().size() == 1; }); };
  process.stop_requested = [&] { return is_over; };
  static_cast<void>(run_build_process(process));
  EXPECT_THAT(survivors(), SizeIs(1));
  for (const pid_t pid : survivors()) ::kill(pid, SIGKILL);
}

TEST_F(BuildSession, MoreProcessesThanABuildNeedsEndIt) {
  const int many = static_cast<int>(kMostBuildProcesses) + 8;
  const Status ended = run_build_process(hostile("crowd", many));
  ASSERT_FALSE(ended.ok());
  EXPECT_EQ(ended.error().reason, Reason::kBuilderCrashed);
  EXPECT_THAT(ended.error().message, HasSubstr("more than " + std::to_string(kMostBuildProcesses)));
  EXPECT_THAT(survivors(), SizeIs(0));
}

TEST_F(BuildSession, ControlAsManyAsABuildMayHaveAreLeftAlone) {
  BuildProcess process = hostile("crowd", static_cast<int>(kMostBuildProcesses) - 2);
  process.timeout = std::chrono::seconds(1);  // several looks
  const Status ended = run_build_process(process);
  ASSERT_FALSE(ended.ok());
  EXPECT_EQ(ended.error().reason, Reason::kBuilderTimeout);
  EXPECT_THAT(survivors(), SizeIs(0));
}

TEST_F(BuildSession, SharedMemoryIsCountedAndNamed) {
  BuildProcess process = hostile("memory", 300);
  process.memory_limit_bytes = 128U << 20U;
  const Status ended = run_build_process(process);
  ASSERT_FALSE(ended.ok());
  EXPECT_EQ(ended.error().reason, Reason::kBuilderMemory);
  EXPECT_THAT(ended.error().message, HasSubstr("more than 128 MiB"));
  EXPECT_THAT(ended.error().message, HasSubstr("build_memory_mb"));
}

TEST_F(BuildSession, ControlTheSameMemoryIsFineWhereItIsAllowed) {
  BuildProcess process = hostile("memory", 300);
  process.memory_limit_bytes = std::uint64_t{4} << 30U;  // the thread sanitizer has four bytes for each
  const Status ended = run_build_process(process);
  EXPECT_TRUE(ended.ok()) << ended.error().describe();
}

TEST_F(BuildSession, OfNobodyThereIsNoUse) {
  constexpr pid_t kNobody = 0x3FFFFFFF;  // above every pid_max
  EXPECT_EQ(use_of_session(kNobody).processes, 0U);
  EXPECT_TRUE(end_session(kNobody));
}

}  // namespace
}  // namespace skua::test
