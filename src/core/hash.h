// SHA-256 over bytes and files (OpenSSL EVP, in pieces of at least 1 MiB).
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

/// Throws std::bad_alloc when there is no memory for the hasher, as everything here may.
Sha256 sha256_of(std::span<const std::byte> bytes);
/// Digest of the rest of an open file, through a small reused buffer.
Result<Sha256> hash_file(ReadFile& file);
/// Fills `into` exactly from `file` and hashes those same bytes: a reader thread runs beside the hasher when
/// there is enough to do. The file ending early or going on is kFileSizeMismatch.
Result<Sha256> read_and_hash(ReadFile& file, std::span<std::byte> into);

}  // namespace skua
