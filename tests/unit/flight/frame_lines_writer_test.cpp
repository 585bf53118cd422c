// Frame lines: strict JSON whatever a file is called, and lines that a full disk takes are counted.
#include "flight/frame_lines_writer.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <limits>
#include <sstream>

#include "child_process.h"
#include "core/json_strict.h"
#include "hot_path_counters.h"
#include "temp_folder.h"
#include "verdicts.h"

namespace skua::flight::frame_lines_writer_tests {
namespace {

using skua::test::in_child;
using skua::test::is_error;
using skua::test::is_ok;
using skua::test::TempFolder;

FrameResult found() {
  FrameResult result;
  result.frame = 12;
  result.tile = 3;
  result.position = {1234.5678, -0.25};
  result.deviation = {0.5, 0.125};
  result.candidates = 3;
  result.matches = 60;
  result.inliers = 50;
  result.after_due_ns = 11'250'000;
  for (std::size_t i = 0; i < kStages; ++i) result.took_ns[i] = static_cast<std::int64_t>(i) * 1'500'000;
  return result;
}

FrameResult lost(Reason reason, Stage stage) {
  FrameResult result;
  result.reason = reason;
  result.failed_stage = stage;
  return result;
}

/// The code points of UTF-8 `text`, all below 256, as bytes: what the file was called.
std::string bytes_of(const std::string& text) {
  std::string bytes;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto first = static_cast<unsigned char>(text[at]);
    const unsigned second = first < 0x80 ? 0U : static_cast<unsigned char>(text[++at]);
    bytes += static_cast<char>(first < 0x80 ? first : ((first & 3U) << 6U) | (second & 0x3fU));
  }
  return bytes;
}

class FrameLinesWriterTest : public ::testing::Test {
 protected:
  FrameLinesWriter open() { return FrameLinesWriter::open(path()).value(); }
  std::filesystem::path path() const { return folder_.path() / "frames.jsonl"; }
  std::vector<Json> lines() const {
    std::vector<Json> all;
    std::istringstream text(folder_.read("frames.jsonl"));
    for (std::string line; std::getline(text, line);) {
      auto parsed = parse_json(line);
      EXPECT_TRUE(is_ok(parsed)) << line;
      all.push_back(parsed.ok() ? *parsed : Json());
    }
    return all;
  }
  TempFolder folder_;
};

TEST_F(FrameLinesWriterTest, AFrameWithAPositionIsALine) {
  open().write(found(), "00012.jpg", "t03.png");
  const Json expected = parse_json(R"({"frame":12,"picture":"00012.jpg","k":3,"throttled":false,
    "tile":"t03.png","x":1234.568,"y":-0.250,"sigma_x":0.5,"sigma_y":0.125,"covariance":"marginals",
    "matches":60,"inliers":50,"refined":false,"after_due_ms":11.25,"ms":{"vpr":0.0,"features":1.5,"rerank":3.0,"match":4.5,
    "adhop":6.0,"solve":7.5,"own":9.0,"frame":10.5,"acquire":12.0}})")
                            .value();
  ASSERT_EQ(lines().size(), 1U);
  EXPECT_EQ(lines()[0], expected);
}

TEST_F(FrameLinesWriterTest, AFrameWithoutAPositionSaysWhyAndWhere) {
  FrameLinesWriter writer = open();
  FrameResult result = lost(Reason::kDeadlineMissed, Stage::kRerank);
  result.is_throttled = true;
  writer.write(result, "a.png", "");
  const Json line = lines().at(0);
  EXPECT_EQ(line["reason"], "deadline_missed");
  EXPECT_EQ(line["stage"], "rerank");
  EXPECT_EQ(line["throttled"], true);
  EXPECT_FALSE(line.contains("x"));
  EXPECT_FALSE(line.contains("tile"));
}

TEST_F(FrameLinesWriterTest, EveryReasonAndStageIsAStrictLine) {
  FrameLinesWriter writer = open();
  std::size_t count = 0;
  for (const Reason reason : all_reasons()) {
    if (reason == Reason::kNone) continue;
    for (std::size_t stage = 0; stage < kStages; ++stage, ++count)
      writer.write(lost(reason, static_cast<Stage>(stage)), "a.png", "");
  }
  EXPECT_EQ(lines().size(), count);
  EXPECT_EQ(writer.lost(), 0U);
}

TEST_F(FrameLinesWriterTest, WhateverAFileIsCalledTheLineIsStrictJson) {
  FrameLinesWriter writer = open();
  std::vector<std::string> names = {"",          "\"",    "\\", "\n", "a\"b\\c.png", "\xc3\xa4.png",
                                    "{\"x\":1}", "%s%n%d"};
  for (int byte = 1; byte < 256; ++byte) names.push_back("x" + std::string(1, static_cast<char>(byte)) + "y");
  for (const std::string& name : names) writer.write(found(), name, name);
  const auto all = lines();
  ASSERT_EQ(all.size(), names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(bytes_of(all[i]["picture"].get<std::string>()), names[i]) << i;
    EXPECT_EQ(all[i]["picture"], all[i]["tile"]);
  }
}

TEST_F(FrameLinesWriterTest, ADeviationThatIsNoNumberIsLeftOut) {
  FrameLinesWriter writer = open();
  for (const double value :
       {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    FrameResult result = found();
    result.deviation[1] = value;
    writer.write(result, "a.png", "t.png");
  }
  for (const Json& line : lines()) EXPECT_FALSE(line.contains("sigma_x") || line.contains("sigma_y"));
  EXPECT_EQ(lines().size(), 2U);
}

TEST_F(FrameLinesWriterTest, ALineThatIsTooLongIsLostWholeAndCounted) {
  FrameLinesWriter writer = open();
  writer.write(found(), "first.png", "t.png");
  writer.write(found(), std::string(4095, '\x01'), "t.png");
  writer.write(found(), "third.png", "t.png");
  EXPECT_EQ(writer.lost(), 1U);
  EXPECT_EQ(lines().size(), 2U);
}

TEST_F(FrameLinesWriterTest, ALineAllocatesAndLocksNothing) {
  FrameLinesWriter writer = open();
  const FrameResult result = found(), none = lost(Reason::kNoPosition, Stage::kSolve);
  const auto counts = skua::test::count_hot_path([&] {
    writer.write(result, "a.png", "t.png");
    writer.write(none, "\xc3\xa4.png", "");
  });
  EXPECT_EQ(counts.allocations + counts.locks, 0U);
  EXPECT_EQ(lines().size(), 2U);
}

/// /dev/full takes nothing.
TEST_F(FrameLinesWriterTest, AFullDiskCountsEveryLine) {
  FrameLinesWriter writer = FrameLinesWriter::open("/dev/full").value();
  for (int i = 0; i < 5; ++i) writer.write(found(), "a.png", "t.png");
  EXPECT_EQ(writer.lost(), 5U);
}

/// The kernel takes the part of a line that still has room; later there is room again.
std::string write_to_a_small_disk(const std::filesystem::path& file) {
  std::signal(SIGXFSZ, SIG_IGN);
  FrameLinesWriter writer = FrameLinesWriter::open(file).value();
  writer.write(found(), "0.png", "t.png");
  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  const rlim_t whole = limit.rlim_cur;
  limit.rlim_cur = std::filesystem::file_size(file) + 100;
  if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return "no limit";
  for (int i = 0; i < 3; ++i) writer.write(found(), "lost.png", "t.png");
  limit.rlim_cur = whole;
  ::setrlimit(RLIMIT_FSIZE, &limit);
  writer.write(found(), "1.png", "t.png");
  return "lost " + std::to_string(writer.lost());
}

TEST_F(FrameLinesWriterTest, HalfALineOfAFullDiskIsTakenBack) {
  EXPECT_EQ(in_child([&] { return write_to_a_small_disk(path()); }), "lost 3");
  const auto all = lines();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0]["picture"], "0.png");
  EXPECT_EQ(all[1]["picture"], "1.png");
}

TEST_F(FrameLinesWriterTest, AnOldFileIsEmptiedAndAPlaceWithoutOneIsRefusedByName) {
  folder_.write("frames.jsonl", "old\n");
  open();
  EXPECT_EQ(folder_.read("frames.jsonl"), "");
  constexpr ErrorCode kInvalid = ErrorCode::kInvalidArgument;
  EXPECT_TRUE(
      is_error(FrameLinesWriter::open(folder_.path() / "gone/lines"), kInvalid, Reason::kIo, "gone/lines"));
  EXPECT_TRUE(is_error(FrameLinesWriter::open(folder_.path()), kInvalid, Reason::kIo, "--frame-lines"));
  std::filesystem::create_symlink(path(), folder_.path() / "link");
  EXPECT_TRUE(is_error(FrameLinesWriter::open(folder_.path() / "link"), kInvalid, Reason::kIo, "link"));
  ASSERT_EQ(::mkfifo((folder_.path() / "fifo").c_str(), 0600), 0);
  EXPECT_TRUE(is_error(FrameLinesWriter::open(folder_.path() / "fifo"), kInvalid, Reason::kIo, "fifo"))
      << "and not waited for";
}

}  // namespace
}  // namespace skua::flight::frame_lines_writer_tests
