// Damaged texts: whatever a decoder still accepts is another value or the same text spelt otherwise, never a
// crash and never something that does not survive being written again.
#include <gtest/gtest.h>

#include <random>

#include "cache_fixture.h"

namespace skua::test {
namespace {

std::string flipped(std::string text, std::size_t offset, unsigned bit) {
  text[offset] = static_cast<char>(static_cast<unsigned char>(text[offset]) ^ (1U << bit));
  return text;
}

/// Random cuts, doublings and exchanged bytes.
std::string damaged(const std::string& text, std::mt19937& random) {
  std::string other = text;
  for (auto steps = 1 + random() % 3; steps > 0 && !other.empty(); --steps) {
    const std::size_t at = random() % other.size();
    const std::size_t length = random() % 40;
    const auto kind = random() % 3;
    if (kind == 0) other.erase(at, length);
    if (kind == 1) other.insert(at, other.substr(random() % other.size(), length));
    if (kind == 2) other[at] = static_cast<char>(random() % 256);
  }
  return other;
}

template <typename Decode, typename Encode>
void expect_stable(const std::string& text, Decode decode, Encode encode) {
  const auto value = decode(text);
  if (!value.ok()) {
    EXPECT_GT(value.error().message.size(), 20U);
    return;
  }
  const std::string again = encode(*value);
  const auto second = decode(again);
  ASSERT_TRUE(accepted(second)) << again;
  EXPECT_EQ(*second, *value);
  EXPECT_EQ(encode(*second), again);
}

std::string manifest_text(const PublishedFolders& folders) {
  return folders.temp().read("sets/set-1/flight-manifest.json");
}

TEST(Mutation, AManifestWithAFlippedBitIsRefusedOrAnother) {
  const PublishedFolders folders;
  const std::string text = manifest_text(folders);
  const Manifest original = decode_manifest(text).value();
  const std::size_t step = 3;
  std::size_t refusals = 0;
  for (std::size_t i = 0; i < text.size(); i += step) {
    const std::string other = flipped(text, i, static_cast<unsigned>(i / step % 8));
    expect_stable(other, decode_manifest, encode_manifest);
    refusals += decode_manifest(other).ok() ? 0U : 1U;
    // White space aside, no bit is without meaning.
    if (text[i] != ' ' && text[i] != '\n') {
      const auto decoded = decode_manifest(other);
      EXPECT_FALSE(decoded.ok() && *decoded == original) << "offset " << i;
    }
  }
  EXPECT_GT(refusals, text.size() / step / 2);
}

TEST(Mutation, ABuildRecordWithAFlippedBitIsRefusedOrAnother) {
  const std::string text = encode_build_record(plan_record());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string other = flipped(text, i, static_cast<unsigned>(i % 8));
    expect_stable(other, decode_build_record, encode_build_record);
    if (text[i] == ' ' || text[i] == '\n') continue;
    const auto decoded = decode_build_record(other);
    EXPECT_FALSE(decoded.ok() && *decoded == plan_record()) << "offset " << i;
  }
}

TEST(Mutation, DamagedTextsAreRefusedOrStable) {
  const PublishedFolders folders;
  const std::string manifest = manifest_text(folders);
  const std::string record = encode_build_record(plan_record());
  std::mt19937 random(4711);
  for (int i = 0; i < 500; ++i) {
    expect_stable(damaged(manifest, random), decode_manifest, encode_manifest);
    expect_stable(damaged(record, random), decode_build_record, encode_build_record);
  }
}

/// The bytes of decoded golden vectors, written again.
Result<std::string> rewritten(const std::string& bytes) {
  SKUA_ASSIGN_OR_RETURN(const GoldenVectors golden, decode_golden(bytes_of(bytes)));
  SKUA_ASSIGN_OR_RETURN(const std::vector<std::byte> again, encode_golden(golden.inputs, golden.outputs));
  return std::string(reinterpret_cast<const char*>(again.data()), again.size());
}

TEST(Mutation, AGoldenFileHasOneSpellingOnly) {
  const std::string bytes = golden_bytes();
  std::size_t accepted_count = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      const std::string other = flipped(bytes, i, bit);
      const auto again = rewritten(other);
      if (!again.ok()) {
        EXPECT_EQ(again.error().reason, Reason::kGoldenMalformed) << i;
        continue;
      }
      ++accepted_count;
      EXPECT_EQ(*again, other) << "every accepted file is written as it was read; offset " << i;
    }
  }
  EXPECT_GT(accepted_count, 32U * 8U) << "the payloads' 32 bytes may hold anything";
  std::mt19937 random(4712);
  for (int i = 0; i < 2000; ++i) {
    const std::string other = damaged(bytes, random);
    const auto again = rewritten(other);
    EXPECT_TRUE(!again.ok() || *again == other);
  }
}

}  // namespace
}  // namespace skua::test
