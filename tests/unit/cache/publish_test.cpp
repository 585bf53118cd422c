#include "cache/publish.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/engine_verify.h"
#include "cache_fixture.h"
#include "fault_filesystem.h"

namespace skua::test {
namespace {

std::vector<std::string> names_in(const fs::path& folder) {
  return posix_file_system().open_folder(folder).value()->list().value();
}

TEST(PublishFile, ReplacesWholeAndInTheRightOrder) {
  const TempFolder temp;
  temp.write("f", "old");
  FaultFileSystem files;
  auto folder = files.open_folder(temp.path()).value();
  files.arm({});
  ASSERT_TRUE(accepted(publish_file(*folder, "f", bytes_of("new"))));
  EXPECT_EQ(temp.read("f"), "new");
  EXPECT_THAT(names_in(temp.path()), testing::ElementsAre("f"));
  EXPECT_THAT(
      files.journal(),
      testing::ElementsAre(testing::StartsWith("create .tmp-"), testing::StartsWith("write .tmp-"),
                           testing::StartsWith("sync .tmp-"), testing::EndsWith(" f"), "sync-folder"));
}

TEST(PublishFile, OnAnErrorTheOldFileStaysAndNoTemporary) {
  const TempFolder temp;
  temp.write("f", "old");
  FaultFileSystem files;
  auto folder = files.open_folder(temp.path()).value();
  for (std::uint64_t n = 1; n <= 4; ++n) {
    files.arm({n, Reason::kDiskFull, ENOSPC});
    EXPECT_TRUE(refused(publish_file(*folder, "f", bytes_of("new")), ErrorCode::kIo, Reason::kDiskFull)) << n;
    EXPECT_EQ(temp.read("f"), "old");
    EXPECT_THAT(names_in(temp.path()), testing::ElementsAre("f"));
  }
  files.arm({5, Reason::kIo,
             EIO});  // the folder's sync: the file is replaced already, but that is not certain to last
  EXPECT_FALSE(publish_file(*folder, "f", bytes_of("new")).ok());
  EXPECT_EQ(temp.read("f"), "new");
}

TEST(WriterLock, ExcludesASecondWriter) {
  const TempFolder temp;
  {
    const auto first = WriterLock::take(posix_file_system(), temp.path());
    ASSERT_TRUE(accepted(first));
    const auto second = WriterLock::take(posix_file_system(), temp.path());
    EXPECT_TRUE(refused(second, ErrorCode::kEngineBuild, Reason::kFolderBusy));
    EXPECT_THAT(second.error().message, testing::HasSubstr(temp.path().string()));
  }
  EXPECT_TRUE(accepted(WriterLock::take(posix_file_system(), temp.path())));
  EXPECT_TRUE(refused(WriterLock::take(posix_file_system(), temp.path() / "none"), ErrorCode::kEngineBuild,
                      Reason::kNotFound));
}

TEST(WriterLock, RemovesWhatAKilledWriterLeftAndNothingElse) {
  const TempFolder temp;
  temp.write(".staging-0123456789abcdef/golden/g", "x");
  temp.write(".staging-0123456789abcdef/e", "x");
  temp.write(".tmp-0123456789abcdef", "x");
  for (const char* other : {".tmp-mine", ".staging-0123456789abcdef0", ".tmp-0123456789abcdeg"})
    temp.write(other, "x");
  temp.write("rejected/keep", "x");
  temp.write("net.engine", "x");
  temp.write("outside/file", "x");
  fs::create_directory_symlink(temp.path() / "outside", temp.path() / ".staging-fedcba9876543210");
  ASSERT_TRUE(accepted(WriterLock::take(posix_file_system(), temp.path())));
  EXPECT_THAT(names_in(temp.path()),
              testing::UnorderedElementsAre(".tmp-mine", ".staging-0123456789abcdef0",
                                            ".tmp-0123456789abcdeg", "net.engine", "outside", "rejected"));
  EXPECT_TRUE(temp.has("outside/file"));
}

TEST(WriterLock, DiscardsStagingFoldersOnly) {
  const TempFolder temp;
  temp.write("keep/file", "x");
  WriterLock lock = WriterLock::take(posix_file_system(), temp.path()).value();
  const std::string one = lock.make_staging().value();
  const std::string two = lock.make_staging().value();
  EXPECT_NE(one, two);
  lock.discard(one);
  lock.discard("keep");
  EXPECT_THAT(names_in(temp.path()), testing::UnorderedElementsAre(two, "keep"));
}

TEST(PublishEngine, MakesAnEntryThatTheGateAdmits) {
  const TempFolder temp;
  EngineRecord draft = plan_record();
  draft.engine_sha256 = {};
  draft.size_bytes = 0;
  draft.golden.sha256 = {};
  draft.golden.size_bytes = 0;
  const auto published = publish_plan_with(posix_file_system(), temp.path(), draft);
  ASSERT_TRUE(accepted(published));
  EXPECT_EQ(*published, plan_record()) << "digests and sizes are computed from the staged bytes";
  const std::string file = published->file;
  EXPECT_THAT(names_in(temp.path()),
              testing::UnorderedElementsAre(file, file + ".golden", file + ".json", file + ".sha256"));
  EXPECT_EQ(temp.read(file + ".sha256"), digest_of(plan_bytes()).hex());
  EXPECT_EQ(decode_build_record(temp.read(file + ".json")).value(), *published);
  auto folder = posix_file_system().open_folder(temp.path()).value();
  BufferPool pool(1);
  EXPECT_TRUE(accepted(admit_cached(*folder, {file, {}, Precision::kFp16, orin(), true}, pool)));
}

TEST(PublishEngine, PutsTheSidecarLastAndRemovesTheOldOneFirst) {
  const TempFolder temp;
  publish_plan(temp.path(), plan_record());
  FaultFileSystem files;
  ASSERT_TRUE(accepted(publish_plan_with(files, temp.path(), plan_record(), plan_bytes(200))));
  const std::string file = plan_record().file;
  std::vector<std::string> steps;
  for (const std::string& step : files.journal()) {
    const bool is_final =
        step.starts_with("rename") || step == "sync-folder" || step == "remove " + file + ".sha256";
    if (is_final) steps.push_back(step.starts_with("rename") ? step.substr(step.rfind(' ') + 1) : step);
  }
  EXPECT_THAT(steps, testing::ElementsAre("remove " + file + ".sha256", "sync-folder", file + ".golden", file,
                                          file + ".json", "sync-folder", file + ".sha256", "sync-folder"));
}

TEST(PublishEngine, CopiesWhatTheBuildProcessWrote) {
  const TempFolder temp;
  WriterLock lock = WriterLock::take(posix_file_system(), temp.path()).value();
  const std::string staging = lock.make_staging().value();
  const EngineRecord record = plan_record();
  temp.write("elsewhere", plan_bytes());
  fs::create_hard_link(temp.path() / "elsewhere", temp.path() / staging / record.file);
  fs::permissions(temp.path() / "elsewhere", fs::perms::all);
  temp.write(fs::path(staging) / record.golden.file, golden_bytes());
  ASSERT_TRUE(accepted(publish_engine(lock, staging, record)));
  const FileInfo info = lock.folder().info(record.file).value();
  EXPECT_EQ(info.links, 1U);
  EXPECT_EQ(info.mode & 022U, 0U);
}

TEST(PublishEngine, RefusesAnIncompleteOrFalseBuild) {
  const TempFolder temp;
  const auto publish = [&](EngineRecord record, bool with_golden, bool is_link = false) {
    WriterLock lock = WriterLock::take(posix_file_system(), temp.path()).value();
    const std::string staging = lock.make_staging().value();
    if (is_link) {
      fs::create_symlink("/etc/hostname", temp.path() / staging / record.file);
    } else {
      temp.write(fs::path(staging) / record.file, plan_bytes());
    }
    if (with_golden) temp.write(fs::path(staging) / record.golden.file, golden_bytes());
    return publish_engine(lock, staging, record);
  };
  EXPECT_TRUE(refused(publish(plan_record(), false), ErrorCode::kEngineBuild, Reason::kNotFound));
  EXPECT_TRUE(refused(publish(plan_record(), true, true), ErrorCode::kEngineBuild, Reason::kNotRegularFile));
  EngineRecord record = plan_record();
  record.created = "";
  EXPECT_TRUE(refused(publish(record, true), ErrorCode::kEngineBuild, Reason::kBuildRecordMalformed));
  record = plan_record();
  record.file = "net.engine";
  EXPECT_TRUE(refused(publish(record, true), ErrorCode::kEngineSchemaMismatch, Reason::kEngineNameMalformed));
  WriterLock::take(posix_file_system(), temp.path()).value();
  EXPECT_TRUE(names_in(temp.path()).empty());
  EXPECT_TRUE(accepted(publish(plan_record(), true))) << "the control";
}

}  // namespace
}  // namespace skua::test
