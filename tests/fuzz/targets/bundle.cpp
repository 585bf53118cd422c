// model.sig: the bundle and its envelope, before anything is known of who wrote it; and what is signed.
#include "../fuzz.h"
#include "cache/dsse_bundle.h"

namespace {

// The encoding read back by its own lengths, so that no two payloads can have the same one.
void require_one_payload(std::string_view payload) {
  const std::string text = skua::pre_authentication_encoding(payload);
  const std::string head = "DSSEv1 " + std::to_string(skua::kPayloadType.size()) + " " +
                           std::string(skua::kPayloadType) + " " + std::to_string(payload.size()) + " ";
  skua::fuzz::require(text == head + std::string(payload), "the encoding holds type and payload by length");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skua;
  const std::string_view text = fuzz::text_of(data, size);
  require_one_payload(text);
  const auto bundle = decode_bundle(text);
  if (!bundle.ok()) {
    fuzz::require(bundle.error().code == ErrorCode::kManifest, "a ManifestError");
    fuzz::require_refusal(bundle.error(), {Reason::kSignatureMalformed});
    return 0;
  }
  const auto again = decode_bundle(encode_bundle(*bundle));
  fuzz::require(again.ok(), "what was encoded is accepted", again.ok() ? "" : again.error().describe());
  fuzz::require(again->payload == bundle->payload && again->signature == bundle->signature &&
                    again->key_hint == bundle->key_hint,
                "decode(encode(x)) is x");
  return 0;
}
