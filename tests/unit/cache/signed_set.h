// A signed flight set in a temporary folder, and every way to change it with or without signing it again.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "cache/dsse_bundle.h"
#include "cache/p256.h"
#include "cache/set_judge.h"
#include "cache/set_signature.h"
#include "cache/set_statement.h"
#include "cache/utc_text.h"
#include "cache_fixture.h"
#include "core/hash.h"
#include "core/json_strict.h"
#include "fixed_clock.h"

namespace skua::test {

/// A throw-away key of this process: nothing that tests sign holds anywhere else.
inline const PrivateKey& signing_key() {
  static const PrivateKey key = PrivateKey::generate().value();
  return key;
}
/// A key that nobody trusts.
inline const PrivateKey& other_key() {
  static const PrivateKey key = PrivateKey::generate().value();
  return key;
}

inline GatePolicy trusting_policy() {
  GatePolicy policy;
  policy.trusted_keys = {signing_key().public_key().value()};
  return policy;
}

/// model.sig over any payload, well formed or not.
inline DsseBundle signed_bundle(const std::string& payload, const PrivateKey& key = signing_key()) {
  const std::string message = pre_authentication_encoding(payload);
  return {payload, key.sign(bytes_of(message)).value(), key.public_key()->fingerprint()};
}

class SignedSet {
 public:
  SignedSet() { clock.now_us = utc_seconds("2026-06-01T00:00:00Z").value() * 1000000; }

  PublishedFolders folders{&signing_key()};
  GatePolicy policy = trusting_policy();
  HostTuple host = orin();  ///< the machine that the set is judged on
  bool is_gpu = true;       ///< whether its runtime binds engines to the GPU or to the CPU
  FixedClock clock;
  Spy spy;  ///< what the file system says of owners, which a test cannot change

  fs::path file(const std::string& name) const { return folders.set() / name; }
  std::string engine(std::size_t i = 0) const { return folders.records()[i].file; }
  std::string read(const std::string& name) const { return folders.temp().read("sets/set-1/" + name); }
  void write(const std::string& name, const std::string& text) const {
    folders.temp().write("sets/set-1/" + name, text);
  }

  std::string manifest_text() const { return read("flight-manifest.json"); }
  Json manifest() const { return Json::parse(manifest_text()); }
  Json bundle() const { return Json::parse(read("model.sig")); }
  std::string payload() const { return decode_bundle(read("model.sig"))->payload; }
  Json statement() const { return Json::parse(payload()); }

  /// Whatever the text is, the signature over it holds; the statement lists the files that it listed before.
  void put_manifest(const std::string& text) const {
    Json signed_json = statement();
    write("flight-manifest.json", text);
    for (Json& file : signed_json["predicate"]["resources"]) {
      if (file["name"] == "flight-manifest.json") file["digest"] = digest_of(text).hex();
    }
    put_statement(signed_json);
  }
  /// Another manifest that is well formed; the statement lists the files that it listed before.
  template <typename Change>
  void edit_manifest(Change change) const {
    Manifest edited = decode_manifest(manifest_text()).value();
    change(edited);
    put_manifest(encode_manifest(edited));
  }
  /// As `skua sign` would sign the manifest that is there now.
  void sign_again() const {
    const Manifest manifest = decode_manifest(manifest_text()).value();
    write("model.sig", sign_manifest(signing_key(), manifest, digest_of(manifest_text())).value());
  }
  /// Signed whatever it says; its root digest is that of the files that it lists.
  void put_statement(Json json) const {
    Sha256Hasher hasher;
    for (const Json& file : json["predicate"]["resources"]) {
      const auto digest = Sha256::from_hex(file.value("digest", ""));
      if (digest.ok()) hasher.update(std::as_bytes(std::span(digest->bytes)));
    }
    json["subject"][0]["digest"]["sha256"] = hasher.finish().hex();
    put_payload(json.dump());
  }
  void put_payload(const std::string& payload) const {
    write("model.sig", encode_bundle(signed_bundle(payload)));
  }
  void put_bundle(const Json& json) const { write("model.sig", json.dump()); }

  Result<AdmittedSet> admit() {
    SKUA_ASSIGN_OR_RETURN(auto folder, posix_file_system().open_folder(folders.set()));
    return admit_folder(std::make_unique<SpyFolder>(std::move(folder), spy), "set-1", policy, clock);
  }
  /// The whole of it: the set gate, the engine gate for every engine, every other file by its digest.
  Status judge() {
    const Result<AdmittedSet> admitted = admit();
    if (!admitted.ok()) return Error(admitted.error());
    const auto uses_gpu = [this](const EngineRecord&) { return is_gpu; };
    for (const FileVerdict& verdict : judge_files(*admitted, {host, uses_gpu, 1})) {
      SKUA_RETURN_IF_ERROR(verdict.status);
    }
    return {};
  }
};

}  // namespace skua::test
