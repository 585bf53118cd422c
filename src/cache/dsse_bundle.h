// The file `model.sig`: a Sigstore bundle (v0.3) around a DSSE envelope with one signature, the form that
// OpenSSF model signing 1.1 writes and reads. docs/formats/signature.md specifies it byte by byte.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "skua/result.h"
#include "skua/sha256.h"

namespace skua {

/// 8192 files of a manifest at most, about 300 bytes each, in base64.
inline constexpr std::size_t kSignatureMaxBytes = std::size_t{4} << 20U;
inline constexpr std::string_view kPayloadType = "application/vnd.in-toto+json";

struct DsseBundle {
  std::string payload;               ///< decoded; not to be read before the signature holds
  std::vector<std::byte> signature;  ///< DER
  Sha256 key_hint;  ///< fingerprint of the public key, as the signer says: which trusted key to try
};

std::string encode_bundle(const DsseBundle& bundle);
/// Strict and bounded: the fields that `skua sign` and the public tool write, and no other. ManifestError:
/// signature_too_large, signature_malformed. Looks at the envelope alone, never into the payload.
Result<DsseBundle> decode_bundle(std::string_view text);

/// What is signed (DSSE v1, protocol.md): "DSSEv1", the payload type and the payload with their lengths.
std::string pre_authentication_encoding(std::string_view payload);

}  // namespace skua
