// Several threads at the runtime's tables: the thread sanitizer judges the accesses, the assertions the
// outcome.
#include <gtest/gtest.h>

#include <thread>

#include "counts.h"
#include "fake_cache.h"
#include "temp_folder.h"

namespace skua::test {
namespace {

constexpr std::uint64_t kEngineBytes = 4096;
constexpr std::uint64_t kLaneBytes = 100 + 16 + 16;

class ThreadTest : public ::testing::Test {
 protected:
  ThreadTest() {
    std::filesystem::create_directories(cache_dir_);
    entry_ = to_entry(publish_fake(cache_dir_, fake_record("alpha")), cache_dir_);
  }

  std::unique_ptr<FakeRuntime> make_runtime(std::uint64_t budget) {
    RuntimeEnvironment environment;
    environment.config.gpu_memory_budget_bytes = budget;
    environment.role = Role::kGround;
    environment.host = fake_host();
    environment.events = &events_;
    return std::make_unique<FakeRuntime>(environment, behaviour_);
  }

  static void together(const std::function<void()>& first, const std::function<void()>& second) {
    std::thread other(second);
    first();
    other.join();
  }

  TempFolder root_;
  std::filesystem::path cache_dir_ = root_.path() / "cache";
  FakeBehaviour behaviour_;
  RecordingSink events_;
  EngineCacheEntry entry_;
};

TEST_F(ThreadTest, SealAgainstBindNeverTearsTheTables) {
  for (std::int64_t round = 0; round < skua_test::count("thread_rounds"); ++round) {
    auto runtime = make_runtime(1U << 20U);
    const EngineHandle handle = runtime->deserialize_engine(entry_).value();
    const Lane lane = runtime->create_lane("late").value();
    Status bound;
    together([&] { runtime->seal(); },
             [&] {
               auto result = runtime->bind(handle, lane);
               if (!result.ok()) bound = std::move(result).error();
             });
    // Either it came before the seal and stays bound, or after it and is refused as such, for good.
    const bool is_bound_now = runtime->bind(handle, lane).ok();
    EXPECT_EQ(bound.ok(), is_bound_now);
    if (!bound.ok()) {
      EXPECT_EQ(bound.error().reason, Reason::kLaneNotDeclared);
    }
  }
}

TEST_F(ThreadTest, TheBudgetIsNeverOverdrawn) {
  // The first engine has one lane. Then the second engine with its two lanes fits, or one more lane of the
  // first, not both.
  const std::uint64_t budget = 2 * kEngineBytes + 3 * kLaneBytes;
  for (std::int64_t round = 0; round < skua_test::count("thread_rounds"); ++round) {
    auto runtime = make_runtime(budget);
    const EngineHandle handle = runtime->deserialize_engine(entry_).value();
    const Lane lane = runtime->create_lane("extra").value();
    bool is_bound = false;
    Result<EngineHandle> second = make_error(ErrorCode::kInternal, Reason::kNone, "not tried");
    together([&] { is_bound = runtime->bind(handle, lane).ok(); },
             [&] { second = runtime->deserialize_engine(entry_); });
    std::uint64_t resident = runtime->info(handle)->resident_bytes;
    if (second.ok()) resident += runtime->info(*second)->resident_bytes;
    EXPECT_LE(resident, budget);
    EXPECT_NE(is_bound, second.ok());
  }
}

TEST_F(ThreadTest, ReleaseAgainstRunAnswersOrRuns) {
  for (std::int64_t round = 0; round < skua_test::count("thread_rounds"); ++round) {
    auto runtime = make_runtime(1U << 20U);
    EngineHandle handle = runtime->deserialize_engine(entry_).value();
    auto bound = runtime->bind(handle, runtime->create_lane("default").value()).value();
    Status last;
    together([&] { runtime->release_engine(handle); },
             [&] {
               for (int run = 0; run < 50; ++run) last = bound.run();
             });
    EXPECT_EQ(bound.run().error().reason, Reason::kEngineReleased);
    if (!last.ok()) {
      EXPECT_EQ(last.error().reason, Reason::kEngineReleased);
    }
  }
}

}  // namespace
}  // namespace skua::test
