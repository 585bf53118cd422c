#include "cache/set_files.h"

#include <gtest/gtest.h>

#include "cache/engine_verify.h"
#include "cache_fixture.h"

namespace skua::test {
namespace {

class SetFiles : public testing::Test {
 protected:
  SetFiles() : set_(folders_.admit().value()) {}
  const ManifestFile& golden() const {
    return *find_listed(set_.manifest, golden_path(folders_.records()[0]));
  }
  fs::path path(const ManifestFile& file) const { return folders_.set() / file.name; }
  Result<Buffer> read(const ManifestFile& file) { return read_listed_file(*set_.folder, file, pool_); }
  void flip(const fs::path& file, std::size_t offset) const {
    const fs::path name = fs::relative(file, folders_.temp().path());
    std::string bytes = folders_.temp().read(name);
    bytes[offset] = static_cast<char>(bytes[offset] ^ 1);
    folders_.temp().write(name, bytes);
  }

  PublishedFolders folders_;
  AdmittedSet set_;
  BufferPool pool_{2};
};

TEST_F(SetFiles, ReadsTheListedBytes) {
  const auto bytes = read(golden());
  ASSERT_TRUE(accepted(bytes));
  EXPECT_TRUE(std::ranges::equal(bytes->bytes(), bytes_of(golden_bytes())));
}

TEST_F(SetFiles, RefusesOtherBytesOtherSizesAndNothing) {
  const std::string name = "sets/set-1/" + golden().name;
  for (std::size_t i = 0; i < golden_bytes().size(); i += 5) {
    flip(path(golden()), i);
    EXPECT_TRUE(refused(read(golden()), ErrorCode::kManifest, Reason::kListedFileHashMismatch)) << i;
    flip(path(golden()), i);
  }
  EXPECT_TRUE(accepted(read(golden())));
  folders_.temp().write(name, golden_bytes() + "x");
  EXPECT_TRUE(refused(read(golden()), ErrorCode::kManifest, Reason::kFileSizeMismatch));
  fs::remove(path(golden()));
  EXPECT_TRUE(refused(read(golden()), ErrorCode::kManifest, Reason::kListedFileMissing));
  fs::create_symlink("/etc/hostname", path(golden()));
  EXPECT_TRUE(refused(read(golden()), ErrorCode::kEngineDeserialize, Reason::kNotRegularFile));
  fs::remove_all(folders_.set() / "golden");
  EXPECT_TRUE(refused(read(golden()), ErrorCode::kManifest, Reason::kListedFileMissing));
  fs::create_symlink("..", folders_.set() / "golden");
  EXPECT_FALSE(read(golden()).ok()) << "no folder is reached through a link";
}

TEST_F(SetFiles, AnEmptyListedFileIsReadAsNothing) {
  folders_.temp().write("sets/set-1/empty", "");
  const auto bytes = read({"empty", 0, digest_of("")});
  ASSERT_TRUE(accepted(bytes));
  EXPECT_TRUE(bytes->bytes().empty());
}

/// Where a hand-made change of any file of the set is noticed, in the order in which the runtime looks.
bool is_noticed(const PublishedFolders& folders) {
  auto set = folders.admit();
  if (!set.ok()) return true;
  BufferPool pool(1);
  if (!verify_listed_files(*set, pool).ok()) return true;
  const auto expectations = expectations_of(set->manifest, orin(), [](const EngineRecord&) { return true; });
  for (const EngineExpectation& expected : expectations) {
    if (!EngineGate::admit(*set->folder, expected, pool).ok()) return true;
    const ManifestFile* const golden = find_listed(set->manifest, golden_path(*expected.record));
    if (golden == nullptr || !read_listed_file(*set->folder, *golden, pool).ok()) return true;
  }
  return false;
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
  ASSERT_TRUE(accepted(verify_listed_files(set_, pool_)));
  EXPECT_EQ(spy.opens.size(), 4U) << "two sidecars, two build records";
  EXPECT_EQ(spy.opens.count(folders_.records()[0].file), 0U);
  ASSERT_TRUE(accepted(verify_all_files(set_, pool_)));
  EXPECT_EQ(spy.opens.size(), 8U);
}

class FixedClock final : public Clock {
 public:
  std::int64_t monotonic_ns() const noexcept override { return now_ns_ += 5; }
  std::int64_t utc_us() const noexcept override { return 0; }

 private:
  mutable std::int64_t now_ns_ = 0;
};

TEST_F(SetFiles, EveryEngineIsJudgedAfterARefusal) {
  const auto always_gpu = [](const EngineRecord&) { return true; };
  const auto expectations = expectations_of(set_.manifest, orin(), always_gpu);
  const FixedClock clock;
  auto verdicts = judge_engines(*set_.folder, expectations, pool_, clock);
  ASSERT_EQ(verdicts.size(), 2U);
  for (const EngineVerdict& verdict : verdicts) {
    EXPECT_TRUE(accepted(verdict.status));
    EXPECT_EQ(verdict.size_bytes, plan_bytes().size());
    EXPECT_EQ(verdict.elapsed_ns, 5);
  }
  flip(folders_.set() / folders_.records()[0].file, 40);
  verdicts = judge_engines(*set_.folder, expectations, pool_, clock);
  EXPECT_TRUE(refused(verdicts[0].status, ErrorCode::kEngineHashMismatch, Reason::kSidecarHashMismatch));
  EXPECT_TRUE(accepted(verdicts[1].status));
  HostTuple other = orin();
  other.sm_count = 16;
  verdicts = judge_engines(*set_.folder, expectations_of(set_.manifest, other, always_gpu), pool_, clock);
  EXPECT_TRUE(refused(verdicts[1].status, ErrorCode::kEngineDeserialize, Reason::kHostFactMismatch));
}

TEST_F(SetFiles, ACacheEntryIsHeldToTheRecordOnDiskAlone) {
  auto cache = posix_file_system().open_folder(folders_.cache()).value();
  const EngineRecord& record = folders_.records()[0];
  const EngineExpectation expected{record.file, record, record.precision, orin(), true};
  EXPECT_TRUE(accepted(admit_cached(*cache, expected, pool_)));
  fs::remove(folders_.cache() / (record.file + ".json"));
  EXPECT_TRUE(refused(admit_cached(*cache, expected, pool_), ErrorCode::kEngineHashMismatch,
                      Reason::kBuildRecordMissing))
      << "a record that the caller brings along counts for nothing";
}

TEST_F(SetFiles, ACacheIsJudgedByItsBuildRecords) {
  auto cache = posix_file_system().open_folder(folders_.cache()).value();
  const FixedClock clock;
  const auto judge = [&] {
    return judge_cache(
               *cache, orin(), [](const EngineRecord&) { return true; }, pool_, clock)
        .value();
  };
  ASSERT_EQ(judge().size(), 2U);
  EXPECT_TRUE(accepted(judge()[0].status));
  const std::string record = folders_.records()[0].file + ".json";
  folders_.temp().write("cache/" + record, "{}");
  EXPECT_TRUE(refused(judge()[0].status, ErrorCode::kEngineDeserialize, Reason::kBuildRecordMalformed));
  fs::remove(folders_.cache() / record);
  EXPECT_TRUE(refused(judge()[0].status, ErrorCode::kEngineHashMismatch, Reason::kBuildRecordMissing));
  // The stages before the record still come first.
  fs::remove(folders_.cache() / (folders_.records()[0].file + ".sha256"));
  EXPECT_TRUE(refused(judge()[0].status, ErrorCode::kEngineSidecarMissing, Reason::kSidecarMissing));
  EXPECT_TRUE(accepted(judge()[1].status));
  folders_.temp().write("cache/stray.engine", "x");
  EXPECT_TRUE(refused(judge()[2].status, ErrorCode::kEngineSchemaMismatch, Reason::kEngineNameMalformed));
}

}  // namespace
}  // namespace skua::test
