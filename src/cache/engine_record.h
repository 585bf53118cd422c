// EngineRecord: everything that is known about one engine, and what it is held to at load. The build record
// beside an engine holds one; a flight manifest holds one per artifact. One encoder and one decoder serve
// both.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/json_types.h"
#include "skua/engine_cache_entry.h"

namespace skua {

/// The golden vectors of an engine: inputs and the outputs expected for them.
struct GoldenRef {
  std::string file;  ///< base name; beside the engine in the cache, under golden/ in a set
  Sha256 sha256;
  std::uint64_t size_bytes = 0;
  std::string origin;                           ///< who computed the expected values
  std::map<std::string, Tolerance> tolerances;  ///< one per output
  friend bool operator==(const GoldenRef&, const GoldenRef&) = default;
};

/// One file of the source model: the model itself first, then its external weights.
struct SourceFile {
  std::string name;
  Sha256 sha256;
  std::uint64_t size_bytes = 0;
  friend bool operator==(const SourceFile&, const SourceFile&) = default;
};

/// In `proof`: the digest of the data set that int8 or mixed was compared with float32 on.
inline constexpr const char* kJudgedBy = "accuracy.dataset_sha256";
/// In `proof`: behind this, the name of each file of the float32 network that it was compared with; the
/// value is its digest.
inline constexpr const char* kComparedWith = "accuracy.fp32_source.";
/// In `proof`: why the calibration cache that was there was used, or not.
inline constexpr const char* kCalibrationWhy = "calibration.why";

struct EngineRecord {
  std::string file;  ///< engine file name
  std::string model;
  std::string runtime_label;
  HostTuple host;
  Precision precision = Precision::kFp16;
  Sha256 engine_sha256;
  std::uint64_t size_bytes = 0;
  std::uint64_t device_memory_bytes = 0;
  Sha256 model_sha256;  ///< of the source: sources[0] alone, or aggregate_hash of all when there are several
  Sha256 build_config_sha256;  ///< of the reuse key (build_key)
  std::optional<CalibrationProvenance> calibration;
  std::vector<TensorSpec> inputs, outputs;
  std::vector<OptimizationProfile> profiles;
  std::map<std::string, std::string>
      options;  ///< the variant: provider, optimisation level, threads, library version
  std::map<std::string, std::string> proof;  ///< how the precision and the provider were proven
  std::string arithmetic;
  std::string model_id;        ///< from the model's metadata; empty when it has none
  std::string weights_sha256;  ///< likewise
  std::string exporter;        ///< likewise
  std::vector<SourceFile> sources;
  GoldenRef golden;
  bool proven = true;   ///< false: `--unproven`; no gate accepts it
  std::string builder;  ///< Skua's build id
  std::string created;  ///< ISO 8601 UTC
  friend bool operator==(const EngineRecord&, const EngineRecord&) = default;
};

Json to_json(const EngineRecord& record);
Result<EngineRecord> engine_record_from_json(const Json& json, const std::string& path);

/// The build record file `<engine>.json`. Decoding: EngineDeserializeError, build_record_malformed.
std::string encode_build_record(const EngineRecord& record);
Result<EngineRecord> decode_build_record(std::string_view text);

/// SHA-256 of what decides whether an engine may be reused: build config, runtime label, the runtime options
/// that change the artifact, and the golden source. Not the host and not the model: those are compared by
/// themselves.
Result<Sha256> build_key(const BuildConfig& build, const RuntimeConfig& config);

/// The public form of a record.
EngineCacheEntry to_entry(const EngineRecord& record, const std::filesystem::path& folder);

}  // namespace skua
