// Loading: one engine from the ground's cache, or a whole flight set, all or nothing.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "inference/admission.h"
#include "inference/runtime_state.h"

namespace skua {

/// What a gate's refusal is told as, for all who ask a gate. `file`: an engine's file name, or a set's
/// folder.
Event refusal_event(std::string_view file, const Error& error);

struct LoadedSet {
  std::string set_id;
  std::uint64_t release_sequence = 0;
  std::vector<std::shared_ptr<EngineState>> engines;  ///< most critical first
  std::vector<EngineLoadTimes> times;
  std::int64_t total_ns = 0;
};

/// Ground: build record -> engine gate -> admission. Requires the load mutex, as the functions below.
Result<std::shared_ptr<EngineState>> load_from_cache(RuntimeState& runtime, const AdmissionSteps& steps,
                                                     bool uses_gpu, const EngineCacheEntry& entry);

/// Airborne: the resident engine with the entry's digest, or EngineDeserializeError (not_in_flight_set).
Result<std::shared_ptr<EngineState>> find_in_flight_set(RuntimeState& runtime, const EngineCacheEntry& entry);

/// Set gate, then every engine: while one is deserialised and proven, the next is read and hashed.
Result<LoadedSet> load_set(RuntimeState& runtime, const AdmissionSteps& steps, bool uses_gpu,
                           const std::filesystem::path& set_dir, const GatePolicy& policy);

}  // namespace skua
