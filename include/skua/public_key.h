// A key that flight sets are signed with: its public half, which aircraft and ground tools hold.
#pragma once

#include <string>
#include <string_view>

#include "skua/result.h"
#include "skua/sha256.h"

namespace skua {

/// An ECDSA key on P-256 (FIPS 186-4), the only kind there is here: nothing in a set or in a signature can
/// ask for another. A value; copying costs a few hundred bytes. Thread-safe as any value.
class PublicKey {
 public:
  /// Reads SubjectPublicKeyInfo in PEM (RFC 7468), as `skua keygen` and `openssl ec -pubout` write it: one
  /// block and nothing else but white space. InvalidArgumentError (trusted_key_malformed) for anything else,
  /// keys of other kinds and curves included. About 100 microseconds.
  static Result<PublicKey> from_pem(std::string_view pem);

  /// The canonical PEM text, with its line end.
  const std::string& pem() const noexcept { return pem_; }
  /// SHA-256 of `pem()`: the key's name in messages, and what OpenSSF model signing calls the key hint.
  const Sha256& fingerprint() const noexcept { return fingerprint_; }

  friend bool operator==(const PublicKey&, const PublicKey&) = default;

 private:
  PublicKey(std::string pem, const Sha256& fingerprint) : pem_(std::move(pem)), fingerprint_(fingerprint) {}
  std::string pem_;
  Sha256 fingerprint_;
};

}  // namespace skua
