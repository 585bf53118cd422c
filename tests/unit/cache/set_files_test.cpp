#include "cache/set_files.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "cache/engine_verify.h"
#include "cache/set_judge.h"
#include "cache_fixture.h"
#include "core/parallel.h"

namespace skua::test {
namespace {

class SetFiles : public testing::Test {
 protected:
  SetFiles() : set_(folders_.admit().value()) {}
  const ManifestFile& golden() const {
    return *find_listed(set_.manifest, golden_path(folders_.records()[0]));
  }
  fs::path path(const ManifestFile& file) const { return folders_.set() / file.name; }
  Status judge(const ManifestFile& file) { return judge_listed_file(*set_.folder, file, piece_); }
  std::vector<FileVerdict> judge_all(const HostTuple& host, std::size_t workers = 1) {
    return judge_files(set_, {host, [](const EngineRecord&) { return true; }, workers});
  }
  void flip(const fs::path& file, std::size_t offset) const {
    const fs::path name = fs::relative(file, folders_.temp().path());
    std::string bytes = folders_.temp().read(name);
    bytes[offset] = static_cast<char>(bytes[offset] ^ 1);
    folders_.temp().write(name, bytes);
  }

  PublishedFolders folders_;
  AdmittedSet set_;
  std::vector<std::byte> piece_ = std::vector<std::byte>(64);
};

TEST_F(SetFiles, RefusesOtherBytesOtherSizesAndNothing) {
  const std::string name = "sets/set-1/" + golden().name;
  for (std::size_t i = 0; i < golden_bytes().size(); i += 5) {
    flip(path(golden()), i);
    EXPECT_TRUE(refused(judge(golden()), ErrorCode::kManifest, Reason::kListedFileHashMismatch)) << i;
    flip(path(golden()), i);
  }
  EXPECT_TRUE(accepted(judge(golden())));
  folders_.temp().write(name, golden_bytes() + "x");
  EXPECT_TRUE(refused(judge(golden()), ErrorCode::kManifest, Reason::kFileSizeMismatch));
  fs::remove(path(golden()));
  EXPECT_TRUE(refused(judge(golden()), ErrorCode::kManifest, Reason::kListedFileMissing));
  fs::create_symlink("/etc/hostname", path(golden()));
  EXPECT_TRUE(refused(judge(golden()), ErrorCode::kEngineDeserialize, Reason::kNotRegularFile));
  fs::remove_all(folders_.set() / "golden");
  EXPECT_TRUE(refused(judge(golden()), ErrorCode::kManifest, Reason::kListedFileMissing));
  fs::create_symlink("..", folders_.set() / "golden");
  EXPECT_FALSE(judge(golden()).ok()) << "no folder is reached through a link";
}

TEST_F(SetFiles, AnEmptyListedFileIsHashedAsNothing) {
  folders_.temp().write("sets/set-1/empty", "");
  EXPECT_TRUE(accepted(judge({"empty", 0, digest_of("")})));
  EXPECT_FALSE(judge({"empty", 0, digest_of("x")}).ok());
}

/// Where a hand-made change of any file of the set is noticed: as a load looks, and as `skua verify` does.
bool is_noticed(const PublishedFolders& folders) {
  auto set = folders.admit();
  if (!set.ok()) return true;
  bool is_loaded = verify_listed_files(*set).ok();
  BufferPool pool(1);
  for (const ManifestArtifact& artifact : set->manifest.artifacts) {
    const EngineRecord& record = artifact.engine;
    const EngineExpectation expected{record.file, record, record.precision, orin(), true};
    is_loaded = is_loaded && EngineGate::admit(*set->folder, expected, pool).ok();
    std::vector<std::byte> piece(64);
    const ManifestFile* const golden = find_listed(set->manifest, golden_path(record));
    is_loaded = is_loaded && golden != nullptr && judge_listed_file(*set->folder, *golden, piece).ok();
  }
  const auto verdicts = judge_files(*set, {orin(), [](const EngineRecord&) { return true; }, 2});
  const bool is_judged_good = std::all_of(verdicts.begin(), verdicts.end(),
                                          [](const FileVerdict& verdict) { return verdict.status.ok(); });
  EXPECT_EQ(is_loaded, is_judged_good);
  return !is_loaded;
}

TEST_F(SetFiles, AChangeOfAnyListedFileIsNoticed) {
  ASSERT_FALSE(is_noticed(folders_)) << "the control";
  for (const ManifestFile& file : set_.manifest.files) {
    for (const std::size_t offset : {std::size_t{0}, static_cast<std::size_t>(file.size_bytes / 2),
                                     static_cast<std::size_t>(file.size_bytes - 1)}) {
      flip(path(file), offset);
      EXPECT_TRUE(is_noticed(folders_)) << file.name << " at " << offset;
      flip(path(file), offset);
    }
    const std::string name = "sets/set-1/" + file.name;
    const std::string whole = folders_.temp().read(name);
    for (const std::string& other : {std::string(), whole + "\n", whole.substr(1)}) {
      folders_.temp().write(name, other);
      EXPECT_TRUE(is_noticed(folders_)) << file.name;
    }
    folders_.temp().write(name, whole);
    fs::remove(path(file));
    EXPECT_TRUE(is_noticed(folders_)) << file.name;
    folders_.temp().write(name, whole);
  }
  EXPECT_FALSE(is_noticed(folders_)) << "the control, after all was put back";
}

TEST_F(SetFiles, VerifiesSmallFilesWithoutReadingEngines) {
  Spy spy;
  set_.folder = std::make_unique<SpyFolder>(posix_file_system().open_folder(folders_.set()).value(), spy);
  ASSERT_TRUE(accepted(verify_listed_files(set_)));
  EXPECT_EQ(spy.opens.size(), 4U) << "two sidecars, two build records";
  EXPECT_EQ(spy.opens.count(folders_.records()[0].file), 0U);
  ASSERT_TRUE(accepted(verify_all_files(set_)));
  EXPECT_EQ(spy.opens.size(), 8U);
}

std::vector<std::string> names_of(const std::vector<FileVerdict>& verdicts) {
  std::vector<std::string> names;
  for (const FileVerdict& verdict : verdicts) names.push_back(verdict.kind + " " + verdict.file);
  return names;
}

TEST_F(SetFiles, EveryFileIsJudgedAfterARefusalInAnOrderThatDoesNotChange) {
  const std::vector<std::string> order = names_of(judge_all(orin()));
  ASSERT_EQ(order.size(), 8U);
  EXPECT_EQ(order[0], "engine " + folders_.records()[0].file);
  EXPECT_EQ(order[1], "engine " + folders_.records()[1].file);
  flip(folders_.set() / folders_.records()[0].file, 40);
  flip(path(golden()), 3);
  for (const std::size_t workers : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{16}}) {
    const auto verdicts = judge_all(orin(), workers);
    EXPECT_EQ(names_of(verdicts), order) << workers;
    EXPECT_TRUE(refused(verdicts[0].status, ErrorCode::kEngineHashMismatch, Reason::kSidecarHashMismatch));
    int refusals = 0;
    for (const FileVerdict& verdict : verdicts) {
      refusals += verdict.status.ok() ? 0 : 1;
      if (verdict.file != golden().name) continue;
      EXPECT_TRUE(refused(verdict.status, ErrorCode::kManifest, Reason::kListedFileHashMismatch));
    }
    EXPECT_EQ(refusals, 2) << workers;
  }
}

TEST_F(SetFiles, EnginesAreJudgedAgainstTheHostGiven) {
  for (const FileVerdict& verdict : judge_all(orin())) EXPECT_TRUE(accepted(verdict.status)) << verdict.file;
  HostTuple other = orin();
  other.sm_count = 16;
  EXPECT_TRUE(refused(judge_all(other)[1].status, ErrorCode::kEngineDeserialize, Reason::kHostFactMismatch));
}

TEST_F(SetFiles, JudgingReadsEveryFileOnce) {
  Spy spy;
  set_.folder = std::make_unique<SpyFolder>(posix_file_system().open_folder(folders_.set()).value(), spy);
  for (const FileVerdict& verdict : judge_all(orin())) EXPECT_TRUE(accepted(verdict.status)) << verdict.file;
  for (const EngineRecord& record : folders_.records()) {
    EXPECT_EQ(spy.opens[record.file], 1);
    EXPECT_EQ(spy.bytes_read[record.file], record.size_bytes);
    EXPECT_EQ(spy.bytes_read[record.golden.file], record.golden.size_bytes);
  }
}

TEST(JudgeWorkers, ASmallSetIsWorthOne) {
  constexpr std::uint64_t kMiB = 1U << 20U;
  for (const std::uint64_t bytes : {std::uint64_t{0}, kMiB, 15 * kMiB}) {
    EXPECT_EQ(default_judge_workers(bytes), 1U) << bytes;
  }
  EXPECT_EQ(default_judge_workers(1500 * kMiB), std::min<std::size_t>(usable_cores(), 4));
  EXPECT_LE(default_judge_workers(16 * kMiB), 2U);
}

TEST_F(SetFiles, ACacheEntryIsHeldToTheRecordOnDiskAlone) {
  auto cache = posix_file_system().open_folder(folders_.cache()).value();
  const EngineRecord& record = folders_.records()[0];
  const EngineExpectation expected{record.file, record, record.precision, orin(), true};
  BufferPool pool(1);
  EXPECT_TRUE(accepted(admit_cached(*cache, expected, pool)));
  EXPECT_TRUE(accepted(judge_cached(*cache, expected, piece_)));
  fs::remove(folders_.cache() / (record.file + ".json"));
  for (const Status& verdict :
       {Status(admit_cached(*cache, expected, pool).error()), judge_cached(*cache, expected, piece_)}) {
    EXPECT_TRUE(refused(verdict, ErrorCode::kEngineHashMismatch, Reason::kBuildRecordMissing))
        << "a record that the caller brings along counts for nothing";
  }
}

TEST_F(SetFiles, ACacheEntryIsJudgedByItsBuildRecord) {
  auto cache = posix_file_system().open_folder(folders_.cache()).value();
  const std::string file = folders_.records()[0].file;
  const auto judged = [&] {
    return judge_cached(*cache, {file, {}, folders_.records()[0].precision, orin(), true}, piece_);
  };
  EXPECT_TRUE(accepted(judged()));
  folders_.temp().write("cache/" + file + ".json", "{}");
  EXPECT_TRUE(refused(judged(), ErrorCode::kEngineDeserialize, Reason::kBuildRecordMalformed));
  fs::remove(folders_.cache() / (file + ".json"));
  EXPECT_TRUE(refused(judged(), ErrorCode::kEngineHashMismatch, Reason::kBuildRecordMissing));
  // The stages before the record still come first.
  fs::remove(folders_.cache() / (file + ".sha256"));
  EXPECT_TRUE(refused(judged(), ErrorCode::kEngineSidecarMissing, Reason::kSidecarMissing));
}

}  // namespace
}  // namespace skua::test
