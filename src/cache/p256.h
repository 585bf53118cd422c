// ECDSA over P-256 with SHA-256 (FIPS 186-4, through OpenSSL 3): private keys, signing, verifying. One
// algorithm: nothing here takes its name from data.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "skua/public_key.h"
#include "skua/result.h"

namespace skua {

/// The half that signs: ground only. Never printed, never copied; its memory is cleared when it goes.
/// Making keys, signing and encrypting take random numbers: io_error where the system gives none.
/// Of PBKDF2, once per use of an encrypted key: a fraction of a second here, years for who guesses.
inline constexpr int kKeyDerivations = 600000;

class PrivateKey {
 public:
  static Result<PrivateKey> generate();
  /// PKCS#8 (also encrypted) or SEC1, PEM. InvalidArgumentError: private_key_malformed; passphrase_wrong when
  /// it is encrypted and `passphrase` does not open it. Never asks a terminal by itself.
  static Result<PrivateKey> from_pem(std::string_view pem, std::string_view passphrase = {});
  /// Whether a PEM text says that it is encrypted, so that a caller knows to ask.
  static bool is_encrypted(std::string_view pem) noexcept;

  PrivateKey(PrivateKey&&) noexcept;
  PrivateKey& operator=(PrivateKey&&) noexcept;
  ~PrivateKey();

  /// PKCS#8; with a passphrase of at most 1024 bytes encrypted (PBES2: PBKDF2 with SHA-256, AES-256-CBC),
  /// which takes a fraction of a second, since it is read back. `derivations` are the rounds of PBKDF2: fewer
  /// are for tests alone. What cannot be read back is InternalError and not handed out. OutOfMemoryError;
  /// IoError without random numbers.
  Result<std::string> to_pem(std::string_view passphrase = {}, int derivations = kKeyDerivations) const;
  Result<PublicKey> public_key() const;
  /// DER (SEQUENCE of r and s, RFC 3279 section 2.2.3). The nonce is random: two signatures differ. What does
  /// not hold is InternalError and not handed out. OutOfMemoryError; IoError without random numbers.
  Result<std::vector<std::byte>> sign(std::span<const std::byte> message) const;

 private:
  struct Key;
  explicit PrivateKey(std::unique_ptr<Key> key) noexcept;
  std::unique_ptr<Key> key_;
};

/// Whether `signature` (DER) holds for `message`. False for anything that is not well formed. kOutOfMemory is
/// the only error. Under a millisecond, most of it for reading the key, and the hash of the message.
Result<bool> is_signed_by(const PublicKey& key, std::span<const std::byte> message,
                          std::span<const std::byte> signature);

}  // namespace skua
