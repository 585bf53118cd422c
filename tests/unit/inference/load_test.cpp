// Loading through the gates: what is refused, what stays resident, and what an operator is told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "load_fixture.h"

namespace skua::test {
namespace {

using ::testing::HasSubstr;

TEST_F(LoadTest, CacheEntryBecomesResidentOnEveryDeclaredLane) {
  const EngineCacheEntry entry = publish("alpha");
  auto runtime = make_runtime();
  const auto handle = runtime->deserialize_engine(entry);
  ASSERT_TRUE(handle.ok()) << handle.error().describe();
  EXPECT_EQ(behaviour_.execution_count, 2);  // the lanes "default" and "c2_vpr"
  const auto info = runtime->info(*handle);
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->model, "alpha");
  EXPECT_EQ(info->device, "cpu");
  EXPECT_EQ(info->resident_bytes, 4096U + 2U * (100U + 16U + 16U));
  EXPECT_EQ(events_.count("c7.engine_deserialized"), 1);
}

TEST_F(LoadTest, FlippedByteNeverReachesTheDeserialiser) {
  const EngineCacheEntry entry = publish("alpha");
  std::fstream file(entry.engine_path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(1000);
  file.put('\x01');
  file.close();
  const auto handle = make_runtime()->deserialize_engine(entry);
  ASSERT_FALSE(handle.ok());
  EXPECT_EQ(handle.error().code, ErrorCode::kEngineHashMismatch);
  EXPECT_EQ(handle.error().reason, Reason::kSidecarHashMismatch);
  EXPECT_EQ(behaviour_.deserialize_count, 0);
  EXPECT_EQ(events_.count("c7.engine_refused"), 1);
}

TEST_F(LoadTest, EntryWithAnotherDigestIsRefused) {
  EngineCacheEntry entry = publish("alpha");
  entry.engine_sha256.bytes[0] ^= 1U;
  const auto handle = make_runtime()->deserialize_engine(entry);
  ASSERT_FALSE(handle.ok());
  EXPECT_EQ(handle.error().code, ErrorCode::kEngineHashMismatch);
  EXPECT_EQ(behaviour_.deserialize_count, 0);
}

TEST_F(LoadTest, OverBudgetIsRefusedBeforeDeserialising) {
  const EngineCacheEntry entry = publish("alpha");
  const std::uint64_t need = 4096U + 2U * (100U + 16U + 16U);
  const auto refused = make_runtime(Role::kGround, need - 1)->deserialize_engine(entry);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kOutOfMemory);
  EXPECT_EQ(refused.error().reason, Reason::kMemoryBudgetExceeded);
  EXPECT_EQ(behaviour_.deserialize_count, 0);
  EXPECT_TRUE(make_runtime(Role::kGround, need)->deserialize_engine(entry).ok());
}

TEST_F(LoadTest, WhatTheDeviceLacksIsRefusedBeforeDeserialising) {
  const EngineCacheEntry entry = publish("alpha");
  const std::uint64_t need = 4096U + 2U * (100U + 16U + 16U);
  const auto runtime = make_runtime(Role::kGround, 2 * need);
  behaviour_.free_bytes = need - 1;
  const auto refused = runtime->deserialize_engine(entry);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kOutOfMemory);
  EXPECT_EQ(refused.error().reason, Reason::kOutOfMemory);
  EXPECT_EQ(behaviour_.deserialize_count, 0);
  behaviour_.free_bytes = need;
  EXPECT_TRUE(runtime->deserialize_engine(entry).ok());  // the refused one has given its claim back
  EXPECT_TRUE(runtime->deserialize_engine(entry).ok());  // and one that is placed counts no more
}

TEST_F(LoadTest, BudgetIsGivenBackOnReleaseAndAfterARefusal) {
  const EngineCacheEntry entry = publish("alpha");
  auto runtime = make_runtime(Role::kGround, 4096U + 2U * (100U + 16U + 16U));
  for (int round = 0; round < 3; ++round) {
    behaviour_.wrong_result = true;
    EXPECT_FALSE(runtime->deserialize_engine(entry).ok());
    behaviour_.wrong_result = false;
    auto handle = runtime->deserialize_engine(entry);
    ASSERT_TRUE(handle.ok()) << handle.error().describe();
    EXPECT_FALSE(runtime->deserialize_engine(entry).ok());  // no room for a second one
    runtime->release_engine(*handle);
    EXPECT_EQ(behaviour_.engines_alive, 0);
  }
}

TEST_F(LoadTest, ContractAndGoldenAreHeld) {
  const EngineCacheEntry entry = publish("alpha");
  behaviour_.wrong_dtype = true;
  const auto contract = make_runtime()->deserialize_engine(entry);
  ASSERT_FALSE(contract.ok());
  EXPECT_EQ(contract.error().reason, Reason::kContractMismatch);
  behaviour_.wrong_dtype = false;
  behaviour_.wrong_result = true;
  const auto golden = make_runtime()->deserialize_engine(entry);
  ASSERT_FALSE(golden.ok());
  EXPECT_EQ(golden.error().reason, Reason::kGoldenMismatch);
  EXPECT_EQ(behaviour_.engines_alive, 0);
}

// A golden run on a device that is lost says nothing about the engine; the control is the other failure.
TEST_F(LoadTest, ALostDeviceIsNotBlamedOnTheEngine) {
  const EngineCacheEntry entry = publish("alpha");
  behaviour_.fail_run = true;
  behaviour_.run_error = Error{ErrorCode::kInference, Reason::kDeviceLost, 700, {}};
  const auto lost = make_runtime()->deserialize_engine(entry);
  ASSERT_FALSE(lost.ok());
  EXPECT_EQ(lost.error().reason, Reason::kDeviceLost);
  EXPECT_EQ(lost.error().native_code, 700);
  behaviour_.run_error = Error{ErrorCode::kInference, Reason::kExecutionFailed, 0, {}};
  const auto failed = make_runtime()->deserialize_engine(entry);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().reason, Reason::kGoldenMismatch);
}

TEST_F(LoadTest, WhatAStrategyCannotPlaceIsARefusalOfTheEngine) {
  const EngineCacheEntry entry = publish("alpha");
  behaviour_.fail_placement = true;
  const auto refused = make_runtime()->deserialize_engine(entry);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kEngineDeserialize);
  EXPECT_EQ(refused.error().reason, Reason::kContractMismatch);
  EXPECT_EQ(behaviour_.engines_alive, 0);
}

TEST_F(LoadTest, APlacementThatFailsGivesItsShareBack) {
  const std::uint64_t lane = 100U + 16U + 16U;
  const EngineCacheEntry entry = publish("alpha");
  auto runtime = make_runtime(Role::kGround, 4096U + 3U * lane);
  const EngineHandle handle = runtime->deserialize_engine(entry).value();
  const Lane third = runtime->create_lane("third").value();
  for (int attempt = 0; attempt < 3; ++attempt) {
    behaviour_.fail_placement = true;
    EXPECT_EQ(runtime->bind(handle, third).error().reason, Reason::kShapeMismatch);
  }
  behaviour_.fail_placement = false;
  EXPECT_TRUE(runtime->bind(handle, third).ok());
  EXPECT_EQ(runtime->info(handle)->resident_bytes, 4096U + 3U * lane);
  const Lane fourth = runtime->create_lane("fourth").value();
  EXPECT_EQ(runtime->bind(handle, fourth).error().reason, Reason::kMemoryBudgetExceeded);
}

TEST_F(LoadTest, ALateLaneThatCannotBeWarmedUpIsNotThere) {
  const std::uint64_t two_lanes_bytes = 4096U + 2U * (100U + 16U + 16U);
  auto runtime = make_runtime();
  const EngineHandle handle = runtime->deserialize_engine(publish("alpha")).value();
  const Lane late = runtime->create_lane("late").value();
  behaviour_.on_warm_up = [](const std::string&) -> Status {
    return make_error(ErrorCode::kOutOfMemory, Reason::kOutOfMemory, "");
  };
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto refused = runtime->bind(handle, late);
    ASSERT_FALSE(refused.ok()) << "a lane that was not warmed up runs";
    EXPECT_EQ(refused.error().code, ErrorCode::kOutOfMemory);
    EXPECT_EQ(runtime->info(handle)->resident_bytes, two_lanes_bytes);
  }
  behaviour_.on_warm_up = [](const std::string&) { return Status(); };
  EXPECT_TRUE(runtime->bind(handle, late).ok());
}

TEST_F(LoadTest, ALateLaneThatTheDeviceHasNoRoomForIsRefusedBeforeItIsPlaced) {
  const std::uint64_t lane_bytes = 100U + 16U + 16U;
  auto runtime = make_runtime();
  const EngineHandle handle = runtime->deserialize_engine(publish("alpha")).value();
  const Lane late = runtime->create_lane("late").value();
  const int placed = behaviour_.execution_count;
  behaviour_.free_bytes = lane_bytes - 1;
  const auto refused = runtime->bind(handle, late);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kOutOfMemory);
  EXPECT_EQ(refused.error().reason, Reason::kOutOfMemory);
  EXPECT_EQ(behaviour_.execution_count, placed);
  behaviour_.free_bytes = lane_bytes;
  EXPECT_TRUE(runtime->bind(handle, late).ok());
}

TEST_F(LoadTest, ASealedRuntimeLoadsNoSet) {
  const EngineRecord a = publish_fake(cache_dir_, fake_record("alpha"));
  const auto set_dir = publish_set({a});
  auto runtime = make_runtime();
  runtime->seal();
  EXPECT_EQ(runtime->load_flight_set(set_dir, policy()).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(make_runtime()->load_flight_set(set_dir, policy()).ok());
}

TEST_F(LoadTest, ASetWithoutItsGoldenFolderIsRefusedAndTold) {
  const EngineRecord a = publish_fake(cache_dir_, fake_record("alpha"));
  const auto set_dir = publish_set({a});
  std::filesystem::remove_all(set_dir / "golden");
  const auto refused = make_runtime()->load_flight_set(set_dir, policy());
  ASSERT_FALSE(refused.ok());
  EXPECT_TRUE(refused.error().is_load_refusal()) << refused.error().describe();
  EXPECT_EQ(events_.count("c7.engine_refused"), 1);
}

TEST_F(LoadTest, ChangedGoldenFileIsRefused) {
  const EngineCacheEntry entry = publish("alpha");
  const auto golden = entry.engine_path.string() + ".golden";
  std::fstream file(golden, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-1, std::ios::end);
  file.put('\x7f');
  file.close();
  const auto refused = make_runtime()->deserialize_engine(entry);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, Reason::kGoldenHashMismatch);
  EXPECT_EQ(behaviour_.deserialize_count, 0);
}

TEST_F(LoadTest, FlightSetLoadsAllMostCriticalFirst) {
  const EngineRecord a = publish_fake(cache_dir_, fake_record("alpha"));
  const EngineRecord b = publish_fake(cache_dir_, fake_record("bravo"));
  const auto set_dir = publish_set({b, a});
  auto runtime = make_runtime(Role::kAirborne);
  const auto set = runtime->load_flight_set(set_dir, policy());
  ASSERT_TRUE(set.ok()) << set.error().describe();
  ASSERT_EQ(set->engines.size(), 2U);
  EXPECT_EQ(set->engines[0].model, "bravo");
  EXPECT_NE(set->find("alpha"), nullptr);
  EXPECT_EQ(set->find("charlie"), nullptr);
  EXPECT_EQ(events_.count("c7.engines_ready"), 1);
  EXPECT_EQ(events_.count("c7.set_unsigned"), 0);
  EXPECT_EQ(set->signer, key_.public_key().value().fingerprint());
  EXPECT_FALSE(runtime->load_flight_set(set_dir, policy()).ok());  // one set a flight
}

TEST_F(LoadTest, OneBadEngineLoadsNoneAndAllAreJudged) {
  const EngineRecord a = publish_fake(cache_dir_, fake_record("alpha"));
  const EngineRecord b = publish_fake(cache_dir_, fake_record("bravo"));
  const EngineRecord c = publish_fake(cache_dir_, fake_record("charlie"));
  const auto set_dir = publish_set({a, b, c});
  for (const EngineRecord* record : {&b, &c}) {
    std::fstream file(set_dir / record->file, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(77);
    file.put('\x02');
  }
  const auto refused = make_runtime(Role::kAirborne)->load_flight_set(set_dir, policy());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kEngineHashMismatch);
  EXPECT_THAT(refused.error().message, HasSubstr(b.file));
  EXPECT_THAT(refused.error().message, HasSubstr("1 more"));
  EXPECT_EQ(events_.count("c7.engine_refused"), 2);
  EXPECT_EQ(behaviour_.engines_alive, 0);
}

TEST_F(LoadTest, ALaneOfOneEngineCostsNothingInTheOthers) {
  const EngineRecord a = publish_fake(cache_dir_, fake_record("alpha"));
  const EngineRecord b = publish_fake(cache_dir_, fake_record("bravo"));
  const auto set_dir = publish_set({a, b});
  RuntimeEnvironment environment;
  environment.config.lanes = {{"matcher", "bravo"}};
  environment.host = fake_host();
  FakeRuntime runtime(environment, behaviour_);
  const EngineSet set = runtime.load_flight_set(set_dir, policy()).value();
  const std::uint64_t lane = 100U + 16U + 16U;
  EXPECT_EQ(runtime.info(*set.find("alpha"))->resident_bytes, 4096U + lane);
  EXPECT_EQ(runtime.info(*set.find("bravo"))->resident_bytes, 4096U + 2 * lane);
  runtime.seal();
  const Lane matcher = runtime.create_lane("matcher").value();
  EXPECT_TRUE(runtime.bind(*set.find("bravo"), matcher).ok());
  EXPECT_EQ(runtime.bind(*set.find("alpha"), matcher).error().reason, Reason::kLaneNotDeclared);
}

TEST_F(LoadTest, UnsignedSetNeedsThePolicyAndIsTold) {
  const EngineRecord a = publish_fake(cache_dir_, fake_record("alpha"));
  const auto set_dir = publish_set({a}, nullptr);
  const auto refused = make_runtime()->load_flight_set(set_dir, policy());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, Reason::kUnsignedSet);
  GatePolicy relaxed = policy();
  relaxed.allow_unsigned = true;
  const auto set = make_runtime()->load_flight_set(set_dir, relaxed);
  ASSERT_TRUE(set.ok()) << set.error().describe();
  EXPECT_EQ(set->signer, std::nullopt);
  EXPECT_EQ(events_.count("c7.set_unsigned"), 1);
}

/// Refused for what the policy says, before the set is looked at: signed or not, it would not help.
TEST_F(LoadTest, WhatMayBeRelaxedOnTheGroundMayNotInTheAir) {
  const EngineRecord a = publish_fake(cache_dir_, fake_record("alpha"));
  const auto set_dir = publish_set({a});
  GatePolicy relaxed = policy(), crowded = policy();
  relaxed.allow_unsigned = true;
  for (int i = 0; i < 2; ++i)
    crowded.trusted_keys.push_back(PrivateKey::generate().value().public_key().value());
  for (const GatePolicy& wrong : {relaxed, crowded}) {
    const auto refused = make_runtime(Role::kAirborne)->load_flight_set(set_dir, wrong);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, ErrorCode::kManifest);
    EXPECT_EQ(refused.error().reason, Reason::kPolicyNotAirborne);
    EXPECT_EQ(behaviour_.deserialize_count, 0);
  }
  crowded.trusted_keys.pop_back();
  EXPECT_TRUE(make_runtime(Role::kAirborne)->load_flight_set(set_dir, crowded).ok())
      << "the current and the next";
  EXPECT_TRUE(make_runtime(Role::kGround)->load_flight_set(set_dir, relaxed).ok());
}

TEST_F(LoadTest, Fp32NeverFlies) {
  const EngineRecord a = publish_fake(cache_dir_, fake_record("alpha", Precision::kFp32));
  const auto set_dir = publish_set({a});
  const auto refused = make_runtime(Role::kAirborne)->load_flight_set(set_dir, policy());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, Reason::kPrecisionNotAirborne);
  EXPECT_TRUE(make_runtime(Role::kGround)->load_flight_set(set_dir, policy()).ok());
}

TEST_F(LoadTest, AirborneDeserialiseResolvesOnlyToTheLoadedSet) {
  const EngineRecord a = publish_fake(cache_dir_, fake_record("alpha"));
  const EngineRecord other = publish_fake(cache_dir_, fake_record("charlie_x"));
  const auto set_dir = publish_set({a});
  auto runtime = make_runtime(Role::kAirborne);
  const auto set = runtime->load_flight_set(set_dir, policy());
  ASSERT_TRUE(set.ok());
  const auto handle = runtime->deserialize_engine(to_entry(a, cache_dir_));
  ASSERT_TRUE(handle.ok());
  EXPECT_EQ(*handle, set->engines[0].handle);
  const auto refused = runtime->deserialize_engine(to_entry(other, cache_dir_));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, Reason::kNotInFlightSet);
  EXPECT_EQ(events_.count("c7.engine_refused"), 1);
}

TEST_F(LoadTest, AirborneNeverCompiles) {
  const auto refused = make_runtime(Role::kAirborne)->compile_engine("model.onnx", BuildConfig{});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kEngineBuild);
  EXPECT_EQ(refused.error().reason, Reason::kAirborneCannotBuild);
}

}  // namespace
}  // namespace skua::test
