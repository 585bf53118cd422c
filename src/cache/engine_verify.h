// Entries of the engine cache through the engine gate: their build record stands where a set has its
// manifest.
#pragma once

#include <span>
#include <string_view>

#include "cache/engine_gate.h"

namespace skua {

/// The build record beside `engine_file`, opened the safe way. EngineHashMismatchError, build_record_missing;
/// EngineDeserializeError, build_record_malformed or a safe-file refusal.
Result<EngineRecord> read_build_record(Folder& folder, std::string_view engine_file);

/// EngineGate::admit for a cache entry: `expected.record` is ignored and read from the build record instead.
/// A record that is missing or malformed is refused at stage 5, as a manifest without the entry would be,
/// with its own reason.
Result<VerifiedEngine> admit_cached(Folder& cache, EngineExpectation expected, BufferPool& pool);

/// EngineGate::judge for a cache entry, likewise.
Status judge_cached(Folder& cache, EngineExpectation expected, std::span<std::byte> piece);

}  // namespace skua
