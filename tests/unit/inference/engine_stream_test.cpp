// Engines verified ahead of their consumer: in order, every one judged, and in the same memory.
#include "inference/engine_stream.h"

#include <gtest/gtest.h>

#include <set>

#include "core/hash.h"
#include "fake_cache.h"
#include "temp_folder.h"

namespace skua::test {
namespace {

constexpr std::size_t kEngineBytes = 5U << 19U;  // 2.5 MiB

class EngineStreamTest : public testing::Test {
 protected:
  EngineStreamTest() {
    for (const char* const name : {"alpha", "bravo", "charlie", "delta", "echo", "foxtrot"}) {
      const EngineRecord record = publish_fake(root_.path(), fake_record(name), kEngineBytes);
      expectations_.push_back({record.file, record, record.precision, fake_host(), false});
    }
  }
  void damage(std::size_t index) {
    std::fstream file(root_.path() / expectations_[index].file,
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(77);
    file.put('\x02');
  }

  TempFolder root_;
  std::vector<EngineExpectation> expectations_;
  // The cache's folder serves as both: golden files lie beside the engines there.
  std::unique_ptr<Folder> folder_ = posix_file_system().open_folder(root_.path()).value();
};

TEST_F(EngineStreamTest, HandsOutAllInOrderWhateverTheWorkers) {
  for (std::size_t workers = 1; workers <= 8; ++workers) {
    EngineStream stream(*folder_, *folder_, expectations_, system_clock(), workers);
    for (const EngineExpectation& expected : expectations_) {
      const PreparedEngine prepared = stream.next();
      ASSERT_TRUE(prepared.status().ok()) << prepared.status().error().describe();
      EXPECT_EQ(prepared.engine->record().file, expected.file);
      EXPECT_EQ(sha256_of(prepared.engine->bytes()), expected.record->engine_sha256);
      EXPECT_NE(prepared.golden->inputs.find("x"), nullptr);
      EXPECT_GT(prepared.verify_ns, 0);
    }
  }
}

TEST_F(EngineStreamTest, OneWorkerLivesInTwoBuffers) {
  EngineStream stream(*folder_, *folder_, expectations_, system_clock());
  std::set<const std::byte*> memory;
  for (std::size_t i = 0; i < expectations_.size(); ++i) {
    const PreparedEngine prepared = stream.next();
    ASSERT_TRUE(prepared.status().ok());
    memory.insert(prepared.engine->bytes().data());
  }
  EXPECT_LE(memory.size(), 2U) << "six engines";
}

TEST_F(EngineStreamTest, WhoKeepsEnginesGetsMemoryOfTheirOwn) {
  EngineStream stream(*folder_, *folder_, expectations_, system_clock());
  std::vector<PreparedEngine> kept;
  for (std::size_t i = 0; i < expectations_.size(); ++i) kept.push_back(stream.next());
  for (std::size_t i = 0; i < kept.size(); ++i) {
    EXPECT_EQ(sha256_of(kept[i].engine->bytes()), expectations_[i].record->engine_sha256) << i;
  }
}

TEST_F(EngineStreamTest, ARefusalDoesNotStopTheNext) {
  damage(1);
  damage(4);
  for (const std::size_t workers : {std::size_t{1}, std::size_t{3}}) {
    EngineStream stream(*folder_, *folder_, expectations_, system_clock(), workers);
    for (std::size_t i = 0; i < expectations_.size(); ++i) {
      const PreparedEngine prepared = stream.next();
      EXPECT_EQ(prepared.engine.ok(), i != 1 && i != 4) << i;
      if (prepared.engine.ok()) continue;
      EXPECT_EQ(prepared.status().error().reason, Reason::kSidecarHashMismatch);
    }
  }
}

TEST_F(EngineStreamTest, MayBeLeftBeforeItsEnd) {
  for (const std::size_t workers : {std::size_t{1}, std::size_t{4}}) {
    EngineStream stream(*folder_, *folder_, expectations_, system_clock(), workers);
    EXPECT_TRUE(stream.next().status().ok());
  }
}

}  // namespace
}  // namespace skua::test
