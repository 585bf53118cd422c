// No byte passes the engine gate that was not hashed: flips, lengths, and files that change under the reader.
#include <gtest/gtest.h>

#include <random>

#include "cache/engine_gate.h"
#include "cache_fixture.h"
#include "gate_case.h"

namespace skua::test {
namespace {

TEST(EngineBytes, EveryFlippedByteIsRefused) {
  GateCase c;
  const std::string plan = plan_bytes(160);
  c.put_engine(plan);
  ASSERT_TRUE(accepted(c.admit()));
  for (std::size_t i = 0; i < plan.size(); ++i) {
    for (const char pattern : {'\x01', '\x80', '\xff'}) {
      std::string flipped = plan;
      flipped[i] = static_cast<char>(flipped[i] ^ pattern);
      c.temp.write(plan_record().file, flipped);
      ASSERT_TRUE(refused(c.admit(), ErrorCode::kEngineHashMismatch, Reason::kSidecarHashMismatch))
          << "byte " << i;
    }
  }
  c.temp.write(plan_record().file, plan);
  EXPECT_TRUE(accepted(c.admit()));
}

TEST(EngineBytes, EveryOtherLengthIsRefused) {
  GateCase c;
  const std::string plan = plan_bytes(160);
  c.put_engine(plan);
  for (std::size_t length = 0; length <= plan.size() + 2; ++length) {
    std::string other = plan + "xx";
    other.resize(length);
    c.temp.write(plan_record().file, other);
    if (length == plan.size()) {
      ASSERT_TRUE(accepted(c.admit()));
    } else {
      ASSERT_TRUE(refused(c.admit(), ErrorCode::kEngineHashMismatch, Reason::kSidecarHashMismatch)) << length;
    }
  }
}

TEST(EngineBytes, EveryFlippedSidecarByteIsRefused) {
  GateCase c;
  const std::string hex = digest_of(plan_bytes()).hex();
  for (std::size_t i = 0; i < hex.size(); ++i) {
    std::string other = hex;
    other[i] = hex[i] == '0' ? '1' : '0';
    c.put_sidecar(other);
    ASSERT_TRUE(refused(c.admit(), ErrorCode::kEngineHashMismatch, Reason::kSidecarHashMismatch)) << i;
  }
  c.put_sidecar(hex);
  EXPECT_TRUE(accepted(c.admit()));
}

TEST(EngineBytes, ALargeFileIsReadPieceByPieceAndItsLastByteCounts) {
  GateCase c;
  std::string plan =
      plan_bytes((std::size_t{9} << 20U) + 17);  // beside a reader thread, and with an odd rest
  c.put_engine(plan);
  const auto admitted = c.admit();
  ASSERT_TRUE(accepted(admitted));
  EXPECT_TRUE(std::ranges::equal(admitted->bytes(), bytes_of(plan)));
  plan.back() = static_cast<char>(plan.back() ^ 1);
  c.temp.write(plan_record().file, plan);
  EXPECT_TRUE(refused(c.admit(), ErrorCode::kEngineHashMismatch, Reason::kSidecarHashMismatch));
}

TEST(EngineBytes, EachFileIsOpenedOnceAndReadOnce) {
  const GateCase c;
  Spy spy;
  SpyFolder folder(c.folder(), spy);
  BufferPool pool(1);
  ASSERT_TRUE(accepted(EngineGate::admit(folder, c.expected, pool)));
  const std::string file = plan_record().file;
  EXPECT_EQ(spy.opens, (std::map<std::string, int>{{file, 1}, {sidecar_name(file), 1}}));
  EXPECT_EQ(spy.bytes_read[file], plan_bytes().size());
  EXPECT_EQ(spy.bytes_read[sidecar_name(file)], 64U);
}

TEST(EngineBytes, JudgingOpensAndReadsOnceToo) {
  const GateCase c;
  Spy spy;
  SpyFolder folder(c.folder(), spy);
  std::vector<std::byte> piece(64);
  ASSERT_TRUE(accepted(EngineGate::judge(folder, c.expected, piece)));
  const std::string file = plan_record().file;
  EXPECT_EQ(spy.opens, (std::map<std::string, int>{{file, 1}, {sidecar_name(file), 1}}));
  EXPECT_EQ(spy.bytes_read[file], plan_bytes().size());
}

TEST(EngineBytes, AFileRewrittenAfterTheReadDoesNotReachTheBuffer) {
  const GateCase c;
  Spy spy;
  const std::string file = plan_record().file;
  spy.on_read = [&](const std::string& name) {
    if (name == file) c.temp.write(file, std::string(plan_bytes().size(), 'X'));  // in place: the same inode
  };
  SpyFolder folder(c.folder(), spy);
  BufferPool pool(1);
  const auto admitted = EngineGate::admit(folder, c.expected, pool);
  ASSERT_TRUE(accepted(admitted));
  EXPECT_EQ(Sha256Sidecar::digest(admitted->bytes()), c.expected.record->engine_sha256);
  EXPECT_EQ(c.temp.read(file)[0], 'X') << "the file itself did change";
}

TEST(EngineBytes, AFileReplacedBehindTheSidecarIsRefused) {
  const GateCase c;
  Spy spy;
  const std::string file = plan_record().file;
  spy.on_read = [&](const std::string& name) {
    if (name != sidecar_name(file)) return;
    c.temp.write("new", plan_bytes(100));
    fs::rename(c.temp.path() / "new", c.engine());
  };
  SpyFolder folder(c.folder(), spy);
  BufferPool pool(1);
  EXPECT_TRUE(refused(EngineGate::admit(folder, c.expected, pool), ErrorCode::kEngineHashMismatch,
                      Reason::kSidecarHashMismatch));
}

TEST(EngineBytes, AFileThatGrowsWhileItIsReadIsRefused) {
  const GateCase c;
  Spy spy;
  const std::string file = plan_record().file;
  bool has_grown = false;
  spy.on_read = [&](const std::string& name) {
    if (name != file || has_grown) return;
    has_grown = true;
    c.temp.write(file, plan_bytes() + "more");
  };
  SpyFolder folder(c.folder(), spy);
  BufferPool pool(1);
  EXPECT_TRUE(refused(EngineGate::admit(folder, c.expected, pool), ErrorCode::kEngineDeserialize,
                      Reason::kFileSizeMismatch));
}

/// Whether judging `c` takes the one buffer that is in the pool.
bool takes_memory(const GateCase& c) {
  BufferPool pool(1);
  pool.give_back(Buffer::allocate(1).value());
  auto folder = c.folder();
  EXPECT_FALSE(EngineGate::admit(*folder, c.expected, pool).ok());
  return pool.kept() == 0;
}

TEST(EngineBytes, AFileOfAnotherSizeThanRecordedTakesNoMemory) {
  GateCase c;
  c.expected.record->engine_sha256 = digest_of("other");
  EXPECT_TRUE(takes_memory(c)) << "the control: right size, wrong digest";
  c.expected.record->size_bytes = 1;
  EXPECT_FALSE(takes_memory(c));
  c.expected.record.reset();
  EXPECT_FALSE(takes_memory(c));
}

TEST(EngineBytes, AFileOfAnotherUserIsRefused) {
  const GateCase c;
  Spy spy;
  spy.edit_info = [](const std::string& name, FileInfo& info) {
    if (name == plan_record().file) info.owner = 4242;
  };
  SpyFolder folder(c.folder(), spy);
  BufferPool pool(1);
  EXPECT_TRUE(refused(EngineGate::admit(folder, c.expected, pool), ErrorCode::kEngineDeserialize,
                      Reason::kFileOwner));
  spy.edit_info = [](const std::string&, FileInfo& info) { info.owner = 0; };
  EXPECT_TRUE(accepted(EngineGate::admit(folder, c.expected, pool)));
}

}  // namespace
}  // namespace skua::test
