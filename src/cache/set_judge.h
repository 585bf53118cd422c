// Judging every file of a flight set without loading it: engines by the whole engine gate, the others by size
// and SHA-256. Nothing is kept in memory, and every file is read once.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cache/set_gate.h"

namespace skua {

/// Decides from an engine's record which host facts bind it (GPU or CPU); that is a runtime's knowledge.
using UsesGpu = std::function<bool(const EngineRecord&)>;

/// The verdict on one file of the set.
struct FileVerdict {
  std::string file;
  std::string kind;  ///< "engine": the whole engine gate; "file": size and SHA-256 as the manifest lists them
  std::uint64_t size_bytes = 0;
  Status status;
};

struct JudgePlan {
  HostTuple host;  ///< the machine that the engines are judged against
  UsesGpu uses_gpu;
  std::size_t workers = 1;  ///< files that are hashed at the same time
};

/// How many workers a set of that size is worth: one per core to use, four at most (more saturate memory, not
/// the hash), and none beside the caller's thread for less than some MiB each.
std::size_t default_judge_workers(std::uint64_t set_bytes) noexcept;

/// Judges every listed file, also after a refusal. Verdicts are in the order of the manifest, engines first,
/// whatever the workers do. Throws std::bad_alloc when there is no memory for a hasher.
std::vector<FileVerdict> judge_files(const AdmittedSet& set, const JudgePlan& plan);

}  // namespace skua
