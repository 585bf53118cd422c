// SHA-256 over bytes and files (OpenSSL EVP).
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "core/filesystem.h"
#include "skua/sha256.h"

namespace skua {

class Sha256Hasher {
 public:
  Sha256Hasher();
  ~Sha256Hasher();
  void update(std::span<const std::byte> bytes) noexcept;
  /// The digest; the hasher is then used up.
  Sha256 finish() noexcept;

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

/// What reading and hashing in turn does at a time: small enough to stay in the core's own cache between the
/// two, large enough that the system calls do not show.
inline constexpr std::size_t kHashPieceBytes = std::size_t{128} << 10U;

/// Throws std::bad_alloc when there is no memory for the hasher, as everything here may.
Sha256 sha256_of(std::span<const std::byte> bytes);
/// Digest of the rest of an open file, through `piece`, which must not be empty. The file's first bytes, as
/// many as there are of both, are left in `head`.
Result<Sha256> hash_file(ReadFile& file, std::span<std::byte> piece, std::span<std::byte> head = {});
/// The same through memory of its own.
Result<Sha256> hash_file(ReadFile& file);

/// How a file gets into memory and into the hasher.
enum class Reading {
  kBesideHashing,  ///< a second thread reads ahead: fastest for one file where two cores are free
  kInTurn,         ///< on this thread, piece by piece: cheapest where every core has a file of its own
};
/// Fills `into` exactly from `file` and hashes those same bytes. Small files are read in turn always. The
/// file ending early or going on is kFileSizeMismatch.
Result<Sha256> read_and_hash(ReadFile& file, std::span<std::byte> into,
                             Reading reading = Reading::kBesideHashing);

}  // namespace skua
