#include "events/recorder_format.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "counts.h"
#include "recorder_testing.h"

namespace skua {
namespace {

using test::bytes_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const SegmentHeader kHeader{7, 1772366400000001, 42, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

std::string segment_of(const std::vector<std::string>& payloads) {
  std::string bytes = encode_segment_header(kHeader);
  for (const std::string& payload : payloads) append_frame(bytes, payload);
  return bytes;
}

std::vector<std::string> texts_of(const Recovery& found) {
  std::vector<std::string> texts;
  for (const RecoveredFrame& frame : found.frames) texts.emplace_back(frame.text);
  return texts;
}

/// Header, frames and damage cover the bytes without gap or overlap, in order.
void expect_covered(const Recovery& found, std::string_view bytes) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
  if (found.header) ranges.emplace_back(0, kSegmentHeaderBytes);
  for (const auto& frame : found.frames) {
    ranges.emplace_back(frame.offset, frame.offset + kFrameHeadBytes + frame.text.size());
  }
  for (const auto& damage : found.damage) {
    ranges.emplace_back(damage.from, damage.to);
    ASSERT_FALSE(damage.reason.empty());
  }
  std::sort(ranges.begin(), ranges.end());
  std::uint64_t at = 0;
  for (const auto& [from, to] : ranges) {
    ASSERT_EQ(from, at);
    ASSERT_GE(to, from);
    at = to;
  }
  ASSERT_EQ(at, bytes.size());
  ASSERT_LE(found.examined_bytes, 8 * bytes.size());
}

TEST(RecorderFormat, ChecksumIsTheOneOfRfc1952) {
  EXPECT_EQ(crc32("123456789"), 0xCBF43926U);  // the check value of CRC-32/ISO-HDLC
  EXPECT_EQ(crc32(""), 0U);
  EXPECT_EQ(crc32("6789", crc32("12345")), 0xCBF43926U);
  EXPECT_EQ(crc32(std::string(32, '\0')), 0x190A55ADU);
}

/// The example of docs/formats/flight-recorder.md.
TEST(RecorderFormat, BytesAreThoseOfTheFormatPage) {
  constexpr std::array<unsigned char, 66> kPage = {
      0x53, 0x4b, 0x55, 0x41, 0x46, 0x44, 0x52, 0x31, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x10, 0xaf, 0x35, 0xf5, 0x4b, 0x06, 0x00, 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x5f, 0x8e, 0xdf,
      0x85, 0xf5, 0xc1, 0xfa, 0xfe, 0x02, 0x00, 0x00, 0x00, 0x14, 0xad, 0x75, 0x1e, 0x7b, 0x7d};
  std::string bytes = encode_segment_header({1, 1772366400000000, 5, {}});
  append_frame(bytes, "{}");
  EXPECT_EQ(bytes, std::string(kPage.begin(), kPage.end()));
}

TEST(RecorderFormat, NamesOfSegments) {
  EXPECT_EQ(segment_name(42), "segment-00000042.skfr");
  EXPECT_EQ(parse_segment_name("segment-00000042.skfr"), 42U);
  EXPECT_EQ(parse_segment_name(segment_name(kMaxSegmentNumber)), kMaxSegmentNumber);
  for (const char* bad : {"", "segment-.skfr", "segment-0000042.skfr", "segment-000000042.skfr",
                          "segment-0000004x.skfr", "segment--0000042.skfr", "segment-+0000042.skfr",
                          "Segment-00000042.skfr", "segment-00000042.skfr~", "segment- 0000042.skfr"}) {
    EXPECT_FALSE(parse_segment_name(bad).has_value()) << bad;
  }
}

TEST(RecorderRecovery, GoodSegmentGivesEverythingAndNoDamage) {
  const std::string bytes = segment_of({"{}", "{\"a\":1}", std::string(kMaxRecordBytes, 'x')});
  const Recovery found = recover(bytes_of(bytes));
  EXPECT_EQ(found.header, kHeader);
  EXPECT_TRUE(found.is_recorder_file);
  EXPECT_THAT(texts_of(found), ElementsAre("{}", "{\"a\":1}", std::string(kMaxRecordBytes, 'x')));
  EXPECT_THAT(found.damage, IsEmpty());
  EXPECT_EQ(found.frames[1].offset, 52U + 14U);
  expect_covered(found, bytes);
}

TEST(RecorderRecovery, EveryCutIsAnIncompleteTail) {
  const std::string bytes = segment_of({"{\"a\":1}", "{\"b\":2}"});
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    const std::string part = bytes.substr(0, cut);
    const Recovery found = recover(bytes_of(part));
    expect_covered(found, part);
    EXPECT_TRUE(found.is_recorder_file) << cut;
    EXPECT_EQ(found.frames.size(), cut >= 71 ? 1U : 0U) << cut;
    if (cut == 52 || cut == 71) continue;
    ASSERT_EQ(found.damage.size(), 1U) << cut;
    EXPECT_EQ(found.damage[0].kind, DamageKind::kIncompleteTail) << cut;
    EXPECT_EQ(found.damage[0].to, cut);
  }
}

struct Damaged {
  const char* name;
  std::size_t from, count;
  std::string by;
  DamageKind kind;
  const char* told;
};

/// Frames of 7 bytes begin at 52, 71 and 90; the middle one is damaged.
TEST(RecorderRecovery, DamageInTheMiddleCostsOneRecordAndIsNamed) {
  const std::string good = segment_of({"{\"a\":1}", "{\"b\":2}", "{\"c\":3}"});
  for (const Damaged& damaged : std::vector<Damaged>{
           {"marker", 71, 1, "x", DamageKind::kNoMarker, "no frame begins"},
           {"length 0", 75, 1, std::string(1, '\0'), DamageKind::kLength, "has 0 bytes"},
           {"length too large", 77, 1, "\x7f", DamageKind::kLength, "expected 1 to 65536"},
           {"length over the next", 75, 1, "\x10", DamageKind::kLength, "over the beginning of another"},
           {"length over the end", 76, 1, "\x10", DamageKind::kLength, "over the end of the file"},
           {"length too short", 75, 1, "\x06", DamageKind::kChecksum, "checksum"},
           {"checksum", 79, 1, "\x55", DamageKind::kChecksum, "checksum"},
           {"payload", 85, 1, "X", DamageKind::kChecksum, "checksum"},
           {"zeros", 71, 19, std::string(19, '\0'), DamageKind::kNoMarker, "no frame begins"},
           {"bytes missing", 80, 3, "", DamageKind::kChecksum, "checksum"},
           {"more bytes missing", 80, 6, "", DamageKind::kLength, "over the beginning of another"},
           {"bytes more", 85, 0, "more", DamageKind::kChecksum, "checksum"},
           {"a marker within", 84, 4, "\xF5\xC1\xFA\xFE", DamageKind::kLength, "over the beginning"}}) {
    SCOPED_TRACE(damaged.name);
    std::string bytes = good;
    bytes.replace(damaged.from, damaged.count, damaged.by);
    const Recovery found = recover(bytes_of(bytes));
    expect_covered(found, bytes);
    EXPECT_THAT(texts_of(found), ElementsAre("{\"a\":1}", "{\"c\":3}"));
    ASSERT_EQ(found.damage.size(), 1U);
    EXPECT_EQ(found.damage[0].kind, damaged.kind) << to_string(found.damage[0].kind);
    EXPECT_EQ(found.damage[0].from, 71U);
    EXPECT_THAT(found.damage[0].reason, HasSubstr(damaged.told));
  }
}

TEST(RecorderRecovery, DamagedHeaderCostsNoRecord) {
  const std::string good = segment_of({"{\"a\":1}"});
  for (std::size_t at = 0; at < kSegmentHeaderBytes; ++at) {
    std::string bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    const Recovery found = recover(bytes_of(bytes));
    EXPECT_FALSE(found.header.has_value()) << at;
    EXPECT_TRUE(found.is_recorder_file);
    EXPECT_THAT(texts_of(found), ElementsAre("{\"a\":1}")) << at;
    ASSERT_EQ(found.damage.size(), 1U);
    EXPECT_EQ(found.damage[0].kind, DamageKind::kHeader);
    expect_covered(found, bytes);
  }
}

TEST(RecorderRecovery, LaterVersionIsNotInterpreted) {
  std::string bytes = segment_of({"{\"a\":1}"});
  bytes[7] = '2';
  const std::uint32_t crc = crc32(std::string_view(bytes).substr(0, 48));
  for (unsigned i = 0; i < 4; ++i) bytes[48 + i] = static_cast<char>(crc >> (8 * i));
  const Recovery found = recover(bytes_of(bytes));
  EXPECT_THAT(found.frames, IsEmpty());
  ASSERT_EQ(found.damage.size(), 1U);
  EXPECT_EQ(found.damage[0].kind, DamageKind::kVersion);
  EXPECT_THAT(found.damage[0].reason, HasSubstr("'SKUAFDR2'; this release reads 'SKUAFDR1'"));
  expect_covered(found, bytes);
}

TEST(RecorderRecovery, OtherFilesAreNoRecorderFiles) {
  for (const std::string& bytes :
       {std::string("hello\n"), std::string(100'000, '\0'), std::string("{\"ts\":1}\n")}) {
    const Recovery found = recover(bytes_of(bytes));
    EXPECT_FALSE(found.is_recorder_file);
    EXPECT_FALSE(found.header.has_value());
    expect_covered(found, bytes);
  }
}

TEST(RecorderRecovery, PayloadCannotFakeAFrame) {
  std::string inner;
  append_frame(inner, "{\"forged\":true}");
  const std::string line = encode_flight_record({0, 0, "c7.test", {{"name", inner}}});
  std::string bytes = segment_of({line, "{}"});
  bytes[60] = static_cast<char>(bytes[60] ^ 1);  // the checksum of the frame that carries it
  EXPECT_THAT(texts_of(recover(bytes_of(bytes))), ElementsAre("{}"));
  // The control: the same bytes, raw in a payload, would be taken for a frame.
  std::string raw = segment_of({inner, "{}"});
  raw[60] = static_cast<char>(raw[60] ^ 1);
  EXPECT_THAT(texts_of(recover(bytes_of(raw))), ElementsAre("{\"forged\":true}", "{}"));
}

/// Bytes that make a naive reader sum 64 KiB for each of many claims.
TEST(RecorderRecovery, WorkIsLinearOnHostileBytes) {
  constexpr std::size_t kBytes = 1U << 20U;
  const std::string marker = "\xF5\xC1\xFA\xFE";
  const std::string claim = marker + std::string("\0\0\x01\0", 4);  // 65536 bytes
  for (const std::string& unit :
       {claim, claim + "\x01\x02\x03\x04", claim + marker, marker, marker + "\x08",
        claim + marker.substr(0, 3), claim + std::string(65535, 'x'), marker.substr(0, 1),
        std::string("\0", 1), claim + std::string(65540, 'x')}) {
    std::string bytes = encode_segment_header(kHeader);
    while (bytes.size() < kBytes) bytes += unit;
    const Recovery found = recover(bytes_of(bytes));
    expect_covered(found, bytes);
    EXPECT_THAT(found.frames, IsEmpty());
  }
}

TEST(RecorderRecovery, FlipsCostAtMostOneRecordEach) {
  std::vector<std::string> payloads;
  for (int i = 0; i < 40; ++i) payloads.push_back(encode_flight_record(test::numbered(i)));
  const std::string good = segment_of(payloads);
  std::mt19937_64 random(1);
  const auto flips = skua_test::count("recorder_flips");
  for (std::int64_t i = 0; i < flips; ++i) {
    std::string bytes = good;
    const std::size_t at = random() % bytes.size();
    bytes[at] = static_cast<char>(bytes[at] ^ (1U << (random() % 8)));
    const Recovery found = recover(bytes_of(bytes));
    expect_covered(found, bytes);
    const bool is_in_header = at < kSegmentHeaderBytes;
    ASSERT_EQ(found.frames.size(), is_in_header ? 40U : 39U) << "flip at " << at;
    ASSERT_EQ(found.damage.size(), 1U);
    for (const auto& frame : found.frames) {
      ASSERT_TRUE(std::find(payloads.begin(), payloads.end(), frame.text) != payloads.end());
    }
  }
}

TEST(RecorderRecovery, RandomBytesAreCoveredAndNeverGiveARecord) {
  std::mt19937_64 random(2);
  const std::vector<std::string> words = {"SKUAFDR1",
                                          "\xF5\xC1\xFA\xFE",
                                          std::string("\x02\0\0\0", 4),
                                          std::string("\0\0\x01\0", 4),
                                          "{}",
                                          encode_segment_header(kHeader)};
  const auto rounds = skua_test::count("recorder_flips");
  for (std::int64_t i = 0; i < rounds; ++i) {
    std::string bytes;
    for (std::uint64_t j = random() % 40; j > 0; --j) {
      if (random() % 2 == 0) bytes += words[random() % words.size()];
      for (std::uint64_t k = random() % 8; k > 0; --k) bytes += static_cast<char>(random());
    }
    const Recovery found = recover(bytes_of(bytes));
    expect_covered(found, bytes);
    ASSERT_THAT(found.frames, IsEmpty());
  }
}

}  // namespace
}  // namespace skua
