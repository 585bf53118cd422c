#include "calibration/data_set.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <cstdio>

#include "core/hash.h"
#include "fault_filesystem.h"
#include "temp_folder.h"
#include "verdicts.h"

namespace skua::calibration {
namespace {

namespace fs = std::filesystem;
using test::FaultFileSystem;
using test::is_build_error;
using test::TempFolder;
using testing::ElementsAre;

class DataSetTest : public testing::Test {
 protected:
  Result<DataSet> read(std::size_t workers = 2) {
    DataSetOptions options;
    options.workers = workers;
    return read_data_set(*posix_file_system().open_folder(root_.path()).value(), options);
  }
  testing::AssertionResult is_malformed(const std::string& part) {
    return is_build_error(read(), Reason::kDataSetMalformed, part);
  }
  static std::vector<std::string> names_of(const DataSet& set) {
    std::vector<std::string> names;
    for (const DataSetFile& file : set.samples) names.push_back(file.name);
    return names;
  }
  void write_good() {
    root_.write("b.npz", "second");
    root_.write("a/z.npz", "first");
    root_.write("B.NPZ", "capital");
  }

  TempFolder root_;
};

TEST_F(DataSetTest, SamplesAreInTheOrderOfTheirNames) {
  write_good();
  const DataSet set = read().value();
  EXPECT_EQ(set.kind, SampleKind::kNpz);
  EXPECT_THAT(names_of(set), ElementsAre("B.NPZ", "a/z.npz", "b.npz"));
  EXPECT_EQ(set.size_bytes, 18U);
  EXPECT_EQ(set.samples[1].size_bytes, 5U);
  EXPECT_EQ(set.samples[1].sha256, sha256_of(std::as_bytes(std::span(std::string_view("first")))));
  EXPECT_TRUE(set.others.empty());
}

std::string output_of(const std::string& command) {
  std::string text;
  FILE* const pipe = popen(command.c_str(), "r");
  for (int c = 0; pipe != nullptr && (c = std::fgetc(pipe)) != EOF;) text += static_cast<char>(c);
  if (pipe != nullptr) pclose(pipe);
  return text;
}

/// docs/formats/data-set.md gives this command to whoever doubts a digest.
TEST_F(DataSetTest, TheDigestIsThatOfCommonTools) {
  write_good();
  const std::string found =
      output_of("cd '" + root_.path().string() +
                "' && { echo 'skua-data-set 1'; find . -type f -printf '%P\\0' | LC_ALL=C sort -z | xargs -0 "
                "sha256sum; } | sha256sum");
  EXPECT_EQ(read().value().digest.hex(), found.substr(0, 64));
}

TEST_F(DataSetTest, TheDigestIsOfNamesAndContentsAlone) {
  write_good();
  const Sha256 digest = read(1).value().digest;
  const TempFolder elsewhere;
  for (const char* name : {"a/z.npz", "b.npz", "B.NPZ"}) {  // another place, order and time
    elsewhere.write(name, root_.read(name));
    fs::last_write_time(elsewhere.path() / name, fs::file_time_type::clock::now() - std::chrono::hours(1));
  }
  const auto folder = posix_file_system().open_folder(elsewhere.path()).value();
  EXPECT_EQ(read_data_set(*folder).value().digest, digest);
  const std::vector<std::pair<std::string, std::function<void()>>> changes = {
      {"a byte", [&] { root_.write("b.npz", "Second"); }},
      {"one more", [&] { root_.write("c.npz", "third"); }},
      {"one less", [&] { fs::remove(root_.path() / "B.NPZ"); }},
      {"a name", [&] { fs::rename(root_.path() / "b.npz", root_.path() / "d.npz"); }},
      {"two swapped",
       [&] {
         root_.write("b.npz", "first");
         root_.write("a/z.npz", "second");
       }},
      {"a folder", [&] { fs::rename(root_.path() / "a", root_.path() / "e"); }}};
  for (const auto& [what, change] : changes) {
    fs::remove_all(root_.path() / "a");
    for (const auto& entry : fs::directory_iterator(root_.path())) fs::remove_all(entry);
    write_good();
    ASSERT_EQ(read().value().digest, digest);
    change();
    EXPECT_NE(read().value().digest, digest) << what;
  }
}

TEST_F(DataSetTest, ImagesNeedTheirPreprocessing) {
  root_.write("1.png", "x");
  root_.write("2.JPG", "y");
  root_.write("3.jpeg", "z");
  EXPECT_TRUE(is_malformed("preprocess.yaml: expected how an image becomes an input"));
  root_.write("preprocess.yaml", "layout: nchw\n");
  const DataSet set = read().value();
  EXPECT_EQ(set.kind, SampleKind::kImage);
  EXPECT_THAT(names_of(set), ElementsAre("1.png", "2.JPG", "3.jpeg"));
  ASSERT_EQ(set.others.size(), 1U);
  root_.write("preprocess.yaml", "layout: nhwc\n");
  EXPECT_NE(read().value().digest, set.digest);
}

TEST_F(DataSetTest, WhatIsNoSampleIsRefusedByName) {
  EXPECT_TRUE(is_malformed("expected at least one .npz"));
  write_good();
  const auto refuses = [&](const std::string& name, const std::string& part) {
    root_.write(name, "x");
    EXPECT_TRUE(is_malformed(part)) << name;
    fs::remove(root_.path() / name);
  };
  refuses("notes.txt", "notes.txt: expected a .npz");
  refuses(".hidden", ".hidden: expected a .npz");
  refuses("a/preprocess.yaml", "a/preprocess.yaml: expected a .npz");
  refuses("preprocess.yaml", "no such file beside .npz samples");
  refuses("image.png", "samples of one kind");
  refuses("a\nb.npz", "'a?b.npz': expected a name");
  refuses("\xff.npz", "expected a name");
  root_.write("empty.npz", "");
  EXPECT_TRUE(is_malformed("empty.npz: expected a sample, found an empty file"));
}

TEST_F(DataSetTest, LinksAndDevicesAreNeverFollowedOrWaitedFor) {
  write_good();
  const auto refuses = [&](const std::string& part) {
    EXPECT_TRUE(is_malformed(part));
    fs::remove(root_.path() / "c.npz");
  };
  fs::create_symlink("b.npz", root_.path() / "c.npz");
  refuses("c.npz: expected a regular file, found a link");
  fs::create_directory_symlink(".", root_.path() / "c.npz");  // a loop
  refuses("c.npz: expected a regular file, found a link");
  ASSERT_EQ(mkfifo((root_.path() / "c.npz").c_str(), 0600), 0);
  refuses("c.npz: expected a regular file, found a device");
}

TEST_F(DataSetTest, FoldersAreNestedToABound) {
  root_.write("1/2/3/4/5/6/7/8/a.npz", "x");
  EXPECT_THAT(names_of(read().value()), ElementsAre("1/2/3/4/5/6/7/8/a.npz"));
  root_.write("1/2/3/4/5/6/7/8/9/a.npz", "x");
  EXPECT_TRUE(is_malformed("1/2/3/4/5/6/7/8/9: expected at most 8 folders"));
}

TEST_F(DataSetTest, TheFirstOfSeveralFailuresIsTold) {
  for (int i = 100; i < 200; ++i) root_.write(std::to_string(i) + ".npz", i % 10 == 3 ? "" : "x");
  for (int round = 0; round < 20; ++round) EXPECT_TRUE(is_malformed("103.npz: expected a sample"));
}

TEST_F(DataSetTest, ProgressCountsFilesAndCancellingEnds) {
  write_good();
  const auto folder = posix_file_system().open_folder(root_.path()).value();
  std::vector<std::size_t> seen;
  DataSetOptions options;
  options.on_progress = [&](std::size_t done, std::size_t all) {
    seen.push_back(done);
    EXPECT_EQ(all, 3U);
  };
  EXPECT_TRUE(read_data_set(*folder, options).ok());
  EXPECT_THAT(seen, ElementsAre(1U, 2U, 3U));
  std::atomic<int> asked = 0;
  options.cancel_requested = [&] { return ++asked > 2; };
  EXPECT_TRUE(is_build_error(read_data_set(*folder, options), Reason::kCancelled));
}

TEST_F(DataSetTest, AFileThatChangesWhileItIsReadIsTold) {
  write_good();
  FaultFileSystem files;
  const auto folder = files.open_folder(root_.path()).value();
  DataSetOptions options;
  options.workers = 1;
  std::size_t told = 0, unseen = 0;
  bool has_ended = false;
  for (std::uint64_t at = 1; !has_ended; ++at) {
    test::FaultPlan plan;
    bool has_written = false;
    plan.before = [&](std::uint64_t operation) {
      if (operation != at) return;
      has_written = true;
      root_.write("b.npz", "other " + std::to_string(at));
    };
    files.arm(plan);
    const auto set = read_data_set(*folder, options);
    has_ended = !has_written;
    if (!set.ok()) {
      EXPECT_TRUE(is_build_error(set, Reason::kDataSetChanged, "b.npz"));
      ++told;
    } else if (has_written) {  // before it was opened, or after it was closed: the digest is of one content
      ++unseen;
    }
  }
  EXPECT_GE(told, 1U);
  EXPECT_GE(unseen, 5U);
}

TEST_F(DataSetTest, AFileThatComesOrGoesWhileTheSetIsReadIsTold) {
  const std::vector<std::function<void()>> changes = {[&] { root_.write("c.npz", "new"); },
                                                      [&] { fs::remove(root_.path() / "b.npz"); }};
  for (const auto& change : changes) {
    write_good();
    fs::remove(root_.path() / "c.npz");
    const auto folder = posix_file_system().open_folder(root_.path()).value();
    DataSetOptions options;
    options.workers = 1;
    options.on_progress = [&](std::size_t done, std::size_t) {
      if (done == 1) change();
    };
    EXPECT_TRUE(is_build_error(read_data_set(*folder, options), Reason::kDataSetChanged, "let nobody write"));
    options.on_progress = nullptr;
    EXPECT_TRUE(read_data_set(*folder, options).ok()) << "as it is now";
  }
}

TEST_F(DataSetTest, EveryFailingOperationIsATypedError) {
  write_good();
  FaultFileSystem files;
  const auto folder = files.open_folder(root_.path()).value();
  std::uint64_t failed = 0;
  for (std::uint64_t at = 1;; ++at) {
    files.arm({.fail_at = at});
    DataSetOptions options;
    options.workers = 1;
    const auto set = read_data_set(*folder, options);
    if (!files.has_fired()) break;
    EXPECT_TRUE(is_build_error(set, Reason::kIo, "data set, ")) << at;
    ++failed;
    files.arm(test::without_memory(at));
    EXPECT_TRUE(
        test::is_error(read_data_set(*folder, options), ErrorCode::kOutOfMemory, Reason::kOutOfMemory));
  }
  EXPECT_GE(failed, 10U);
}

TEST_F(DataSetTest, AFileIsReadBackOnlyAsItWasHashed) {
  write_good();
  const auto folder = posix_file_system().open_folder(root_.path()).value();
  const DataSetFile file = read().value().samples[1];
  const auto bytes = read_data_file(*folder, file).value();
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), "first");
  for (const char* other : {"First", "firs", "first ", ""}) {
    root_.write("a/z.npz", other);
    EXPECT_TRUE(is_build_error(read_data_file(*folder, file), Reason::kDataSetChanged, "a/z.npz")) << other;
  }
  fs::remove(root_.path() / "a/z.npz");
  EXPECT_TRUE(is_build_error(read_data_file(*folder, file), Reason::kDataSetChanged, "a/z.npz"));
  fs::create_symlink("../b.npz", root_.path() / "a/z.npz");
  EXPECT_FALSE(read_data_file(*folder, file).ok());
}

}  // namespace
}  // namespace skua::calibration
