// Every byte of an engine in a signed set is damaged in three ways, and the engine is given every other
// length: each is refused with one code, and the deserialiser is never called. A file beyond four gigabytes
// is judged to its last byte.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <random>

#include "cache/engine_gate.h"
#include "cache/sidecar_file.h"
#include "core/hash.h"
#include "counts.h"
#include "flight_loads.h"
#include "skua/sidecar.h"

namespace skua::test {
namespace {

constexpr std::size_t kEngineBytes = 65536;

/// An open file of the set that is damaged and mended again.
class Victim {
 public:
  explicit Victim(const fs::path& path) : file_(open(path.c_str(), O_RDWR | O_CLOEXEC)) {}
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;
  ~Victim() { close(file_); }

  std::uint8_t byte_at(std::size_t offset) const {
    std::uint8_t byte = 0;
    if (pread(file_, &byte, 1, static_cast<off_t>(offset)) != 1) throw std::runtime_error("pread failed");
    return byte;
  }
  void put(std::size_t offset, std::span<const std::uint8_t> bytes) const {
    const auto written = pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written != static_cast<ssize_t>(bytes.size())) throw std::runtime_error("pwrite failed");
  }
  void put(std::size_t offset, std::uint8_t byte) const { put(offset, std::span(&byte, 1)); }
  void set_length(std::uint64_t bytes) const {
    if (ftruncate(file_, static_cast<off_t>(bytes)) != 0) throw std::runtime_error("ftruncate failed");
  }

 private:
  int file_;
};

/// One bit the other way; all bits off, or on where they are off; any other value.
std::array<std::uint8_t, 3> patterns_of(std::uint8_t byte, std::mt19937& random) {
  const auto flipped = static_cast<std::uint8_t>(byte ^ (1U << random() % 8));
  const auto flat = static_cast<std::uint8_t>(byte == 0 ? 0xff : 0x00);
  const auto other = static_cast<std::uint8_t>(byte + 1 + random() % 255);
  return {flipped, flat, other};
}

/// What becomes of the engine file of a set: the answer, and whether its bytes came to the deserialiser.
using Load = std::function<Status()>;

class Corruption : public testing::Test {
 protected:
  Corruption()
      : world_{temp_.path()},
        record_(make_world(world_, kEngineBytes)),
        manifest_(publish_number(posix_file_system(), world_, record_, 1).value()),
        set_(admit_set(posix_file_system(), set(), flight_policy()).value()),
        victim_(set() / record_.file),
        original_(kEngineBytes) {
    for (std::size_t at = 0; at < kEngineBytes; ++at) original_[at] = victim_.byte_at(at);
  }
  fs::path set() const { return world_.sets() / set_id_of(1); }

  /// The engine gate, as the loader of sets calls it; nothing else makes what a deserialiser takes.
  Status load_by_gate() {
    const EngineRecord& engine = set_.manifest.artifacts[0].engine;
    const EngineExpectation expected{engine.file, engine, engine.precision, fake_host(), false};
    SKUA_RETURN_IF_ERROR(EngineGate::admit(*set_.folder, expected, pool_));
    ++deserialised_;
    return {};
  }

  /// Damages every `stride`-th byte in each way. Answers how many of them were refused by `load` for
  /// `reason`.
  std::int64_t refused_bytes(std::size_t stride, Reason reason, const Load& load) {
    std::int64_t refused = 0;
    for (std::size_t at = random_() % stride; at < kEngineBytes; at += stride) {
      for (const std::uint8_t wrong : patterns_of(original_[at], random_)) {
        victim_.put(at, wrong);
        refused += is_refused(load(), reason) ? 1 : 0;
      }
      victim_.put(at, original_[at]);
    }
    return refused;
  }

  /// Gives the file every `stride`-th length from 0 to one byte too many, but never its own.
  std::int64_t refused_lengths(std::size_t stride, Reason reason, const Load& load) {
    std::int64_t refused = 0;
    for (std::size_t step = random_() % stride; step <= kEngineBytes; step += stride) {
      victim_.set_length(step < kEngineBytes ? step : kEngineBytes + 1);
      refused += is_refused(load(), reason) ? 1 : 0;
      victim_.set_length(kEngineBytes);
      if (step < kEngineBytes) victim_.put(step, std::span(original_).subspan(step));
    }
    return refused;
  }

  /// Notes the first answer that is not the expected refusal.
  bool is_refused(const Status& status, Reason reason) {
    if (!status.ok() && status.error().reason == reason) return true;
    if (complaint_.empty()) complaint_ = status.ok() ? "accepted" : status.error().describe();
    return false;
  }

  TempFolder temp_{memory_folder()};
  World world_;
  EngineRecord record_;
  Manifest manifest_;
  AdmittedSet set_;
  Victim victim_;
  std::vector<std::uint8_t> original_;
  BufferPool pool_{1};
  std::mt19937 random_{20260402};
  std::int64_t deserialised_ = 0;
  std::string complaint_;
};

TEST_F(Corruption, EveryByteIsRefusedAndNothingIsDeserialised) {
  const auto stride = static_cast<std::size_t>(skua_test::count("corruption_stride"));
  const Load load = [this] { return load_by_gate(); };
  const std::int64_t refused = refused_bytes(stride, Reason::kSidecarHashMismatch, load);
  EXPECT_EQ(complaint_, "");
  EXPECT_EQ(deserialised_, 0);
  EXPECT_GE(refused, skua_test::count("corruption_bytes"));
  EXPECT_TRUE(load_by_gate().ok()) << "the untouched engine";
  EXPECT_EQ(deserialised_, 1);
  skua_test::reached("corruption_bytes", refused);
}

TEST_F(Corruption, EveryOtherLengthIsRefusedAndNothingIsDeserialised) {
  const auto stride = static_cast<std::size_t>(skua_test::count("corruption_stride"));
  const Load load = [this] { return load_by_gate(); };
  const std::int64_t refused = refused_lengths(stride, Reason::kSidecarHashMismatch, load);
  EXPECT_EQ(complaint_, "");
  EXPECT_EQ(deserialised_, 0);
  EXPECT_GE(refused, skua_test::count("corruption_lengths"));
  EXPECT_TRUE(load_by_gate().ok()) << "the untouched engine";
  EXPECT_EQ(deserialised_, 1);
  skua_test::reached("corruption_lengths", refused);
}

/// Negative control: a gate that looks at the size alone lets every damaged byte through, and the counts show
/// it.
TEST_F(Corruption, AGateThatDoesNotHashIsCaught) {
  std::int64_t loads = 0;
  const Load lax = [&]() -> Status {
    ++loads;
    if (fs::file_size(set() / record_.file) == kEngineBytes) ++deserialised_;
    return {};
  };
  EXPECT_EQ(refused_bytes(4096, Reason::kSidecarHashMismatch, lax), 0);
  EXPECT_EQ(complaint_, "accepted");
  EXPECT_GT(loads, 0);
  EXPECT_EQ(deserialised_, loads);
}

/// Negative control: a gate that reads as many bytes as were recorded, and looks no further.
TEST_F(Corruption, AGateThatStopsAtTheRecordedLengthIsCaught) {
  const Load lax = [&]() -> Status {
    const auto folder = posix_file_system().open_folder(set()).value();
    std::vector<std::byte> bytes(kEngineBytes);
    const auto file = folder->open_read(record_.file).value();
    bytes.resize(file->read(bytes).value());
    if (sha256_of(bytes) == record_.engine_sha256) return {};
    return make_error(ErrorCode::kEngineHashMismatch, Reason::kSidecarHashMismatch, "another digest");
  };
  EXPECT_GT(refused_lengths(8192, Reason::kSidecarHashMismatch, lax), 0) << "what is shorter";
  EXPECT_EQ(complaint_, "");
  victim_.set_length(kEngineBytes + 1);
  EXPECT_FALSE(is_refused(lax(), Reason::kSidecarHashMismatch)) << "what is longer";
  EXPECT_TRUE(is_refused(load_by_gate(), Reason::kSidecarHashMismatch)) << "by the gate itself";
}

/// The same at the seam of a runtime, through the public entry: the set gate judges the length, the engine
/// gate the bytes.
TEST_F(Corruption, NoDamagedEngineComesToARuntimesDeserialiser) {
  FakeBehaviour behaviour;
  const auto runtime = airborne_runtime(behaviour);
  const Load load = [&]() -> Status {
    SKUA_RETURN_IF_ERROR(runtime->load_flight_set(set(), flight_policy()));
    return {};
  };
  const std::int64_t wanted = skua_test::count("corruption_loads");
  const auto stride = static_cast<std::size_t>(4 * static_cast<std::int64_t>(kEngineBytes) / wanted);
  const std::int64_t refused = refused_bytes(stride, Reason::kSidecarHashMismatch, load) +
                               refused_lengths(stride, Reason::kFileSizeMismatch, load);
  EXPECT_EQ(complaint_, "");
  EXPECT_EQ(behaviour.deserialize_count, 0);
  EXPECT_GE(refused, wanted * 9 / 10);
  EXPECT_TRUE(load().ok()) << "the untouched set";
  EXPECT_EQ(behaviour.deserialize_count, 1);
  skua_test::reached("corruption_loads", refused);
}

/// A size or an offset of 32 bits would end before the byte that is wrong.
TEST_F(Corruption, TheLastByteOfAFileBeyondFourGigabytesCounts) {
  const auto mib = static_cast<std::uint64_t>(skua_test::count("corruption_sparse_mib"));
  const std::uint64_t size = mib << 20U;
  EngineRecord record = fake_record("sparse");
  record.size_bytes = size;
  const fs::path path = temp_.write(record.file, "");
  const Victim sparse(path);
  sparse.set_length(size);
  const auto folder = posix_file_system().open_folder(temp_.path()).value();
  record.engine_sha256 = hash_file(*folder->open_read(record.file).value()).value();
  temp_.write(sidecar_name(record.file), record.engine_sha256.hex());
  const EngineExpectation expected{record.file, record, record.precision, fake_host(), false};
  Buffer piece = Buffer::allocate(kHashPieceBytes).value();
  EXPECT_TRUE(EngineGate::judge(*folder, expected, piece.bytes()).ok()) << "the untouched file";
  sparse.put(size - 1, 1);
  EXPECT_TRUE(is_refused(EngineGate::judge(*folder, expected, piece.bytes()), Reason::kSidecarHashMismatch))
      << complaint_;
  skua_test::reached("corruption_sparse_mib", static_cast<std::int64_t>(mib));
}

}  // namespace
}  // namespace skua::test
