// A cache, flight sets and a runtime over them, for the tests of loading.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/build_record.h"
#include "fake_cache.h"
#include "temp_folder.h"

namespace skua::test {

class LoadTest : public ::testing::Test {
 protected:
  LoadTest() {
    std::filesystem::create_directories(sets_dir_);
    std::filesystem::create_directories(cache_dir_);
  }

  RuntimeEnvironment make_environment(Role role = Role::kGround, std::uint64_t budget = 1U << 20U) {
    RuntimeEnvironment environment;
    environment.config.gpu_memory_budget_bytes = budget;
    environment.config.engine_cache_dir = cache_dir_;
    environment.config.lanes = {{"c2_vpr"}};
    environment.role = role;
    environment.host = fake_host();
    environment.events = &events_;
    return environment;
  }
  std::unique_ptr<FakeRuntime> make_runtime(Role role = Role::kGround, std::uint64_t budget = 1U << 20U) {
    return std::make_unique<FakeRuntime>(make_environment(role, budget), behaviour_);
  }

  EngineCacheEntry publish(const std::string& model) {
    return to_entry(publish_fake(cache_dir_, fake_record(model)), cache_dir_);
  }

  /// A signed set of these engines.
  std::filesystem::path publish_set(const std::vector<EngineRecord>& records, const PrivateKey* key) {
    return publish_fake_set(sets_dir_, cache_dir_, records, "set-1", {}, key);
  }
  std::filesystem::path publish_set(const std::vector<EngineRecord>& records) {
    return publish_set(records, &key_);
  }

  GatePolicy policy() const {
    GatePolicy policy;
    policy.trusted_keys = {key_.public_key().value()};
    return policy;
  }

  TempFolder root_;
  std::filesystem::path cache_dir_ = root_.path() / "cache";
  std::filesystem::path sets_dir_ = root_.path() / "sets";
  const PrivateKey key_ = PrivateKey::generate().value();
  FakeBehaviour behaviour_;
  RecordingSink events_;
};

}  // namespace skua::test
