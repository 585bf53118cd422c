#include "cache/set_signature.h"

#include <algorithm>

#include "cache/dsse_bundle.h"
#include "cache/safe_file.h"
#include "cache/staged_copy.h"

namespace skua {
namespace {

Error refusal(Reason reason, const std::string& where, const std::string& text) {
  return make_error(ErrorCode::kManifest, reason, where + ": " + text);
}

std::string names_of(std::span<const PublicKey> keys) {
  std::string names;
  for (const PublicKey& key : keys) names += (names.empty() ? "" : " or ") + key.fingerprint().hex();
  return names;
}

/// By the trusted key that the hint names. The hint itself is believed in nothing: with a wrong one the
/// signature does not hold.
Status verify(const DsseBundle& bundle, std::span<const PublicKey> trusted_keys, const std::string& where) {
  const auto is_named = [&](const PublicKey& key) { return key.fingerprint() == bundle.key_hint; };
  const auto key = std::find_if(trusted_keys.begin(), trusted_keys.end(), is_named);
  if (key == trusted_keys.end()) {
    return refusal(Reason::kSignatureKeyUnknown, where,
                   "expected a signature by key " + names_of(trusted_keys) + ", found one by " +
                       bundle.key_hint.hex() + "; do not fly it unless you know who signed it");
  }
  const std::string message = pre_authentication_encoding(bundle.payload);
  SKUA_ASSIGN_OR_RETURN(const bool holds,
                        is_signed_by(*key, std::as_bytes(std::span(message)), bundle.signature));
  if (holds) return {};
  return refusal(
      Reason::kSignatureInvalid, where,
      "expected a signature that holds by key " + bundle.key_hint.hex() +
          ", found one that does not; it was damaged or forged: do not fly it, bring the set again");
}

Result<DsseBundle> read_bundle(Folder& set, const std::string& where) {
  SKUA_ASSIGN_OR_RETURN(const auto file, open_safe(set, kSignatureName, Reason::kUnsignedSet));
  SKUA_ASSIGN_OR_RETURN(const std::string text, read_at_most(*file, kSignatureMaxBytes + 1, where));
  Result<DsseBundle> bundle = decode_bundle(text);
  if (!bundle.ok()) return refusal(bundle.error().reason, where, bundle.error().message);
  return bundle;
}

Result<Sha256> signed_manifest(const SetStatement& statement, const std::string& where) {
  const auto found = std::find_if(statement.files.begin(), statement.files.end(),
                                  [](const SignedFile& file) { return file.name == kManifestName; });
  if (found != statement.files.end()) return found->sha256;
  return refusal(Reason::kManifestNotSigned, where,
                 "expected a signature over flight-manifest.json, found none; sign the set with skua sign");
}

/// Whether this very key signed exactly this set before. Anything else that stands there is already_signed;
/// what cannot be read is neither.
Result<bool> has_signature(AdmittedSet& set, const PublicKey& key) {
  const auto found = judge_signature(*set.folder, std::span(&key, 1));
  if (!found.ok() && found.error().reason == Reason::kUnsignedSet) return false;
  if (!found.ok() && found.error().code != ErrorCode::kManifest) return Error(found.error());
  if (found.ok() && found->manifest_sha256 == set.manifest_sha256 &&
      check_statement(found->statement, set.manifest).ok()) {
    return true;
  }
  return make_error(ErrorCode::kInvalidArgument, Reason::kAlreadySigned,
                    "set " + set.folder->path().string() + ": expected no signature, or one by key " +
                        key.fingerprint().hex() +
                        ", found another; a signature is never replaced: provision a new set and sign that");
}

Status write_signature(WriterLock& sets, AdmittedSet& set, const PrivateKey& key) {
  SKUA_ASSIGN_OR_RETURN(const std::string text, sign_manifest(key, set.manifest, set.manifest_sha256));
  SKUA_ASSIGN_OR_RETURN(std::string name, random_name(kTemporaryPrefix));
  SKUA_RETURN_IF_ERROR(write_new(sets.folder(), name, std::as_bytes(std::span(text))));
  TemporaryFile temporary(sets.folder(), std::move(name));
  SKUA_RETURN_IF_ERROR(sets.folder().move_into(temporary.name(), set.manifest.set_id, kSignatureName));
  temporary.release();
  return {};
}

}  // namespace

Result<JudgedSignature> judge_signature(Folder& set, std::span<const PublicKey> trusted_keys) {
  const std::string where = file_text(set, kSignatureName);
  if (trusted_keys.empty()) {
    return refusal(Reason::kNoTrustedKey, where,
                   "expected a public key to judge the signature by, found none; configure trusted_key, or "
                   "give --trust PUBLIC_KEY");
  }
  SKUA_ASSIGN_OR_RETURN(const DsseBundle bundle, read_bundle(set, where));
  SKUA_RETURN_IF_ERROR(verify(bundle, trusted_keys, where));
  JudgedSignature judged;
  judged.key = bundle.key_hint;
  // From here on the payload is what a trusted key signed; nothing of it was looked at before.
  Result<SetStatement> statement = decode_statement(bundle.payload);
  if (!statement.ok()) return refusal(statement.error().reason, where, statement.error().message);
  judged.statement = *std::move(statement);
  SKUA_ASSIGN_OR_RETURN(judged.manifest_sha256, signed_manifest(judged.statement, where));
  return judged;
}

Result<std::string> sign_manifest(const PrivateKey& key, const Manifest& manifest,
                                  const Sha256& manifest_sha256) {
  DsseBundle bundle;
  bundle.payload = encode_statement(statement_of(manifest, manifest_sha256));
  const std::string message = pre_authentication_encoding(bundle.payload);
  SKUA_ASSIGN_OR_RETURN(bundle.signature, key.sign(std::as_bytes(std::span(message))));
  SKUA_ASSIGN_OR_RETURN(const PublicKey public_key, key.public_key());
  bundle.key_hint = public_key.fingerprint();
  return encode_bundle(bundle);
}

Status add_signature(WriterLock& sets, AdmittedSet& set, const PrivateKey& key) {
  SKUA_ASSIGN_OR_RETURN(const PublicKey public_key, key.public_key());
  SKUA_ASSIGN_OR_RETURN(const bool is_signed, has_signature(set, public_key));
  if (!is_signed) SKUA_RETURN_IF_ERROR(write_signature(sets, set, key));
  // Also where it was there: whoever wrote it may have been killed before it was durable.
  SKUA_RETURN_IF_ERROR(set.folder->sync());
  return sets.folder().sync();
}

}  // namespace skua
