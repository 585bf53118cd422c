// What a folder of flight sets already holds: the set that CURRENT names, and the highest release sequence.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "cache/set_gate.h"
#include "core/filesystem.h"
#include "skua/ports.h"

namespace skua {

struct PublishedSets {
  std::string current_id;              ///< what CURRENT names; empty: nothing, or nothing legal
  std::optional<AdmittedSet> current;  ///< that set, only when every file of it verified
  bool is_current_signed = false;      ///< whatever is wrong with it otherwise; without a CURRENT, the newest
  std::uint64_t highest_sequence = 0;  ///< among all manifests that can be read; 0: none
  std::string newest_id;               ///< of the set with that sequence
};

/// Reads and hashes the current set, every byte of it once; writes nothing. A damaged set is no reason
/// not to publish a good one; errors are those of a disk that does not answer for `sets_dir`, CURRENT, a
/// manifest or the current set's signature.
Result<PublishedSets> survey_published_sets(FileSystem& files, const std::filesystem::path& sets_dir,
                                            std::uint64_t limit_bytes);

/// The newest set when CURRENT does not name it and every file of it verifies: a writer was stopped just
/// before it moved CURRENT. Reads and hashes that set.
std::optional<AdmittedSet> find_orphan(FileSystem& files, const std::filesystem::path& sets_dir,
                                       std::uint64_t limit_bytes, const PublishedSets& published);

/// `folder` when it is a flight set itself, else the set that its CURRENT names. ManifestError (set_missing,
/// current_missing, current_malformed).
Result<std::filesystem::path> find_set(FileSystem& files, const std::filesystem::path& folder);

/// Whether `folder` holds a manifest, i.e. is a flight set.
bool is_flight_set(FileSystem& files, const std::filesystem::path& folder);

/// Whether `folder` holds a CURRENT. False also where that cannot be seen: what opens it next says why.
bool is_sets_folder(FileSystem& files, const std::filesystem::path& folder);

}  // namespace skua
