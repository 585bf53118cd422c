// flight-manifest.json: whatever a flight loads is listed here, and nowhere else.
// docs/formats/flight-manifest.md specifies it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/engine_record.h"

namespace skua {

inline constexpr std::string_view kManifestName = "flight-manifest.json";
inline constexpr std::string_view kSignatureName = "model.sig";
inline constexpr std::uint64_t kManifestSchema = 1;
inline constexpr std::size_t kManifestMaxBytes = 4U << 20U;

/// One file of the set, as the signature will cover it.
struct ManifestFile {
  std::string name;  ///< relative, '/' separated, plain components
  std::uint64_t size_bytes = 0;
  Sha256 sha256;
  friend bool operator==(const ManifestFile&, const ManifestFile&) = default;
};

/// One accuracy figure of an artifact against its FP32 source; filled by int8 and mixed builds.
struct AccuracyFigure {
  std::string output, metric;
  double value = 0.0, threshold = 0.0;
  friend bool operator==(const AccuracyFigure&, const AccuracyFigure&) = default;
};

struct ManifestArtifact {
  std::string name;               ///< logical name of the backbone
  std::uint64_t criticality = 0;  ///< 0 is loaded first
  EngineRecord engine;
  std::vector<AccuracyFigure> accuracy;
  friend bool operator==(const ManifestArtifact&, const ManifestArtifact&) = default;
};

struct Manifest {
  std::string set_id;
  std::uint64_t release_sequence = 1;
  std::string created;                   ///< ISO 8601 UTC
  std::optional<std::string> not_after;  ///< ISO 8601 UTC
  std::string runtime_label;
  std::map<std::string, std::string>
      runtime_options;  ///< provider and the like, as provisioned; of an engine's own the runtime compares
                        ///< what it was built for
  HostTuple host;
  std::vector<ManifestArtifact> artifacts;
  std::string builder;  ///< Skua's build id
  std::map<std::string, std::string> builder_options;
  std::vector<ManifestFile> files;  ///< every file but the manifest and model.sig, sorted by name
  friend bool operator==(const Manifest&, const Manifest&) = default;
};

std::string encode_manifest(const Manifest& manifest);
/// Strict and bounded. ManifestError: manifest_too_large, manifest_schema_version, manifest_malformed.
Result<Manifest> decode_manifest(std::string_view text);
/// a-z 0-9 . _ -; 1..100 characters; not starting with a dot.
bool is_legal_set_id(std::string_view id) noexcept;
/// Plain relative path: components of [A-Za-z0-9._-], no empty one, none starting with a dot, at most 200
/// bytes.
bool is_plain_relative(std::string_view name) noexcept;
/// Digest of the content alone: without set id, sequence, dates, and the list of files, which follows from
/// the records. Equal content publishes nothing.
Sha256 content_digest(const Manifest& manifest);

}  // namespace skua
