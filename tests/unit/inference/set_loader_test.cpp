// Engines of a set that are worked on at once: how many, in which order, and whose refusal decides.
#include "inference/set_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>

#include "core/parallel.h"
#include "fake_cache.h"
#include "temp_folder.h"

namespace skua::test {
namespace {

using ::testing::HasSubstr;

constexpr std::chrono::seconds kLimit{20};  // of a wait that ends at once unless something is wrong

class SetLoaderTest : public ::testing::Test {
 protected:
  SetLoaderTest() {
    std::filesystem::create_directories(sets_dir_);
    std::filesystem::create_directories(cache_dir_);
    for (const char* const name : {"alpha", "bravo", "charlie", "delta", "echo", "foxtrot"})
      records_.push_back(publish_fake(cache_dir_, fake_record(name)));
    set_dir_ = publish_fake_set(sets_dir_, cache_dir_, records_, "set-1", {}, &key_);
  }
  void damage(const EngineRecord& record) {
    std::fstream file(set_dir_ / record.file, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(77);
    file.put('\x02');
  }
  void wait_for_a_refusal() {
    const auto end = std::chrono::steady_clock::now() + kLimit;
    while (events_.count("c7.engine_refused") == 0 && std::chrono::steady_clock::now() < end)
      std::this_thread::yield();
  }
  Result<EngineSet> load(std::uint64_t budget = 1U << 30U) {
    make_runtime(budget);
    return load_set();
  }
  void make_runtime(std::uint64_t budget, Role role = Role::kAirborne) {
    RuntimeEnvironment environment;
    environment.config.gpu_memory_budget_bytes = budget;
    environment.config.lanes = lanes_;
    environment.host = fake_host();
    environment.role = role;
    environment.events = &events_;
    runtime_ = std::make_unique<FakeRuntime>(environment, behaviour_);
  }
  Result<EngineSet> load_set() {
    GatePolicy policy;
    policy.trusted_keys = {key_.public_key().value()};
    return runtime_->load_flight_set(set_dir_, policy);
  }

  TempFolder root_;
  std::filesystem::path cache_dir_ = root_.path() / "cache", sets_dir_ = root_.path() / "sets", set_dir_;
  const PrivateKey key_ = PrivateKey::generate().value();
  std::vector<EngineRecord> records_;
  FakeBehaviour behaviour_;
  RecordingSink events_;
  std::vector<LaneDeclaration> lanes_;
  std::unique_ptr<FakeRuntime> runtime_;
};

TEST_F(SetLoaderTest, AsManyAtOnceAsThereAreCoresAndNoMore) {
  const std::size_t expected = std::min<std::size_t>(usable_cores(), 4);
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t now = 0, most = 0;
  behaviour_.on_deserialize = [&](const EngineRecord&) -> Status {
    std::unique_lock lock(mutex);
    most = std::max(most, ++now);
    changed.notify_all();
    // The first ones wait for each other: were they taken one by one, this would end by the limit.
    changed.wait_for(lock, kLimit, [&] { return most >= expected; });
    --now;
    return {};
  };
  const auto set = load();
  ASSERT_TRUE(set.ok()) << set.error().describe();
  EXPECT_EQ(most, expected);
  ASSERT_EQ(set->engines.size(), records_.size());
  for (std::size_t i = 0; i < records_.size(); ++i) {
    EXPECT_EQ(set->engines[i].model, records_[i].model) << "most critical first, whoever was ready first";
    EXPECT_EQ(set->times[i].model, records_[i].model);
    EXPECT_GT(set->times[i].verify_ns, 0);
  }
}

TEST_F(SetLoaderTest, TheMostCriticalRefusalDecidesHoweverLateItComes) {
  if (usable_cores() < 2) GTEST_SKIP() << "one core: engines are taken one by one here";
  damage(records_[1]);
  behaviour_.on_deserialize = [&](const EngineRecord& record) -> Status {
    if (record.model != "alpha") return {};
    wait_for_a_refusal();
    return make_error(ErrorCode::kEngineDeserialize, Reason::kDeserializeFailed,
                      record.file + ": refused late");
  };
  const auto refused = load();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, Reason::kDeserializeFailed);
  EXPECT_THAT(refused.error().message, HasSubstr(records_[0].file));
  EXPECT_THAT(refused.error().message, HasSubstr("1 more"));
  EXPECT_EQ(behaviour_.engines_alive, 0);
}

TEST_F(SetLoaderTest, BehindARefusalEnginesAreJudgedAndNotDeserialised) {
  damage(records_[0]);
  damage(records_[5]);
  behaviour_.on_deserialize = [&](const EngineRecord&) -> Status { return wait_for_a_refusal(), Status(); };
  const auto refused = load();
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr(records_[0].file));
  EXPECT_EQ(events_.count("c7.engine_refused"), 2);
  // What the other cores had begun by then; everything later is judged alone.
  EXPECT_LT(behaviour_.deserialize_count, static_cast<int>(std::clamp<std::size_t>(usable_cores(), 2, 4)));
  EXPECT_EQ(behaviour_.engines_alive, 0);
}

/// Six engines of 5812 bytes with their 13 lanes, in a budget that has room for five of them and for two
/// loaders. The one that does not fit is always the same, also when the first is held up before it has taken
/// its share.
class SetLoaderBudgetTest : public SetLoaderTest {
 protected:
  SetLoaderBudgetTest() {
    for (int i = 0; i < 12; ++i) lanes_.push_back({"lane_" + std::to_string(i)});
    behaviour_.on_check = [](const EngineRecord& record) {
      if (record.model == "alpha") std::this_thread::sleep_for(std::chrono::milliseconds(30));
    };
  }
  void SetUp() override {
    if (usable_cores() < 2) GTEST_SKIP() << "one core: engines are taken one by one here";
  }
  static constexpr std::uint64_t kEach = 4096U + 13U * (100U + 16U + 16U), kBudget = 32800;
};

TEST_F(SetLoaderBudgetTest, WhichEngineIsBeyondItDoesNotDependOnWhoIsFaster) {
  for (int round = 0; round < 5; ++round) {
    const auto refused = load(kBudget);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().reason, Reason::kMemoryBudgetExceeded);
    EXPECT_THAT(refused.error().message, HasSubstr("foxtrot needs " + std::to_string(kEach)));
    EXPECT_THAT(refused.error().message, HasSubstr("resident are " + std::to_string(5 * kEach)));
    EXPECT_EQ(behaviour_.deserialize_count, 0) << "refused before anything was placed";
  }
  EXPECT_TRUE(load(6 * kEach).ok());
}

TEST_F(SetLoaderBudgetTest, WhatIsResidentAlreadyCountsFirst) {
  make_runtime(kBudget, Role::kGround);
  const auto resident = runtime_->deserialize_engine(to_entry(records_[5], cache_dir_));
  ASSERT_TRUE(resident.ok()) << resident.error().describe();
  const auto refused = load_set();
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr("echo needs " + std::to_string(kEach)));
  EXPECT_THAT(refused.error().message, HasSubstr("resident are " + std::to_string(5 * kEach)));
}

/// What the first engines have taken is missing from what is free by then, so it is asked before any is
/// placed.
TEST_F(SetLoaderBudgetTest, WhatTheDeviceLacksIsJudgedOnceForTheWholeSet) {
  constexpr std::uint64_t kBuffer = 4096;  // so little is left that one engine at a time is read
  behaviour_.free_bytes = 6 * kEach + kBuffer - 1;
  const auto refused = load(100 * kEach);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kOutOfMemory);
  EXPECT_EQ(refused.error().reason, Reason::kOutOfMemory);
  EXPECT_THAT(refused.error().message, HasSubstr("foxtrot needs " + std::to_string(kEach)));
  EXPECT_THAT(refused.error().message,
              HasSubstr("loaded before and beside it " + std::to_string(5 * kEach + kBuffer)));
  EXPECT_EQ(behaviour_.deserialize_count, 0) << "refused before anything was placed";
  EXPECT_EQ(behaviour_.free_asked, 1);
  behaviour_.free_bytes = 6 * kEach + kBuffer;
  behaviour_.on_deserialize = [&](const EngineRecord&) -> Status {
    EXPECT_EQ(behaviour_.free_asked, 2) << "not asked again once engines are being placed";
    return {};
  };
  EXPECT_TRUE(load(100 * kEach).ok());
  EXPECT_EQ(behaviour_.free_asked, 2);
}

TEST_F(SetLoaderTest, EveryLaneIsWarmedUpOnceAfterAllEnginesAreProven) {
  std::atomic<std::size_t> proven{0}, warmed{0}, too_early{0};
  behaviour_.on_model_run = [&](const std::string&) { ++proven; };
  behaviour_.on_warm_up = [&](const std::string&) -> Status {
    if (proven != records_.size()) ++too_early;
    ++warmed;
    return {};
  };
  ASSERT_TRUE(load().ok());
  EXPECT_EQ(warmed, records_.size());
  EXPECT_EQ(too_early, 0U);
}

TEST_F(SetLoaderTest, WhatTookLongestIsWarmedUpFirst) {
  behaviour_.on_model_run = [](const std::string& model) {
    const int ms = model == "delta" ? 60 : model == "bravo" ? 30 : 0;
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
  };
  std::vector<std::string> order;
  behaviour_.on_warm_up = [&](const std::string& model) -> Status {
    order.push_back(model);
    return {};
  };
  const std::uint64_t room_for_one_loader = records_.size() * (4096U + 100U + 16U + 16U);
  ASSERT_TRUE(load(room_for_one_loader).ok());
  ASSERT_EQ(order.size(), records_.size());
  EXPECT_EQ(order[0], "delta");
  EXPECT_EQ(order[1], "bravo");
}

TEST_F(SetLoaderTest, AWarmUpThatLosesTheDeviceRefusesTheSet) {
  behaviour_.on_warm_up = [](const std::string& model) -> Status {
    if (model != "charlie") return {};
    return make_error(ErrorCode::kInference, Reason::kDeviceLost, "", 719);
  };
  const auto refused = load();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kEngineDeserialize);
  EXPECT_EQ(refused.error().reason, Reason::kDeviceLost);
  EXPECT_EQ(refused.error().native_code, 719);
  EXPECT_THAT(refused.error().message, HasSubstr(records_[2].file + ": its warm-up failed"));
  EXPECT_EQ(events_.count("c7.engine_refused"), 1);
  EXPECT_EQ(behaviour_.engines_alive, 0);
}

TEST_F(SetLoaderTest, NothingIsWarmedUpForASetThatIsRefused) {
  damage(records_[5]);
  std::atomic<int> warmed{0};
  behaviour_.on_warm_up = [&](const std::string&) -> Status { return ++warmed, Status(); };
  EXPECT_FALSE(load().ok());
  EXPECT_EQ(warmed, 0);
}

Manifest manifest_of(std::initializer_list<std::uint64_t> sizes) {
  Manifest manifest;
  for (const std::uint64_t size : sizes) {
    EngineRecord record = fake_record("alpha");
    record.size_bytes = size;
    manifest.artifacts.push_back({record.model, manifest.artifacts.size(), record, {}});
  }
  return manifest;
}

TEST(LoaderCount, CoresAtMostFourAndWhatTheBudgetLeaves) {
  constexpr std::uint64_t kPlenty = 1ULL << 40U;
  const Manifest manifest = manifest_of({500, 100, 400, 100, 100});
  EXPECT_EQ(loader_count(manifest, kPlenty, 2), 2U);
  EXPECT_EQ(loader_count(manifest, kPlenty, 64), 4U);
  EXPECT_EQ(loader_count(manifest, kPlenty, 1), 1U);
  EXPECT_EQ(loader_count(manifest, 1200 + 3 * 500, 64), 3U);
  EXPECT_EQ(loader_count(manifest, 1200 + 3 * 500 - 1, 64), 2U);
  EXPECT_EQ(loader_count(manifest, 1200, 64), 1U) << "a set that fits without a copy to spare still loads";
  EXPECT_EQ(loader_count(manifest, 1, 64), 1U) << "the budget itself is checked for each engine";
  EXPECT_EQ(loader_count(manifest_of({500, 100}), kPlenty, 64), 2U) << "no more than there are engines";
  EXPECT_EQ(loader_count(manifest_of({}), 1, 8), 1U);
}

}  // namespace
}  // namespace skua::test
