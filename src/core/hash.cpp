#include "core/hash.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "core/buffer.h"
#include "core/crypto_library.h"

namespace skua {
namespace {

constexpr std::size_t kReaderPiece = std::size_t{1} << 20U;  // of the reader thread: fewer wake-ups
constexpr std::size_t kThreadWorthwhile = std::size_t{8} << 20U;

Error size_mismatch(std::string found, std::size_t expected) {
  return make_error(ErrorCode::kIo, Reason::kFileSizeMismatch,
                    "file " + std::move(found) + ", expected " + std::to_string(expected) +
                        " bytes; it was cut, or is being written");
}

Status expect_end(ReadFile& file, std::size_t expected) {
  std::byte probe{};
  SKUA_ASSIGN_OR_RETURN(const std::size_t extra, file.read({&probe, 1}));
  if (extra != 0) return size_mismatch("goes on after its recorded end", expected);
  return {};
}

// Reads `into` in pieces; `on_filled(total)` after each. Ends with the check that the file ends there, too.
template <typename OnFilled>
Status read_exactly(ReadFile& file, std::span<std::byte> into, std::size_t piece_bytes, OnFilled on_filled) {
  std::size_t filled = 0;
  while (filled < into.size()) {
    const auto piece = into.subspan(filled, std::min(piece_bytes, into.size() - filled));
    SKUA_ASSIGN_OR_RETURN(const std::size_t got, file.read(piece));
    if (got != piece.size())
      return size_mismatch("ends after " + std::to_string(filled + got) + " bytes", into.size());
    filled += got;
    on_filled(filled);
  }
  return expect_end(file, into.size());
}

// How far the reader thread is. One word, so that progress and end cannot be seen out of order.
class Progress {
 public:
  void advance(std::size_t filled) noexcept { publish(filled << 1U); }
  void end() noexcept { publish(word_.load(std::memory_order_relaxed) | 1U); }
  /// Blocks until more than `hashed` bytes are there or the reader has ended; answers how many are there.
  std::size_t wait_beyond(std::size_t hashed) noexcept {
    for (;;) {
      const std::size_t word = word_.load(std::memory_order_acquire);
      if ((word >> 1U) > hashed || (word & 1U) != 0) return word >> 1U;
      word_.wait(word, std::memory_order_acquire);
    }
  }

 private:
  void publish(std::size_t word) noexcept {
    word_.store(word, std::memory_order_release);
    word_.notify_one();
  }
  std::atomic<std::size_t> word_{0};
};

Status read_in_thread(ReadFile& file, std::span<std::byte> into, Progress& progress) noexcept {
  try {
    return read_exactly(file, into, kReaderPiece, [&](std::size_t filled) { progress.advance(filled); });
  } catch (const std::exception&) {  // no memory for an error text: the error itself must still arrive
    return Error{ErrorCode::kOutOfMemory, Reason::kOutOfMemory, 0, {}};
  }
}

Result<Sha256> hash_while_reading(std::span<const std::byte> bytes, Progress& progress, std::thread& reader,
                                  const Status& read_status, Sha256Hasher& hasher) {
  for (std::size_t hashed = 0; hashed < bytes.size();) {
    const std::size_t available = progress.wait_beyond(hashed);
    if (available == hashed) break;  // the reader ended early
    hasher.update(bytes.subspan(hashed, available - hashed));
    hashed = available;
  }
  reader.join();
  if (!read_status.ok()) return read_status.error();
  return hasher.finish();
}

Result<Sha256> read_then_hash(ReadFile& file, std::span<std::byte> into) {
  Sha256Hasher hasher;
  std::size_t hashed = 0;
  SKUA_RETURN_IF_ERROR(read_exactly(file, into, kHashPieceBytes, [&](std::size_t filled) {
    hasher.update(into.subspan(hashed, filled - hashed));
    hashed = filled;
  }));
  return hasher.finish();
}

}  // namespace

struct Sha256Hasher::Context {
  EVP_MD_CTX* evp = EVP_MD_CTX_new();
  bool is_good =
      evp != nullptr && crypto_sha256() != nullptr && EVP_DigestInit_ex2(evp, crypto_sha256(), nullptr) == 1;
  ~Context() { EVP_MD_CTX_free(evp); }
};

// The digest is built into libcrypto: it can only be missing when there is no memory for its context.
Sha256Hasher::Sha256Hasher() : context_(std::make_unique<Context>()) {
  if (!context_->is_good) throw std::bad_alloc();
}

Sha256Hasher::~Sha256Hasher() = default;

void Sha256Hasher::update(std::span<const std::byte> bytes) noexcept {
  context_->is_good &= EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size()) == 1;
}

Sha256 Sha256Hasher::finish() noexcept {
  std::array<Sha256, 2> answers;  // of a hasher that failed, which none does: all zero, as no file has it
  context_->is_good &= EVP_DigestFinal_ex(context_->evp, answers[1].bytes.data(), nullptr) == 1;
  return answers[static_cast<std::size_t>(std::exchange(context_->is_good, false))];
}

Sha256 sha256_of(std::span<const std::byte> bytes) {
  Sha256Hasher hasher;
  hasher.update(bytes);
  return hasher.finish();
}

Result<Sha256> hash_file(ReadFile& file, std::span<std::byte> piece, std::span<std::byte> head) {
  Sha256Hasher hasher;
  for (;;) {
    SKUA_ASSIGN_OR_RETURN(const std::size_t got, file.read(piece));
    hasher.update(piece.first(got));
    const std::size_t kept = std::min(got, head.size());
    std::copy_n(piece.begin(), kept, head.begin());
    head = head.subspan(kept);
    if (got < piece.size()) return hasher.finish();
  }
}

Result<Sha256> hash_file(ReadFile& file) {
  SKUA_ASSIGN_OR_RETURN(Buffer piece, Buffer::allocate(kHashPieceBytes));
  return hash_file(file, piece.bytes());
}

Result<Sha256> read_and_hash(ReadFile& file, std::span<std::byte> into, Reading reading) {
  if (reading == Reading::kInTurn || into.size() < kThreadWorthwhile) return read_then_hash(file, into);
  Sha256Hasher hasher;  // before the thread: from here on nothing may leave this function without joining it
  Progress progress;
  Status read_status;
  std::thread reader;
  try {
    reader = std::thread([&] {
      read_status = read_in_thread(file, into, progress);
      progress.end();
    });
  } catch (const std::system_error&) {  // no thread to be had: slower, not wrong
    return read_then_hash(file, into);
  }
  return hash_while_reading(into, progress, reader, read_status, hasher);
}

}  // namespace skua
