// Loading: one engine from the ground's cache, or a whole flight set, all or nothing.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "inference/admission.h"
#include "inference/runtime_state.h"
#include "inference/set_loader.h"

namespace skua {

/// Ground: build record -> engine gate -> admission. Requires the load mutex, as the functions below.
Result<std::shared_ptr<EngineState>> load_from_cache(RuntimeState& runtime, const AdmissionSteps& steps,
                                                     bool uses_gpu, const EngineCacheEntry& entry);

/// Airborne: the resident engine with the entry's digest, or EngineDeserializeError (not_in_flight_set).
Result<std::shared_ptr<EngineState>> find_in_flight_set(RuntimeState& runtime, const EngineCacheEntry& entry);

/// Set gate, then every engine, several at once (set_loader.h).
Result<LoadedSet> load_set(RuntimeState& runtime, const AdmissionSteps& steps, bool uses_gpu,
                           const std::filesystem::path& set_dir, const GatePolicy& policy);

}  // namespace skua
