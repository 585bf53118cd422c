// A signed set, damaged: the judge accepts only what says the same, byte by byte, as what was signed. The
// key is made anew for each process, so the input is not a bundle but what is done to one: a byte for the
// level (bundle text, payload, signature, payload under no key's hint), then edits of four bytes (which,
// where, what).
#include "../edits.h"
#include "../fuzz.h"
#include "../fuzz_folder.h"
#include "cache/dsse_bundle.h"
#include "cache/set_gate.h"
#include "cache/set_signature.h"
#include "core/hash.h"

namespace {

using namespace skua;

Manifest small_manifest() {
  Manifest manifest;
  manifest.set_id = "set-1";
  manifest.files = {{"a.engine", 3, sha256_of(fuzz::bytes_of("abc"))},
                    {"golden/a", 1, sha256_of(fuzz::bytes_of("a"))}};
  return manifest;
}

struct Signed {
  PrivateKey key = PrivateKey::generate().value();
  PublicKey trusted = key.public_key().value();
  Manifest manifest = small_manifest();
  std::string text = sign_manifest(key, manifest, sha256_of(fuzz::bytes_of("manifest"))).value();
  DsseBundle bundle = decode_bundle(text).value();
};

std::string damaged(const Signed& good, unsigned level, std::string_view edits) {
  if (level == 0) return fuzz::edited(good.text, edits);
  DsseBundle bundle = good.bundle;
  if (level == 1) bundle.payload = fuzz::edited(bundle.payload, edits);
  if (level == 2) {
    const std::string_view bytes(reinterpret_cast<const char*>(bundle.signature.data()),
                                 bundle.signature.size());
    const std::string changed = fuzz::edited(std::string(bytes), edits);
    bundle.signature.assign(fuzz::bytes_of(changed).begin(), fuzz::bytes_of(changed).end());
  }
  if (level == 3) {
    bundle.key_hint = {};
    bundle.payload = fuzz::edited(bundle.payload, edits);
  }
  return encode_bundle(bundle);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Signed good;
  const std::string_view input = fuzz::text_of(data, size);
  const std::string_view edits = input.empty() ? input : input.substr(1);
  const std::string text = damaged(good, input.empty() ? 0 : static_cast<unsigned char>(input[0]) % 4, edits);
  const test::TempFolder& place = fuzz::input_folder();
  place.write(std::string(kSignatureName), text);
  const auto folder = posix_file_system().open_folder(place.path());
  const auto judged = judge_signature(**folder, std::span(&good.trusted, 1));
  fuzz::require(judged.ok() || text != good.text, "the untouched signature is accepted",
                judged.ok() ? "" : judged.error().describe());
  if (!judged.ok()) {
    fuzz::require_refusal(judged.error(),
                          {Reason::kSignatureMalformed, Reason::kSignatureTooLarge, Reason::kSignatureInvalid,
                           Reason::kSignatureKeyUnknown, Reason::kStatementMalformed});
    fuzz::require(judged.error().reason != Reason::kStatementMalformed,
                  "nothing is interpreted before the signature holds");
    return 0;
  }
  fuzz::require(decode_bundle(text).value().payload == good.bundle.payload, "the payload is what was signed");
  fuzz::require(judged->key == good.trusted.fingerprint(), "by the trusted key");
  fuzz::require(
      judged->statement.files == statement_of(good.manifest, sha256_of(fuzz::bytes_of("manifest"))).files,
      "and says what was signed");
  return 0;
}
