// A trusted key, PEM: whatever is accepted has one canonical text, and can judge a signature.
#include "skua/public_key.h"

#include "../edits.h"
#include "../fuzz.h"
#include "cache/p256.h"
#include "core/hash.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skua;
  static const std::string good = PrivateKey::generate().value().public_key().value().pem();
  const std::string text = fuzz::pem_input(fuzz::text_of(data, size), good);
  const auto key = PublicKey::from_pem(text);
  fuzz::require(key.ok() || text != good, "an untouched key is accepted");
  if (!key.ok()) {
    fuzz::require_refusal(key.error(), {Reason::kTrustedKeyMalformed});
    return 0;
  }
  const auto again = PublicKey::from_pem(key->pem());
  fuzz::require(again.ok() && *again == *key, "the canonical text is the same key");
  fuzz::require(key->fingerprint() == sha256_of(fuzz::bytes_of(key->pem())), "its fingerprint is its hash");
  const auto judged = is_signed_by(*key, fuzz::bytes_of("message"), fuzz::bytes_of(text));
  fuzz::require(judged.ok() && !*judged, "a key's text is no signature");
  return 0;
}
