// Both gates over a flight set up to the point where loading would begin: what `skua verify` prints, and what
// provisioning asks of the set that flies before it calls it unchanged.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "cache/manifest.h"
#include "cache/set_gate.h"
#include "cache/set_judge.h"
#include "core/filesystem.h"
#include "skua/inference_runtime.h"

namespace skua {

struct SetVerdict {
  Manifest manifest;
  bool is_unsigned = true;
  bool is_expired = false;         ///< and accepted all the same, by the policy's rule
  std::optional<Sha256> signer;    ///< fingerprint of the key that signed
  std::vector<FileVerdict> files;  ///< every file of the manifest, engines first
  std::uint64_t bytes_hashed = 0;
  std::int64_t elapsed_ns = 0;  ///< reading and hashing all files
  std::size_t workers = 0;      ///< files that were hashed at the same time
  /// The first refusal, or success.
  Status overall() const;
};

/// Judges every file even after a first refusal. `host` is the machine that the engines are judged against;
/// `workers` 0: default_judge_workers. An error is a refusal of the set gate, after which nothing else can
/// be trusted to be what it says.
Result<SetVerdict> verify_set(FileSystem& files, const std::filesystem::path& set_dir,
                              const GatePolicy& policy, const HostTuple& host, const Clock& clock,
                              std::size_t workers = 0);

/// A set of which every byte is as listed, whoever signed it and however old it is, with its manifest and its
/// folder as they were then: who signs it signs what was verified. Its host is compared with itself: a set
/// for another machine is not damaged. Nothing may fly on this verdict. Errors: the first refusal.
Result<AdmittedSet> verify_whole_set(FileSystem& files, const std::filesystem::path& set_dir,
                                     std::uint64_t limit_bytes);

}  // namespace skua
