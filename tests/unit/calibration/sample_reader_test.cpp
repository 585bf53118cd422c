// Samples of a data set on the disk, as a network is fed with them.
#include "calibration/sample_reader.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "fault_filesystem.h"
#include "picture_files.h"
#include "samples_fixture.h"
#include "temp_folder.h"
#include "verdicts.h"

namespace skua::calibration::sample_reader_tests {
namespace {

using skua::test::FaultFileSystem;
using skua::test::is_build_error;
using skua::test::is_error;
using skua::test::is_ok;
using skua::test::TempFolder;
using namespace skua::calibration::sample_tests;  // NOLINT(google-build-using-namespace)

const std::vector<TensorSpec> kInputs = {input("x", DType::kFloat32, {1, 2})};

std::string sample(float value) { return zip_of({{"x.npy", npy_of("<f4", "(1, 2)", floats({value, 0}))}}); }

class SampleReaderTest : public testing::Test {
 protected:
  SampleReaderTest() : folder_(posix_file_system().open_folder(root_.path()).value()) {}
  DataSet set() { return read_data_set(*folder_).value(); }

  TempFolder root_;
  std::unique_ptr<Folder> folder_;
};

TEST_F(SampleReaderTest, EverySampleIsReadUnderItsName) {
  for (int i = 0; i < 10; ++i) root_.write("f/" + std::to_string(i) + ".npz", sample(static_cast<float>(i)));
  const DataSet set = this->set();
  const SampleReader reader = SampleReader::open(*folder_, set, kInputs).value();
  for (std::size_t i = 0; i < 10; ++i) {
    const auto read = reader.read(set.samples[i]);
    ASSERT_TRUE(is_ok(read));
    EXPECT_EQ(read->find("x")->as<float>()[0], static_cast<float>(i));
  }
}

TEST_F(SampleReaderTest, OneDamagedSampleAmongAThousandIsNamed) {
  for (int i = 1000; i < 2000; ++i) root_.write(std::to_string(i) + ".npz", sample(static_cast<float>(i)));
  std::string damaged = sample(1);
  damaged[damaged.find("NUMPY") + 100] ^= 1;
  root_.write("1618.npz", damaged);
  const DataSet set = this->set();
  const SampleReader reader = SampleReader::open(*folder_, set, kInputs).value();
  std::size_t refused = 0;
  for (const DataSetFile& file : set.samples) {
    const auto read = reader.read(file);
    if (read.ok()) continue;
    EXPECT_TRUE(is_build_error(read, Reason::kDataSetMalformed, "data set, 1618.npz: ")) << file.name;
    ++refused;
  }
  EXPECT_EQ(refused, 1U);
}

TEST_F(SampleReaderTest, AFileThatChangedSinceItWasHashedIsTold) {
  root_.write("a.npz", sample(1));
  const DataSet set = this->set();
  const SampleReader reader = SampleReader::open(*folder_, set, kInputs).value();
  root_.write("a.npz", sample(2));
  EXPECT_TRUE(is_build_error(reader.read(set.samples[0]), Reason::kDataSetChanged, "a.npz"));
  root_.write("a.npz", sample(1));
  EXPECT_TRUE(is_ok(reader.read(set.samples[0]))) << "the control";
  std::filesystem::remove(root_.path() / "a.npz");
  EXPECT_TRUE(is_build_error(reader.read(set.samples[0]), Reason::kDataSetChanged, "a.npz"));
}

TEST_F(SampleReaderTest, AFileBeyondTheBoundIsRefusedUnread) {
  root_.write("a.npz", sample(1));
  DataSet set = this->set();
  const SampleReader reader = SampleReader::open(*folder_, set, kInputs).value();
  set.samples[0].size_bytes = kMaxSampleBytes + 1;
  EXPECT_TRUE(is_build_error(reader.read(set.samples[0]), Reason::kDataSetMalformed,
                             "a.npz: expected at most 2147483648 bytes"));
}

TEST_F(SampleReaderTest, EveryFailingOperationIsATypedError) {
  root_.write("f/a.npz", sample(1));
  const DataSet set = this->set();
  FaultFileSystem files;
  const auto folder = files.open_folder(root_.path()).value();
  const SampleReader reader = SampleReader::open(*folder, set, kInputs).value();
  std::uint64_t failed = 0;
  for (std::uint64_t at = 1;; ++at) {
    files.arm({.fail_at = at});
    const auto read = reader.read(set.samples[0]);
    if (!files.has_fired()) break;
    EXPECT_TRUE(is_build_error(read, Reason::kIo, "f/a.npz")) << at;
    ++failed;
  }
  EXPECT_GE(failed, 3U);
}

const std::vector<TensorSpec> kImageInputs = {input("images", DType::kFloat32, {1, 3, 2, 2})};

std::string picture(int value) {
  return skua::test::encode_png(
      Image{2, 2, 3, std::vector<std::uint8_t>(12, static_cast<std::uint8_t>(value))});
}

TEST_F(SampleReaderTest, ImagesBecomeTheNetworksInput) {
  root_.write("preprocess.yaml", "channels: rgb\nlayout: nchw\nscale: 0.5\n");
  root_.write("a.png", picture(4));
  root_.write("b/c.PNG", picture(6));
  const DataSet set = this->set();
  const SampleReader reader = SampleReader::open(*folder_, set, kImageInputs).value();
  EXPECT_EQ(reader.read(set.samples[0]).value().find("images")->as<float>()[11], 2.0F);
  EXPECT_EQ(reader.read(set.samples[1]).value().find("images")->as<float>()[0], 3.0F);
}

TEST_F(SampleReaderTest, OneDamagedImageAmongAThousandIsNamed) {
  root_.write("preprocess.yaml", "channels: rgb\nlayout: nchw\n");
  for (int i = 1000; i < 2000; ++i) root_.write(std::to_string(i) + ".png", picture(i % 256));
  const std::string whole = picture(1);
  root_.write("1618.png", whole.substr(0, whole.size() - 5));
  const DataSet set = this->set();
  const SampleReader reader = SampleReader::open(*folder_, set, kImageInputs).value();
  std::size_t refused = 0;
  for (const DataSetFile& file : set.samples) {
    const auto read = reader.read(file);
    if (read.ok()) continue;
    EXPECT_TRUE(is_build_error(read, Reason::kDataSetMalformed, "data set, 1618.png: ")) << file.name;
    ++refused;
  }
  EXPECT_EQ(refused, 1U);
}

TEST_F(SampleReaderTest, HowImagesAreReadIsJudgedBeforeAnyIs) {
  root_.write("a.png", picture(4));
  const auto open = [&](const std::string& yaml, std::vector<TensorSpec> inputs = kImageInputs) {
    root_.write("preprocess.yaml", yaml);
    return SampleReader::open(*folder_, set(), std::move(inputs));
  };
  EXPECT_TRUE(is_ok(open("channels: rgb\nlayout: nchw\n"))) << "the control";
  EXPECT_TRUE(
      is_build_error(open("channels: rgb\n"), Reason::kDataSetMalformed, "preprocess.yaml:1:1: layout"));
  EXPECT_TRUE(is_build_error(open("channels: gray\nlayout: nchw\n"), Reason::kDataSetMalformed, "1x1x2x2"));
  EXPECT_TRUE(is_build_error(open("channels: rgb\nlayout: nchw\n", {kImageInputs[0], kInputs[0]}),
                             Reason::kDataSetMalformed, "a network with one input"));
  EXPECT_TRUE(is_build_error(open(std::string(kMaxPreprocessBytes + 1, '#')), Reason::kDataSetMalformed,
                             "preprocess.yaml: expected at most 65536 bytes"));
  root_.write("preprocess.yaml", "channels: rgb\nlayout: nchw\n");
  const DataSet set = this->set();
  root_.write("preprocess.yaml", "channels: bgr\nlayout: nchw\n");
  EXPECT_TRUE(is_build_error(SampleReader::open(*folder_, set, kImageInputs), Reason::kDataSetChanged,
                             "preprocess.yaml"));
}

TEST_F(SampleReaderTest, AnImageFileBeyondTheBoundIsRefusedUnread) {
  root_.write("preprocess.yaml", "channels: rgb\nlayout: nchw\n");
  root_.write("a.png", picture(4));
  DataSet set = this->set();
  const SampleReader reader = SampleReader::open(*folder_, set, kImageInputs).value();
  set.samples[0].size_bytes = kMaxImageFileBytes + 1;
  EXPECT_TRUE(is_build_error(reader.read(set.samples[0]), Reason::kDataSetMalformed,
                             "a.png: expected at most 67108864 bytes"));
}

/// A data set whose files have these contents, one letter each.
DataSet set_of(const std::string& contents) {
  DataSet set;
  for (const char content : contents) {
    DataSetFile file{std::to_string(set.samples.size()), 1, {}};
    file.sha256.bytes[0] = static_cast<std::uint8_t>(content);
    set.samples.push_back(file);
  }
  return set;
}

/// tests/python/test_samples.py has the same rows for the Python half.
TEST(SampleSplit, IsThatOfTheOtherReader) {
  std::ifstream rows(std::string(SKUA_SOURCE_DIR) + "/tests/fixtures/samples/splits.txt");
  std::size_t count = 0;
  for (std::string row; std::getline(rows, row);) {
    if (row.starts_with('#')) continue;
    std::istringstream words(row);
    std::string contents, expected;
    words >> contents >> expected;
    const auto split = calibration::split(set_of(contents));
    ++count;
    if (expected == "refused") {
      EXPECT_TRUE(is_build_error(split, Reason::kDataSetMalformed, "at least 2 samples that differ"))
          << contents;
      continue;
    }
    ASSERT_TRUE(is_ok(split)) << contents;
    std::string found(contents.size(), '-');
    for (const DataSetFile& file : split->calibrating) found[std::stoul(file.name)] = 'c';
    for (const DataSetFile& file : split->judging) found[std::stoul(file.name)] = 'j';
    EXPECT_EQ(found, expected) << contents;
  }
  EXPECT_GE(count, 10U);
}

}  // namespace
}  // namespace skua::calibration::sample_reader_tests
