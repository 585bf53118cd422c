// The engine gate without a deserialiser behind it: for `skua verify`, for the engine cache, and for reuse.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cache/engine_gate.h"
#include "cache/manifest.h"
#include "skua/ports.h"

namespace skua {

/// Decides from an engine's record which host facts bind it (GPU or CPU); that is a runtime's knowledge.
using UsesGpu = std::function<bool(const EngineRecord&)>;

/// The build record beside `engine_file`, opened the safe way. EngineHashMismatchError, build_record_missing;
/// EngineDeserializeError, build_record_malformed or a safe-file refusal.
Result<EngineRecord> read_build_record(Folder& folder, std::string_view engine_file);

/// EngineGate::admit for a cache entry: `expected.record` is ignored and read from the build record instead.
/// A record that is missing or malformed is refused at stage 5, as a manifest without the entry would be,
/// with its own reason.
Result<VerifiedEngine> admit_cached(Folder& cache, EngineExpectation expected, BufferPool& pool);

/// What every artifact of a set is judged against on `host`, most critical first.
std::vector<EngineExpectation> expectations_of(const Manifest& manifest, const HostTuple& host,
                                               const UsesGpu& uses_gpu);

/// Judges each engine, even after a first refusal; the bytes go back to `pool`.
std::vector<EngineVerdict> judge_engines(Folder& folder, const std::vector<EngineExpectation>& expectations,
                                         BufferPool& pool, const Clock& clock);

/// Judges every file of an engine cache that has an engine's extension, in order of name.
Result<std::vector<EngineVerdict>> judge_cache(Folder& cache, const HostTuple& host, const UsesGpu& uses_gpu,
                                               BufferPool& pool, const Clock& clock);

}  // namespace skua
