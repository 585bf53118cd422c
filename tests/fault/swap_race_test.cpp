// Files of a set are swapped, written in place and cut while the set is verified and loaded: what comes to
// the deserialiser is always what was signed, and no file of the set is ever mapped, so that cutting one
// cannot raise SIGBUS.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "core/hash.h"
#include "counts.h"
#include "flight_loads.h"
#include "swapper.h"

namespace skua::test {
namespace {

/// Whether any file below `folder` is mapped into this process.
bool is_mapped(const fs::path& folder) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find(folder.string() + "/") != std::string::npos) return true;
  }
  return false;
}

/// Two signed sets of the same engine name and other bytes; set 1 is the one that is spoilt, and is CURRENT.
class SwapRace : public testing::Test {
 protected:
  SwapRace() : world_{temp_.path()} {
    for (const std::uint64_t number : {2U, 1U}) {
      const EngineRecord record = make_world(world_, 4096 * (number + 1));
      publish_number(posix_file_system(), world_, record, number).value();
      signed_.insert(record.engine_sha256.hex());
      file_ = record.file;
    }
  }
  fs::path set(std::uint64_t number) const { return world_.sets() / set_id_of(number); }

  void look(const VerifiedEngine& engine) {
    const Sha256 found = sha256_of(engine.bytes());
    const bool is_signed = signed_.count(found.hex()) == 1 && found == engine.record().engine_sha256;
    const std::lock_guard lock(mutex_);
    if (!is_signed) ++wrong_;
    if (++looked_ % 64 == 1 && is_mapped(world_.root)) ++mapped_;
  }

  /// One load of the set that CURRENT names, in a new runtime.
  void load_once() {
    FakeBehaviour behaviour;
    behaviour.on_bytes = [this](const VerifiedEngine& engine) { look(engine); };
    const auto runtime = airborne_runtime(behaviour);
    const auto folder = current_set(posix_file_system(), world_.sets());
    const auto loaded =
        folder.ok() ? runtime->load_flight_set(*folder, flight_policy()) : Error(folder.error());
    if (loaded.ok()) {
      ++accepted_;
      return;
    }
    ++refused_[to_string(loaded.error().reason)];
    if (loaded.error().code == ErrorCode::kInternal) ADD_FAILURE() << loaded.error().describe();
  }

  TempFolder temp_{memory_folder()};
  World world_;
  std::set<std::string> signed_;  ///< digests of the two engines
  std::string file_;
  std::mutex mutex_;
  std::int64_t looked_ = 0, wrong_ = 0, mapped_ = 0, accepted_ = 0;
  std::map<std::string_view, std::int64_t> refused_;
};

TEST_F(SwapRace, WhatIsLoadedIsWhatWasSigned) {
  const std::int64_t rounds = skua_test::count("swap_rounds");
  std::int64_t raced = 0, loads = 0, refused = 0;
  {
    Swapper swapper(world_, set(1), set(2));
    for (; raced < rounds && loads < rounds * 8; ++loads) {
      const std::uint64_t before = swapper.swaps();
      load_once();
      if (swapper.swaps() != before) ++raced;
    }
  }
  for (const auto& [reason, times] : refused_) {
    std::cout << times << " " << reason << ", ";
    refused += times;
  }
  std::cout << accepted_ << " accepted; " << raced << " of " << loads << " loads had a swap inside\n";
  EXPECT_EQ(wrong_, 0);
  EXPECT_EQ(mapped_, 0);
  EXPECT_GT(accepted_ * 50, loads) << "hardly a set was loaded: the gate refuses too much";
  EXPECT_GT(refused * 50, loads) << "hardly a set was refused: the swapper does nothing";
  EXPECT_GT(refused_.size(), 4U) << "the swapper hits the same stage always";
  EXPECT_EQ(raced, rounds) << "the swapper is too slow";
  load_once();
  EXPECT_EQ(accepted_, loads - refused + 1) << "the set as it was";
  skua_test::reached("swap_rounds", raced);
}

/// Negative control: a loader that hashes one opening of the file and reads another gets bytes that nobody
/// signed.
TEST_F(SwapRace, ALoaderThatOpensTwiceIsCaught) {
  Swapper swapper(world_, set(1), set(2));
  const auto folder = posix_file_system().open_folder(set(1)).value();
  const Sha256 expected = hash_file(*folder->open_read(file_).value()).value();
  for (int round = 0; round < 1000000 && wrong_ == 0; ++round) {
    const auto first = folder->open_read(file_);
    const auto digest = first.ok() ? hash_file(**first) : Result<Sha256>(first.error());
    if (!digest.ok() || *digest != expected) continue;
    const auto second = read_text(*folder, file_, 1U << 20U);
    if (second.ok() && sha256_of(std::as_bytes(std::span(*second))) != expected) ++wrong_;
  }
  EXPECT_GT(wrong_, 0);
}

/// Control of the look into the mappings.
TEST_F(SwapRace, AMappedFileIsSeen) {
  EXPECT_FALSE(is_mapped(world_.root));
  const int file = open((set(1) / file_).c_str(), O_RDONLY | O_CLOEXEC);
  void* const memory = mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, file, 0);
  close(file);
  ASSERT_NE(memory, MAP_FAILED);
  EXPECT_TRUE(is_mapped(world_.root));
  munmap(memory, 4096);
}

}  // namespace
}  // namespace skua::test
