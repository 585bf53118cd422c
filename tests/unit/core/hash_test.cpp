#include "core/hash.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "bytes_of.h"
#include "check.h"
#include "child_process.h"
#include "core/buffer.h"
#include "skua/sidecar.h"

namespace skua {
namespace {

using test::bytes_of;
using test::is_error;
using test::is_ok;

// Bytes that differ from place to place, so that a piece at a wrong place changes the digest.
std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  std::uint32_t state = 12345;
  for (char& c : text) {
    state = state * 1664525U + 1013904223U;
    c = static_cast<char>(state >> 24U);
  }
  return text;
}

// A file in memory that can fail at an offset.
class MemoryFile final : public ReadFile {
 public:
  explicit MemoryFile(std::string content, std::size_t fail_at = std::string::npos)
      : content_(std::move(content)), fail_at_(fail_at) {}
  Result<FileInfo> info() const override { return FileInfo{FileKind::kRegular, content_.size(), 0, 0644, 1}; }
  Result<std::size_t> read(std::span<std::byte> into) override {
    if (at_ + into.size() > fail_at_) return make_error(ErrorCode::kIo, Reason::kIo, "injected", 5);
    const std::size_t got = std::min(into.size(), content_.size() - at_);
    std::memcpy(into.data(), content_.data() + at_, got);
    at_ += got;
    return got;
  }

 private:
  std::string content_;
  std::size_t fail_at_;
  std::size_t at_ = 0;
};

// FIPS 180-4 examples.
TEST(Hash, KnownDigests) {
  EXPECT_EQ(sha256_of({}).hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_of(bytes_of("abc")).hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_of(bytes_of(std::string(1000000, 'a'))).hex(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Hash, PiecesMakeNoDifference) {
  const std::string text = pattern(10000);
  Sha256Hasher hasher;
  for (std::size_t at = 0; at < text.size(); at += 777)
    hasher.update(bytes_of(text).subspan(at, std::min<std::size_t>(777, text.size() - at)));
  EXPECT_EQ(hasher.finish(), sha256_of(bytes_of(text)));
}

TEST(Hash, AUsedUpHasherNeverGivesADigestAgain) {
  Sha256Hasher hasher;
  hasher.update(bytes_of("abc"));
  EXPECT_EQ(hasher.finish(), sha256_of(bytes_of("abc")));
  EXPECT_EQ(hasher.finish(), Sha256{});
}

constexpr std::size_t kMiB = std::size_t{1} << 20U;

TEST(Hash, FileDigestIsThatOfItsBytes) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kMiB - 1, kMiB, kMiB + 1}) {
    const std::string text = pattern(size);
    MemoryFile file(text);
    EXPECT_EQ(hash_file(file).value(), sha256_of(bytes_of(text))) << size;
  }
}

TEST(Hash, TheHeadIsTheFilesFirstBytesHoweverSmallThePieces) {
  const std::string text = pattern(1000);
  for (const std::size_t piece_size : {std::size_t{1}, std::size_t{7}, std::size_t{64}, std::size_t{4096}}) {
    std::vector<std::byte> piece(piece_size), head(28, std::byte{0xee});
    MemoryFile file(text);
    EXPECT_EQ(hash_file(file, piece, head).value(), sha256_of(bytes_of(text))) << piece_size;
    EXPECT_TRUE(std::ranges::equal(head, bytes_of(text).first(28))) << piece_size;
    MemoryFile short_file(text.substr(0, 5));
    std::vector<std::byte> longer(28, std::byte{0xee});
    EXPECT_EQ(hash_file(short_file, piece, longer).value(), sha256_of(bytes_of(text).first(5)));
    EXPECT_TRUE(std::ranges::equal(std::span(longer).first(5), bytes_of(text).first(5)));
    EXPECT_EQ(longer[5], std::byte{0xee}) << "nothing beyond the file's end is written";
  }
}

TEST(Hash, FileErrorIsPassedOn) {
  MemoryFile file(pattern(3 * kMiB), 2 * kMiB);
  EXPECT_TRUE(is_error(hash_file(file), ErrorCode::kIo, Reason::kIo, "injected"));
}

// Sizes on both sides of the limit above which a thread reads.
const std::vector<std::size_t> kSizes = {0, 1, kMiB, 8 * kMiB - 1, 8 * kMiB, 8 * kMiB + 1, 11 * kMiB + 13};

TEST(ReadAndHash, GivesBytesAndTheirDigest) {
  for (const std::size_t size : kSizes) {
    const std::string text = pattern(size);
    MemoryFile file(text);
    Buffer buffer = Buffer::allocate(size).value();
    const auto digest = read_and_hash(file, buffer.bytes());
    ASSERT_TRUE(is_ok(digest)) << size;
    EXPECT_EQ(*digest, sha256_of(bytes_of(text))) << size;
    EXPECT_TRUE(std::ranges::equal(buffer.bytes(), bytes_of(text))) << size;
    MemoryFile again(text);
    Buffer other = Buffer::allocate(size).value();
    EXPECT_EQ(read_and_hash(again, other.bytes(), Reading::kInTurn).value(), *digest) << size;
    EXPECT_TRUE(std::ranges::equal(other.bytes(), bytes_of(text))) << size;
  }
}

TEST(ReadAndHash, RefusesAFileThatEndsEarlyOrGoesOn) {
  for (const std::size_t size : kSizes) {
    Buffer buffer = Buffer::allocate(size).value();
    MemoryFile longer(pattern(size + 1));
    EXPECT_TRUE(is_error(read_and_hash(longer, buffer.bytes()), ErrorCode::kIo, Reason::kFileSizeMismatch,
                         "goes on"));
    if (size == 0) continue;
    MemoryFile shorter(pattern(size - 1));
    EXPECT_TRUE(is_error(read_and_hash(shorter, buffer.bytes()), ErrorCode::kIo, Reason::kFileSizeMismatch,
                         "ends after " + std::to_string(size - 1)));
  }
}

TEST(Hash, NothingThatAllocatesIsNoexcept) {
  // The hasher's constructor throws bad_alloc: through a noexcept function that ends the whole program.
  EXPECT_FALSE(noexcept(sha256_of({})));
  EXPECT_FALSE(noexcept(Sha256Sidecar::digest({})));
  EXPECT_TRUE(noexcept(std::declval<Sha256Hasher&>().finish())) << "the control";
}

/// With stacks that no address space holds.
std::string hash_without_threads() {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, std::size_t{1} << 48U);
  if (pthread_setattr_default_np(&attributes) != 0) return "the default cannot be set";
  try {
    std::thread([] {}).join();
    return "a thread was to be had";
  } catch (const std::system_error&) {
    // what the hasher meets as well
  }
  const std::string content = pattern(11 * kMiB);
  MemoryFile file(content);
  Buffer buffer = Buffer::allocate(content.size()).value();
  const auto digest = read_and_hash(file, buffer.bytes());
  return digest.ok() && *digest == sha256_of(bytes_of(content)) ? "good" : "another digest";
}

TEST(ReadAndHash, WithoutAThreadItIsDoneInTurn) { EXPECT_EQ(test::in_child(hash_without_threads), "good"); }

TEST(ReadAndHash, ReaderErrorEndsIt) {
  for (const std::size_t size : {3 * kMiB, 11 * kMiB}) {
    for (const std::size_t fail_at : {std::size_t{0}, 2 * kMiB, size}) {
      Buffer buffer = Buffer::allocate(size).value();
      MemoryFile file(pattern(size), fail_at);
      EXPECT_TRUE(is_error(read_and_hash(file, buffer.bytes()), ErrorCode::kIo, Reason::kIo, "injected"))
          << size << " " << fail_at;
    }
  }
}

}  // namespace
}  // namespace skua
