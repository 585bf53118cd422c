// All engines of an admitted flight set, or none: read, hashed, deserialised, placed on their lanes, proven
// and warmed up, several at once.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cache/set_gate.h"
#include "inference/admission.h"
#include "inference/prepared_engine.h"
#include "inference/runtime_state.h"

namespace skua {

struct LoadedSet {
  std::string set_id;
  std::uint64_t release_sequence = 0;
  std::optional<Sha256> signer;                       ///< fingerprint of the key that signed
  std::vector<std::shared_ptr<EngineState>> engines;  ///< most critical first
  std::vector<EngineLoadTimes> times;
  std::int64_t total_ns = 0;
};

/// The rest of the gate for a prepared engine.
Result<std::shared_ptr<EngineState>> admit_prepared(RuntimeState& runtime, const AdmissionSteps& steps,
                                                    PreparedEngine prepared, EngineLoadTimes& times);

/// How many engines of a set are worked on at once: one per usable core and at most four, and no more than
/// leave the set with as many copies of its largest engine within the memory budget, but always one. Never
/// more than there are engines: one alone is read beside its hashing instead.
std::size_t loader_count(const Manifest& manifest, std::uint64_t budget_bytes, std::size_t cores) noexcept;

/// Judges every engine of the set, also after a first refusal, and loads them unless one was refused; the
/// refusal of the most critical engine decides the error. Engines are begun in the manifest's order, most
/// critical first; each is read into private memory and hashed there, then deserialised, then proven, while
/// the others are at another of these steps. Once all are proven, their lanes are warmed up, the longest
/// first. At most `loader_count` engines' bytes are in memory beside what the SDK keeps.
Result<LoadedSet> load_engines(RuntimeState& runtime, const AdmissionSteps& steps, bool uses_gpu,
                               AdmittedSet set);

}  // namespace skua
