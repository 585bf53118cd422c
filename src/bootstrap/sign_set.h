// Signing a published flight set: `skua sign`.
#pragma once

#include <cstdint>
#include <filesystem>

#include "cache/manifest.h"
#include "cache/p256.h"
#include "core/filesystem.h"

namespace skua {

struct SignedSet {
  Manifest manifest;
  std::filesystem::path set_dir;
  Sha256 signer;          ///< fingerprint of the key
  bool is_added = false;  ///< false: the set had this key's signature already; nothing was written
};

/// Signs `folder`, or the set that its CURRENT names, under the writer's lock: every byte is verified, and
/// what is signed is the manifest that was verified, from memory, so that nothing that changes meanwhile can
/// be covered by the signature. Errors: ManifestError and EngineDeserializeError of a set that is not whole;
/// InvalidArgumentError already_signed, folder_busy and the file system's.
Result<SignedSet> sign_set(FileSystem& files, const std::filesystem::path& folder, std::uint64_t limit_bytes,
                           const PrivateKey& key);

}  // namespace skua
