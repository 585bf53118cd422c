// A fault in, or a kill at, every single operation on the ratchet: what is accepted afterwards is the old
// sequence or the new one, never a lower one and never unknown; and the next attempt succeeds.
#include <gtest/gtest.h>

#include "cache/release_ratchet.h"
#include "cache_fixture.h"
#include "fault_filesystem.h"

namespace skua::test {
namespace {

using Accepted = std::optional<std::uint64_t>;

/// Where a sweep begins: what was done to a fresh state_dir.
struct Start {
  std::string name;
  Accepted accepted;  ///< before the attempt
  void (*prepare)(const TempFolder& state);
};

void accept_on_disk(const TempFolder& state, std::uint64_t sequence) {
  UnsyncedFileSystem files;
  ASSERT_TRUE(accepted(accept_sequence(files, state.path(), sequence)));
}

std::vector<Start> starts() {
  return {
      {"fresh", {}, [](const TempFolder&) {}},
      {"whole", 5, [](const TempFolder& s) { accept_on_disk(s, 5); }},
      {"a is gone", 5,
       [](const TempFolder& s) { accept_on_disk(s, 5), fs::remove(s.path() / "release/ratchet.a"); }},
      {"b is gone", 5,
       [](const TempFolder& s) { accept_on_disk(s, 5), fs::remove(s.path() / "release/ratchet.b"); }},
      {"a is damaged", 5,
       [](const TempFolder& s) { accept_on_disk(s, 5), s.write("release/ratchet.a", "x"); }},
      {"b is damaged", 5,
       [](const TempFolder& s) { accept_on_disk(s, 5), s.write("release/ratchet.b", "x"); }},
      {"a is ahead", 5,
       [](const TempFolder& s) { accept_on_disk(s, 4), s.write("release/ratchet.a", encode_ratchet(5)); }},
      {"b is ahead", 5,
       [](const TempFolder& s) { accept_on_disk(s, 4), s.write("release/ratchet.b", encode_ratchet(5)); }}};
}

struct Sweep {
  std::uint64_t steps = 0;
  std::map<Accepted, int> seen;
};

/// Runs `attempt` with a fault at every operation until it gets through; `judge` looks at the disk behind it.
template <typename Attempt, typename Judge>
Sweep sweep(const Start& start, bool crash, const Attempt& attempt, const Judge& judge) {
  Sweep result;
  for (std::uint64_t n = 1; n < 200; ++n) {
    const TempFolder state;
    start.prepare(state);
    UnsyncedFileSystem unsynced;  // the steps are the same, and the disk is spared
    FaultFileSystem files(unsynced);
    const bool is_full = n % 2 == 0;
    files.arm({n, is_full ? Reason::kDiskFull : Reason::kIo, is_full ? ENOSPC : EIO, crash});
    const Status done = attempt(files, state.path());
    if (!files.has_fired()) return result;
    ++result.steps;
    SCOPED_TRACE(start.name + (crash ? ", killed at " : ", fault at ") + std::to_string(n) + ": " +
                 files.journal()[n - 1]);
    const auto found = read_ratchet(posix_file_system(), state.path());
    EXPECT_TRUE(accepted(found));
    if (!found.ok()) continue;
    ++result.seen[found->accepted];
    judge(state, done, found->accepted);
  }
  ADD_FAILURE() << "the sweep does not end";
  return result;
}

class RatchetFault : public testing::TestWithParam<bool> {};

TEST_P(RatchetFault, WhatIsAcceptedIsTheOldSequenceOrTheNewOne) {
  for (const Start& start : starts()) {
    const auto attempt = [](FileSystem& files, const fs::path& state) {
      return accept_sequence(files, state, 8);
    };
    const auto judge = [&](const TempFolder& state, const Status& done, const Accepted& found) {
      EXPECT_TRUE(found == start.accepted || found == Accepted(8)) << found.value_or(0);
      // Of every error, even where the new number is there to be seen: after an fsync that failed it always
      // is.
      EXPECT_TRUE(refused(done, ErrorCode::kManifest, Reason::kRatchetNotWritten));
      accept_on_disk(state, 8);
      const auto healed = read_ratchet(posix_file_system(), state.path());
      EXPECT_EQ(healed.value().accepted, 8U);
      EXPECT_FALSE(healed->is_one_copy_bad);
      for (const fs::directory_entry& entry : fs::directory_iterator(state.path() / "release")) {
        EXPECT_TRUE(entry.path().filename().string().starts_with("ratchet.")) << entry.path() << " is left";
      }
    };
    const Sweep result = sweep(start, GetParam(), attempt, judge);
    EXPECT_GE(result.steps, 20U) << start.name;
    EXPECT_GT(result.seen.at(start.accepted), 5) << start.name << ": the old one was seen";
    EXPECT_GT(result.seen.at(8), 0) << start.name << ": the new one was seen";
  }
}

/// A number below what is there: whatever goes wrong, nothing moves.
TEST_P(RatchetFault, AnOldSequenceNeverLowersIt) {
  for (const Start& start : starts()) {
    if (!start.accepted) continue;
    const auto attempt = [](FileSystem& files, const fs::path& state) {
      return accept_sequence(files, state, 2);
    };
    const auto judge = [&](const TempFolder&, const Status&, const Accepted& found) {
      EXPECT_EQ(found, start.accepted);
    };
    EXPECT_GT(sweep(start, GetParam(), attempt, judge).steps, 5U) << start.name;
  }
}

TEST_P(RatchetFault, AResetIsDoneOrNotDone) {
  for (const Start& start : starts()) {
    const auto attempt = [](FileSystem& files, const fs::path& state) {
      return reset_ratchet(files, state, 2);
    };
    const auto judge = [&](const TempFolder&, const Status& done, const Accepted& found) {
      EXPECT_TRUE(found == start.accepted || found == Accepted(2)) << found.value_or(0);
      if (!done.ok()) {
        EXPECT_EQ(done.error().code, ErrorCode::kInvalidArgument);
      }
    };
    const Sweep result = sweep(start, GetParam(), attempt, judge);
    EXPECT_GT(result.steps, 15U) << start.name;
  }
}

/// The other copy may be the lower one: an error is never "one copy is bad" and never "nothing accepted".
TEST_P(RatchetFault, AReadErrorIsAnError) {
  for (const Start& start : starts()) {
    const TempFolder state;
    start.prepare(state);
    std::uint64_t refusals = 0;
    for (std::uint64_t n = 1; n < 100; ++n) {
      FaultFileSystem files;
      files.arm({n, Reason::kIo, EIO, GetParam()});
      const auto found = read_ratchet(files, state.path());
      if (!files.has_fired()) break;
      SCOPED_TRACE(start.name + ": " + files.journal()[n - 1]);
      EXPECT_TRUE(refused(found, ErrorCode::kManifest, Reason::kIo));
      ++refusals;
    }
    EXPECT_GE(refusals, start.accepted ? 6U : 2U) << start.name;
  }
}

INSTANTIATE_TEST_SUITE_P(FaultOrKill, RatchetFault, testing::Bool(),
                         [](const auto& kind) { return kind.param ? "Kill" : "Fault"; });

/// What accepting does to the disk, step by step.
class Journal {
 public:
  Journal(const TempFolder& state, std::uint64_t sequence) {
    UnsyncedFileSystem unsynced;
    FaultFileSystem files(unsynced);
    files.arm({});
    EXPECT_TRUE(accepted(accept_sequence(files, state.path(), sequence)));
    steps_ = files.journal();
  }
  /// Where the next step of this kind is, from `from` on.
  std::size_t next(std::string_view what, std::size_t from = 0) const {
    while (from < steps_.size() && !steps_[from].starts_with(what)) ++from;
    return from;
  }
  const std::string& operator[](std::size_t at) const { return steps_.at(at); }
  std::size_t count(std::string_view what) const {
    return static_cast<std::size_t>(std::count_if(
        steps_.begin(), steps_.end(), [&](const std::string& step) { return step.starts_with(what); }));
  }

 private:
  std::vector<std::string> steps_;
};

TEST(RatchetOrder, EachCopyIsDurableBeforeTheNextAndTheOneThatCountsComesLast) {
  const std::map<std::string, std::string> last_one = {
      {"a is gone", "ratchet.b"},    {"b is gone", "ratchet.a"},  {"a is damaged", "ratchet.b"},
      {"b is damaged", "ratchet.a"}, {"a is ahead", "ratchet.a"}, {"b is ahead", "ratchet.b"}};
  for (const Start& start : starts()) {
    SCOPED_TRACE(start.name);
    const TempFolder state;
    start.prepare(state);
    const Journal journal(state, 8);
    const std::size_t create = journal.next("create"), first = journal.next("rename");
    EXPECT_LT(journal.next("sync-folder"), create) << "the folder itself is durable before what is in it";
    EXPECT_LT(journal.next("sync .tmp"), first) << "the bytes before the name";
    EXPECT_LT(journal.next("sync-folder", first), journal.next("create", first))
        << "before the second is begun";
    const std::size_t second = journal.next("rename", first + 1);
    ASSERT_EQ(journal.count("rename"), 2U);
    const auto expected = last_one.find(start.name);
    if (expected == last_one.end()) continue;
    EXPECT_NE(journal[second].find(expected->second), std::string::npos) << journal[second];
  }
}

/// A copy that reads well may be what a failed sync left in the page cache.
TEST(RatchetOrder, BothAreWrittenAnewUnlessBothAreRight) {
  for (const Start& start : starts()) {
    const TempFolder state;
    start.prepare(state);
    const Journal journal(state, 5);
    EXPECT_EQ(journal.count("rename"), start.name == "whole" ? 0U : 2U) << start.name;
  }
}

}  // namespace
}  // namespace skua::test
