// The gates over a disk that fails: a fault in any one operation is a refusal with the fault's own reason,
// never an acceptance, and nothing is written while it happens.
#include <gtest/gtest.h>

#include "cache/engine_verify.h"
#include "cache/set_judge.h"
#include "cache_fixture.h"
#include "fault_filesystem.h"

namespace skua::test {
namespace {

/// Fails the n-th operation of `judge` for n = 1, 2, ... until it gets through. `judge` answers a Result over
/// the given file system. Answers how many operations there were.
template <typename Judge>
std::uint64_t sweep_reads(Judge judge) {
  for (std::uint64_t n = 1; n < 500; ++n) {
    FaultFileSystem files;
    files.arm({n, Reason::kPermissionDenied, EACCES});
    const auto result = judge(files);
    if (!files.has_fired()) {
      EXPECT_TRUE(accepted(result)) << "the control: no fault was reached";
      return n - 1;
    }
    const std::string step = files.journal()[n - 1];
    // A reader that cannot have the lock reads on: every byte is judged all the same.
    if (step == "lock-shared") {
      EXPECT_TRUE(accepted(result));
      continue;
    }
    EXPECT_FALSE(result.ok()) << "fault at " << n << ": " << step;
    if (result.ok()) return 0;
    EXPECT_TRUE(result.error().is_load_refusal()) << step << ": " << result.error().describe();
    EXPECT_EQ(result.error().reason, Reason::kPermissionDenied) << step << ": " << result.error().describe();
    EXPECT_NE(result.error().message.find("injected fault"), std::string::npos) << "the cause is named";
  }
  ADD_FAILURE() << "the sweep does not end";
  return 0;
}

/// A cause that has been reached before the sweep starts is no fault of the gate.
Error as_setup_error(const Error& cause) {
  return make_error(ErrorCode::kEngineDeserialize, cause.reason, cause.message);
}

TEST(GateFault, TheEngineGateRefusesOnEveryReadError) {
  const PublishedFolders folders;
  const EngineRecord& record = folders.records()[0];
  const EngineExpectation expected{record.file, record, record.precision, orin(), true};
  const auto judge = [&](FileSystem& files) -> Result<VerifiedEngine> {
    auto folder = files.open_folder(folders.cache());
    if (!folder.ok()) return as_setup_error(folder.error());
    BufferPool pool(1);
    return EngineGate::admit(**folder, expected, pool);
  };
  EXPECT_GE(sweep_reads(judge), 7U) << "open, look and read, for sidecar and engine";
}

TEST(GateFault, ACacheEntryIsRefusedOnEveryReadError) {
  const PublishedFolders folders;
  const EngineRecord& record = folders.records()[0];
  const EngineExpectation expected{record.file, {}, record.precision, orin(), true};
  const auto judge = [&](FileSystem& files) -> Result<VerifiedEngine> {
    auto folder = files.open_folder(folders.cache());
    if (!folder.ok()) return as_setup_error(folder.error());
    BufferPool pool(1);
    return admit_cached(**folder, expected, pool);
  };
  EXPECT_GE(sweep_reads(judge), 10U);
}

TEST(GateFault, TheSetGateRefusesOnEveryReadError) {
  const PublishedFolders folders;
  const auto judge = [&](FileSystem& files) { return admit_set(files, folders.set(), ground_policy()); };
  EXPECT_GE(sweep_reads(judge), 15U);
}

TEST(GateFault, ListedFilesAreRefusedOnEveryReadError) {
  const PublishedFolders folders;
  const auto judge = [&](FileSystem& files) -> Status {
    auto folder = files.open_folder(folders.set());
    if (!folder.ok()) return as_setup_error(folder.error());
    AdmittedSet set = folders.admit().value();
    set.folder = *std::move(folder);
    return verify_all_files(set);
  };
  EXPECT_GE(sweep_reads(judge), 24U) << "open, look and read, for eight files";
}

TEST(GateFault, CurrentIsRefusedOnEveryReadError) {
  const PublishedFolders folders;
  const auto judge = [&](FileSystem& files) { return current_set(files, folders.sets()); };
  EXPECT_GE(sweep_reads(judge), 4U);
}

TEST(GateFault, JudgingRefusesOnEveryReadErrorAndJudgesTheRest) {
  const PublishedFolders folders;
  const auto judge = [&](FileSystem& files) -> Status {
    auto folder = files.open_folder(folders.set());
    if (!folder.ok()) return as_setup_error(folder.error());
    AdmittedSet set = folders.admit().value();
    set.folder = *std::move(folder);
    const auto verdicts = judge_files(set, {orin(), [](const EngineRecord&) { return true; }, 1});
    Status first;
    int refused = 0;
    for (const FileVerdict& verdict : verdicts) {
      if (verdict.status.ok()) continue;
      if (refused++ == 0) first = verdict.status;
    }
    EXPECT_LE(refused, 1) << "one fault, one file";
    return first;
  };
  EXPECT_GE(sweep_reads(judge), 24U) << "open, look and read, for eight files";
}

}  // namespace
}  // namespace skua::test
