// Removing flight sets that nobody will fly any more: never the one that CURRENT names, never one that a
// reader holds, and only once what stays is sure to be on the disk.
//
// A reader (admit_set) opens the set's folder and takes the shared lock on it, without waiting. The collector
// takes the exclusive one before it touches a set, and keeps the set when it cannot have it. The set is then
// renamed to `.staging-...`, which no reader looks at and which the next writer removes, the folder of sets
// is synced, and only then does anything of the set go. So a reader that came first keeps the set whole; one
// that opened the folder just before the collector locked it, and reads on without the lock, gets every file
// or a clear refusal, for each byte is judged as it is read and nothing flies before all were.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/filesystem.h"
#include "skua/engine_set.h"
#include "skua/ports.h"
#include "skua/result.h"

namespace skua {

struct CollectOptions {
  std::size_t keep = 2;          ///< so many sets beside CURRENT's, the newest that are whole
  bool removes_damaged = false;  ///< else a damaged set stays: one wrong reading is no proof against a disk
  bool dry_run = false;          ///< judge and tell, change nothing; takes no lock
  /// What a set must pass to count as whole. Without a key every set must be unsigned, or nothing is done.
  GatePolicy policy;
  std::function<void(const std::string& set_id)> on_judging = [](const std::string&) {};
};

enum class SetFate : std::uint8_t {
  kCurrent,    ///< CURRENT names it
  kKept,       ///< whole, and one of the newest
  kInUse,      ///< a reader holds it
  kNotJudged,  ///< stays: no verdict on it could be had, `why` tells the reason
  kDamaged,    ///< stays, and counts as none: its own hashes or signature do not hold
  kRemoved,    ///< too old, or damaged and not wanted; with dry_run: it would be
};
std::string_view to_string(SetFate fate) noexcept;

struct CollectedSet {
  std::string id;
  SetFate fate = SetFate::kNotJudged;
  std::uint64_t release_sequence = 0;  ///< 0: not read
  std::uint64_t size_bytes = 0;        ///< of its listed files; 0: not read
  std::string why;
};

/// CURRENT's set first, then the whole ones from the newest on, then the others by name. What is no set (a
/// file, a folder without a manifest) is neither told nor touched.
using CollectReport = std::vector<CollectedSet>;

/// Under the writer's lock. Hashes every byte of every set. ManifestError: CURRENT is missing, or the set
/// that it names does not pass (its own code); then nothing was removed. InvalidArgumentError,
/// no_trusted_key: a set is signed and the policy has no key. EngineBuildError: folder_busy and the file
/// system's; what was renamed by then, and could not be removed, is removed by the next writer.
/// OutOfMemoryError.
Result<CollectReport> collect_sets(FileSystem& files, const std::filesystem::path& sets_dir,
                                   const CollectOptions& options, const Clock& clock = system_clock());

}  // namespace skua
