// Memory runs out at every allocation of every entry point of src/cache: once, and from there on. The answer
// is OutOfMemoryError, std::bad_alloc (which programs tell as that), or success; nothing leaks, and no half
// of a file stays.
#include <gtest/gtest.h>

#include "allocation_stage.h"
#include "counts.h"
#include "hot_path_counters.h"

namespace skua::test {
namespace {

struct Sweep {
  std::int64_t failures = 0;
  std::vector<std::string> complaints;
};

/// The world that entries write to, made anew for each call.
class Allocation : public testing::Test {
 protected:
  Allocation() {
    // Once: OpenSSL and the library make what they keep for the rest of the process.
    for (const CacheEntry& entry : cache_entries()) {
      Stage stage = fresh();
      if (const Status status = entry.call(stage); !status.ok()) {
        ADD_FAILURE() << entry.name << " fails undisturbed: " << status.error().describe();
      }
    }
  }

  Stage fresh() const {
    const World world = origin_.fresh();
    publish_number(posix_file_system(), world, origin_.record(), 2, nullptr).value();
    accept_sequence(posix_file_system(), world.state(), 1).value();
    return Stage(world, origin_.record());
  }

  /// What is wrong with an answer; empty: nothing.
  static std::string judge(Stage& stage, const CacheEntry& entry) {
    std::string complaint;
    std::string why;
    GatePolicy ground = flight_policy();
    ground.allow_unsigned = true;
    const auto number = flying(posix_file_system(), stage.world, ground);
    if (!number.ok()) complaint = "nothing flies any more: " + number.error().describe();
    const auto ratchet = read_ratchet(posix_file_system(), stage.world.state());
    if (!ratchet.ok()) complaint = "the ratchet is lost: " + ratchet.error().describe();
    if (!entry.writes) return complaint;
    // What runs out of memory while it clears away leaves that, as after a kill, to the next writer.
    clear_leftovers(posix_file_system(), stage.world.sets());
    clear_leftovers(posix_file_system(), stage.world.cache());
    clear_leftovers(posix_file_system(), stage.world.state() / kRatchetFolder);
    if (const auto left = leftovers(stage.world.root); !left.empty())
      complaint = "left behind: " + left.front();
    if (fs::exists(stage.world.cache() / "file") &&
        fs::file_size(stage.world.cache() / "file") != stage.golden_bytes.size()) {
      complaint = "half a file";
    }
    return complaint;
  }

  void sweep_into(Sweep& sweep, const CacheEntry& entry, bool is_lasting, std::uint64_t stride = 1) {
    std::optional<Stage> stage(fresh());
    bool has_failed = true;
    for (std::uint64_t nth = 1; has_failed; nth += stride) {
      if (entry.writes && nth > 1) stage.emplace(fresh());
      std::string complaint;
      const std::int64_t before = live_allocations();
      has_failed = run_with_failing_allocation(
          nth, [&] { call(entry, *stage, complaint); }, is_lasting);
      const std::int64_t leaked = live_allocations() - before;
      if (leaked > 0) complaint += " leaks";
      if (complaint.empty()) complaint = judge(*stage, entry);
      if (!complaint.empty()) {
        sweep.complaints.push_back(std::string(entry.name) + ", allocation " + std::to_string(nth) +
                                   (is_lasting ? " and all after it: " : ": ") + complaint);
      }
      sweep.failures += has_failed ? 1 : 0;
    }
  }

  static void call(const CacheEntry& entry, Stage& stage, std::string& complaint) {
    try {
      const Status status = entry.call(stage);
      if (status.ok() || status.error().code == ErrorCode::kOutOfMemory) return;
      complaint = status.error().message.substr(0, 15);
    } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): it is one of the right answers
    } catch (...) {
      complaint = "another one";
    }
  }

  WorldTemplate origin_{memory_folder()};
};

TEST_F(Allocation, EachOneOfEveryEntryPointMayFail) {
  Sweep sweep;
  const auto stride = static_cast<std::uint64_t>(skua_test::count("allocation_stride"));
  for (const CacheEntry& entry : cache_entries()) {
    for (const bool is_lasting : {false, true}) sweep_into(sweep, entry, is_lasting, stride);
  }
  for (const std::string& complaint : sweep.complaints) ADD_FAILURE() << complaint;
  skua_test::reached("allocation_entries", static_cast<std::int64_t>(cache_entries().size()));
  skua_test::reached("allocation_failures", sweep.failures);
  EXPECT_GE(sweep.failures, skua_test::count("allocation_failures"));
}

/// Negative controls: an entry that leaks, and one that calls a lack of memory something else.
TEST_F(Allocation, AnEntryThatLeaksOrLiesIsCaught) {
  Sweep sweep;
  sweep_into(sweep,
             {"leaks", false,
              [](Stage& s) -> Status {
                auto* const first = new std::string(s.record_text);
                const std::string second(s.record_text);
                delete first;
                return {};
              }},
             false);
  ASSERT_EQ(sweep.complaints.size(), 1U);
  sweep_into(sweep,
             {"lies", false,
              [](Stage& s) -> Status {
                try {
                  return as_status(std::string(s.record_text));
                } catch (const std::bad_alloc&) {
                  return make_error(ErrorCode::kManifest, Reason::kManifestMalformed, "malformed");
                }
              }},
             false);
  EXPECT_EQ(sweep.complaints.size(), 2U);
}

}  // namespace
}  // namespace skua::test
