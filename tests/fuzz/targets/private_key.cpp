// A signing key, PEM, read without a passphrase. (With one a file may ask for any number of PBKDF2 rounds:
// it is the operator's own file, and the operator's time.)
#include "../edits.h"
#include "../fuzz.h"
#include "cache/p256.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skua;
  static const std::string good = PrivateKey::generate().value().to_pem().value();
  const std::string text = fuzz::pem_input(fuzz::text_of(data, size), good);
  const auto key = PrivateKey::from_pem(text);
  fuzz::require(key.ok() || text != good, "an untouched key is accepted");
  if (!key.ok()) {
    fuzz::require_refusal(key.error(), {Reason::kPrivateKeyMalformed, Reason::kPassphraseWrong});
    fuzz::require(key.error().reason != Reason::kPassphraseWrong || PrivateKey::is_encrypted(text),
                  "only an encrypted key wants a passphrase");
    return 0;
  }
  const auto public_key = key->public_key();
  fuzz::require(public_key.ok(), "a private key has a public one");
  const auto signature = key->sign(fuzz::bytes_of("message"));
  fuzz::require(signature.ok(), "it signs");
  const auto holds = is_signed_by(*public_key, fuzz::bytes_of("message"), *signature);
  fuzz::require(holds.ok() && *holds, "its public key accepts what it signed");
  const auto again = PrivateKey::from_pem(key->to_pem().value());
  fuzz::require(again.ok() && again->public_key().value() == *public_key, "its own text is the same key");
  return 0;
}
