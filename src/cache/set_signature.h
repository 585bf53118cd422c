// Signing a flight set, and judging its signature: the first stage of the set gate.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "cache/manifest.h"
#include "cache/p256.h"
#include "cache/publish.h"
#include "cache/set_gate.h"
#include "cache/set_statement.h"
#include "core/filesystem.h"
#include "skua/public_key.h"

namespace skua {

/// The current key and the next one: what a policy file, the command line and an aircraft may trust at a
/// time.
inline constexpr std::size_t kMostTrustedKeys = 2;

struct JudgedSignature {
  SetStatement statement;
  Sha256 manifest_sha256;  ///< what the statement says of flight-manifest.json
  Sha256 key;              ///< fingerprint of the trusted key that signed
};

/// Reads `model.sig` of an open set folder the safe way, once, and judges it by the trusted keys: bundle well
/// formed, signature over the payload by one of them, statement well formed, manifest listed. Nothing of the
/// payload is interpreted before the signature holds. ManifestError: no_trusted_key, signature_too_large,
/// signature_malformed, signature_key_unknown, signature_invalid, statement_malformed, manifest_not_signed;
/// the safe-file refusals.
Result<JudgedSignature> judge_signature(Folder& set, std::span<const PublicKey> trusted_keys);

/// The text of `model.sig` for a set with this manifest.
Result<std::string> sign_manifest(const PrivateKey& key, const Manifest& manifest,
                                  const Sha256& manifest_sha256);

/// Adds `model.sig` to a published set that is whole (the caller verified every byte of it): whole or not at
/// all, and durable. Made in the folder of sets, so that what a killed signer leaves lies there, where the
/// next writer removes it, and never in a set. A signature by this very key is left as it is; another one is
/// already_signed, for a signature is never replaced. Errors: InvalidArgumentError, the file system's.
Status add_signature(WriterLock& sets, AdmittedSet& set, const PrivateKey& key);

}  // namespace skua
