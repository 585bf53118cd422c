// The set gate: judged before any engine of the set is looked at. Order (the signature comes first:
// what it covers is not parsed until it was found good):
// clang-format off
//   1 signature             unsigned_set, no_trusted_key, signature_too_large, signature_malformed,
//                           signature_key_unknown, signature_invalid, statement_malformed, manifest_not_signed
//   2 manifest bytes        manifest_missing, manifest_too_large, manifest_not_signed, the safe-file refusals
//   3 manifest well formed  manifest_malformed, manifest_schema_version, set_id_mismatch, statement_files_mismatch
//   4 release sequence      sequence_too_old, sequence_step_too_large
//   5 expiry                set_expired (where the policy's rule is kRefuse)
//   6 files                 unlisted_file, listed_file_missing, file_size_mismatch, set_too_large, safe-file refusals
// clang-format on
// Every refusal is a ManifestError except safe-file ones (EngineDeserializeError). The gate writes nothing.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "cache/manifest.h"
#include "core/filesystem.h"
#include "skua/inference_runtime.h"
#include "skua/ports.h"

namespace skua {

struct AdmittedSet {
  Manifest manifest;
  Sha256 manifest_sha256;
  std::unique_ptr<Folder> folder;  ///< with the shared lock on it, where that could be had: collect_sets.h
  bool is_unsigned = true;         ///< the caller logs this at WARN
  bool is_expired = false;         ///< only where the policy's rule is kWarn; the caller logs this at WARN
  std::optional<Sha256> signer;    ///< fingerprint of the key that signed
};

/// `set_dir` is the set's own folder. Engines and golden files are hashed later, by those who read them. The
/// clock's UTC decides the expiry, where the policy says so.
Result<AdmittedSet> admit_set(FileSystem& files, const std::filesystem::path& set_dir,
                              const GatePolicy& policy, const Clock& clock = system_clock());

/// Resolves `<sets_dir>/CURRENT` to the folder it names. ManifestError: set_missing, current_missing,
/// current_malformed.
Result<std::filesystem::path> current_set(FileSystem& files, const std::filesystem::path& sets_dir);

/// Opens a file of a set or cache the safe way: a regular file with one name, whose owner is root or
/// whoever runs this process, and which only that owner may write. Size is returned through the file's info.
Result<std::unique_ptr<ReadFile>> open_safe(Folder& folder, std::string_view name, Reason when_missing);

}  // namespace skua
