// A fault in every single operation of a publish: what is visible afterwards is the old state, the new one,
// or something that the gates refuse; and the next attempt succeeds.
#include <gtest/gtest.h>

#include "cache/engine_verify.h"
#include "cache/publish.h"
#include "cache_fixture.h"
#include "fault_filesystem.h"

namespace skua::test {
namespace {

bool has_leftovers(const fs::path& folder) {
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (name.starts_with(".staging-") || name.starts_with(".tmp-")) return true;
  }
  return false;
}

std::string failed_step(const FaultFileSystem& files, const FaultPlan& plan) {
  const std::vector<std::string> journal = files.journal();
  return plan.fail_at <= journal.size() ? journal[plan.fail_at - 1] : "nothing";
}

std::string fault_text(const FaultFileSystem& files, const FaultPlan& plan) {
  return (plan.crash ? "killed at " : "fault at ") + std::to_string(plan.fail_at) + ": " +
         failed_step(files, plan);
}

/// Whether success is an answer to this fault: where none came, and where a staging folder is cleared away,
/// which the next writer does as well. All others have to be told, even if what is looked at afterwards is
/// there: after a sync that failed it always is, until the power goes.
bool may_be_got_over(const FaultFileSystem& files, const FaultPlan& plan) {
  const std::string step = failed_step(files, plan);
  const std::string verb = step.substr(0, step.find(' '));
  return !files.has_fired() || verb == "info" || verb == "open-folder" || verb == "list" || verb == "remove";
}

/// Runs `attempt` with a fault at every operation until it gets through, each time from the state that
/// `prepare` makes. Answers how many operations were tried.
template <typename Prepare, typename Attempt>
std::uint64_t sweep(bool crash, Prepare prepare, Attempt attempt) {
  UnsyncedFileSystem unsynced;
  for (std::uint64_t n = 1; n < 1000; ++n) {
    auto state = prepare();
    FaultFileSystem files(unsynced);
    const FaultPlan plan{n, n % 2 == 0 ? Reason::kDiskFull : Reason::kIo, n % 2 == 0 ? ENOSPC : EIO, crash};
    files.arm(plan);
    attempt(*state, files, plan);
    if (testing::Test::HasFailure() || !files.has_fired()) return n - 1;
  }
  ADD_FAILURE() << "the sweep does not end";
  return 0;
}

enum class Entry { kOld, kNew, kRefused, kMixed };

struct CacheState {
  TempFolder temp;
  EngineRecord old_record;
};

Entry entry_of(const CacheState& state) {
  auto folder = posix_file_system().open_folder(state.temp.path()).value();
  BufferPool pool(1);
  auto admitted = admit_cached(*folder, {plan_record().file, {}, Precision::kFp16, orin(), true}, pool);
  if (!admitted.ok()) return Entry::kRefused;
  const EngineRecord& record = admitted->record();
  const bool is_whole = digest_of(state.temp.read(record.golden.file)) == record.golden.sha256;
  if (!is_whole) return Entry::kMixed;
  return record.engine_sha256 == state.old_record.engine_sha256 ? Entry::kOld : Entry::kNew;
}

class PublishFault : public testing::TestWithParam<bool> {};

TEST_P(PublishFault, ACacheEntryIsOldOrNewOrRefused) {
  std::map<Entry, int> seen;
  const auto prepare = [] {
    auto state = std::make_unique<CacheState>();
    state->old_record = publish_plan(state->temp.path(), plan_record());
    return state;
  };
  const auto attempt = [&](CacheState& state, FaultFileSystem& files, const FaultPlan& plan) {
    const auto published = publish_plan_with(files, state.temp.path(), plan_record(), plan_bytes(200));
    const std::string what = fault_text(files, plan);
    const Entry entry = entry_of(state);
    ++seen[entry];
    EXPECT_NE(entry, Entry::kMixed) << what;
    if (published.ok()) {
      EXPECT_EQ(entry, Entry::kNew) << what;
      EXPECT_TRUE(may_be_got_over(files, plan)) << what << ": nobody was told";
    } else {
      EXPECT_EQ(published.error().code, ErrorCode::kEngineBuild) << what;
      EXPECT_EQ(published.error().reason, plan.reason) << what << ": " << published.error().describe();
      if (plan.reason == Reason::kDiskFull) {
        EXPECT_NE(published.error().message.find("free space"), std::string::npos)
            << published.error().message;
      }
      EXPECT_FALSE(!plan.crash && has_leftovers(state.temp.path())) << what;
    }
    UnsyncedFileSystem retry;
    EXPECT_TRUE(accepted(publish_plan_with(retry, state.temp.path(), plan_record(), plan_bytes(200))))
        << what;
    EXPECT_EQ(entry_of(state), Entry::kNew) << what;
    EXPECT_FALSE(has_leftovers(state.temp.path())) << what;
  };
  EXPECT_GT(sweep(GetParam(), prepare, attempt), 35U);
  EXPECT_GT(seen[Entry::kOld], 10) << "most faults come before anything is touched";
  EXPECT_GT(seen[Entry::kRefused], 2);
  EXPECT_GT(seen[Entry::kNew], 0);
}

bool is_whole_set(const fs::path& set) {
  auto admitted = admit_set(posix_file_system(), set, ground_policy());
  return admitted.ok() && verify_all_files(*admitted).ok();
}

TEST_P(PublishFault, CurrentNamesAWholeSetAtEveryMoment) {
  std::map<std::string, int> seen;
  const auto prepare = [] { return std::make_unique<PublishedFolders>(); };
  const auto attempt = [&](PublishedFolders& state, FaultFileSystem& files, const FaultPlan& plan) {
    const Manifest draft = draft_of({state.records()[0]}, "set-2");
    const auto published = publish_set(files, state.sets(), state.cache(), draft);
    const std::string what = fault_text(files, plan);
    const auto current = current_set(posix_file_system(), state.sets());
    ASSERT_TRUE(accepted(current)) << what;
    ++seen[current->filename()];
    EXPECT_TRUE(is_whole_set(*current)) << what;
    EXPECT_TRUE(is_whole_set(state.set())) << what << ": the old set";
    EXPECT_TRUE(!fs::exists(state.sets() / "set-2") || is_whole_set(state.sets() / "set-2")) << what;
    if (published.ok()) {
      EXPECT_EQ(current->filename(), "set-2") << what;
      EXPECT_TRUE(may_be_got_over(files, plan)) << what << ": nobody was told";
    } else {
      EXPECT_EQ(published.error().reason, plan.reason) << what << ": " << published.error().describe();
      EXPECT_FALSE(!plan.crash && has_leftovers(state.sets())) << what;
    }
    UnsyncedFileSystem retry;
    EXPECT_TRUE(accepted(publish_set(retry, state.sets(), state.cache(), draft))) << what;
    EXPECT_EQ(current_set(posix_file_system(), state.sets()).value().filename(), "set-2") << what;
    EXPECT_TRUE(is_whole_set(state.sets() / "set-2")) << what;
    EXPECT_FALSE(has_leftovers(state.sets())) << what;
  };
  EXPECT_GT(sweep(GetParam(), prepare, attempt), 40U);
  EXPECT_GT(seen["set-1"], 30);
  EXPECT_GT(seen["set-2"], 0);
}

INSTANTIATE_TEST_SUITE_P(FaultOrKill, PublishFault, testing::Bool(),
                         [](const auto& kind) { return kind.param ? "Kill" : "Fault"; });

}  // namespace
}  // namespace skua::test
