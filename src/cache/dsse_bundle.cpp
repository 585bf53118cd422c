#include "cache/dsse_bundle.h"

#include "cache/base64.h"
#include "cache/json_fields.h"
#include "core/text.h"

namespace skua {
namespace {

constexpr std::string_view kMediaType = "application/vnd.dev.sigstore.bundle.v0.3+json";
constexpr std::size_t kMaxSignatureText = 256;  // a P-256 signature has at most 72 bytes in DER

std::vector<std::byte> base64_field(ObjectReader& reader, std::string_view key, std::size_t max_length) {
  const std::string text = reader.text(key, max_length);
  if (!reader.ok()) return {};
  auto bytes = from_base64(text);
  if (bytes.has_value()) return *std::move(bytes);
  reader.fail(key, "base64 (RFC 4648, with padding)", "another text");
  return {};
}

Result<Sha256> read_key(const Json& json, const std::string& path) {
  ObjectReader reader(json, path);
  const Sha256 hint = reader.digest("hint");
  SKUA_RETURN_IF_ERROR(reader.finish());
  return hint;
}

Result<Sha256> read_material(const Json& json, const std::string& path) {
  ObjectReader reader(json, path);
  const Sha256 hint = read_object<Sha256>(reader, "publicKey", read_key);
  static_cast<void>(reader.array("tlogEntries", 0));  // always there, always empty: a log needs a network
  SKUA_RETURN_IF_ERROR(reader.finish());
  return hint;
}

Result<std::vector<std::byte>> read_signature(const Json& json, const std::string& path) {
  ObjectReader reader(json, path);
  std::vector<std::byte> signature = base64_field(reader, "sig", kMaxSignatureText);
  expect_text(reader, "keyid", "");
  SKUA_RETURN_IF_ERROR(reader.finish());
  return signature;
}

Result<DsseBundle> read_envelope(const Json& json, const std::string& path) {
  ObjectReader reader(json, path);
  DsseBundle envelope;
  expect_text(reader, "payloadType", kPayloadType);
  const std::vector<std::byte> payload = base64_field(reader, "payload", kSignatureMaxBytes);
  envelope.payload.assign(reinterpret_cast<const char*>(payload.data()), payload.size());
  const auto signatures = read_list<std::vector<std::byte>>(reader, "signatures", 1, read_signature);
  if (reader.ok() && signatures.empty()) reader.fail("signatures", "exactly one", "none");
  SKUA_RETURN_IF_ERROR(reader.finish());
  envelope.signature = signatures.front();
  return envelope;
}

Result<DsseBundle> read_bundle(const Json& json) {
  ObjectReader reader(json, "");
  expect_text(reader, "mediaType", kMediaType);
  DsseBundle bundle = read_object<DsseBundle>(reader, "dsseEnvelope", read_envelope);
  bundle.key_hint = read_object<Sha256>(reader, "verificationMaterial", read_material);
  SKUA_RETURN_IF_ERROR(reader.finish());
  return bundle;
}

Error malformed(const Error& cause) {
  return make_error(ErrorCode::kManifest, Reason::kSignatureMalformed,
                    cause.message + "; sign the set with skua sign, or as docs/formats/signature.md says");
}

}  // namespace

std::string encode_bundle(const DsseBundle& bundle) {
  Json signature = Json::object();
  signature["sig"] = to_base64(bundle.signature);
  signature["keyid"] = "";
  Json envelope = Json::object();
  envelope["payload"] = to_base64(std::as_bytes(std::span(bundle.payload)));
  envelope["payloadType"] = kPayloadType;
  envelope["signatures"] = Json::array();
  envelope["signatures"].push_back(std::move(signature));
  Json key = Json::object();
  key["hint"] = bundle.key_hint.hex();
  Json material = Json::object();
  material["publicKey"] = std::move(key);
  material["tlogEntries"] = Json::array();
  Json json = Json::object();
  json["mediaType"] = kMediaType;
  json["verificationMaterial"] = std::move(material);
  json["dsseEnvelope"] = std::move(envelope);
  return json.dump() + "\n";
}

Result<DsseBundle> decode_bundle(std::string_view text) {
  if (text.size() > kSignatureMaxBytes) {
    return make_error(ErrorCode::kManifest, Reason::kSignatureTooLarge,
                      "expected at most " + std::to_string(kSignatureMaxBytes) +
                          " bytes, found more; provision and sign the set again");
  }
  const Result<Json> json = parse_json(text, {.max_bytes = kSignatureMaxBytes, .max_depth = 6});
  if (!json.ok()) return malformed(json.error());
  Result<DsseBundle> bundle = read_bundle(*json);
  if (!bundle.ok()) return malformed(bundle.error());
  return bundle;
}

std::string pre_authentication_encoding(std::string_view payload) {
  std::string text = "DSSEv1 " + std::to_string(kPayloadType.size()) + " ";
  text += kPayloadType;
  text += " " + std::to_string(payload.size()) + " ";
  text += payload;
  return text;
}

}  // namespace skua
