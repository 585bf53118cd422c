#include "cache/manifest_check.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "cache/build_record.h"
#include "cache/set_files.h"
#include "cache/sidecar_file.h"
#include "cache/utc_text.h"
#include "core/text.h"
#include "skua/build_config.h"

namespace skua {
namespace {

constexpr std::size_t kMaxSetId = 100;
constexpr std::size_t kMaxPath = 200;

Error malformed(const std::string& path, const std::string& what) {
  return make_error(ErrorCode::kIo, Reason::kMalformed, path + ": " + what);
}

bool is_lower_or_digit(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool is_plain_character(char c) noexcept {
  return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-';
}

Status check_head(const Manifest& manifest) {
  if (!is_legal_set_id(manifest.set_id)) {
    return malformed("set_id", "expected 1 to 100 of a-z, 0-9, '.', '_', '-', no dot first, found " +
                                   quote(manifest.set_id));
  }
  if (manifest.release_sequence == 0) return malformed("release_sequence", "expected at least 1, found 0");
  if (!is_utc_text(manifest.created)) {
    return malformed("created",
                     "expected a date like 2026-03-01T12:00:00Z, found " + quote(manifest.created));
  }
  if (manifest.not_after.has_value() && !is_utc_text(*manifest.not_after)) {
    return malformed("not_after",
                     "expected a date like 2026-03-01T12:00:00Z, found " + quote(*manifest.not_after));
  }
  if (manifest.artifacts.empty()) return malformed("artifacts", "expected at least one, found none");
  return {};
}

Status check_files(const std::vector<ManifestFile>& files) {
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::string path = "files[" + std::to_string(i) + "].name";
    const std::string& name = files[i].name;
    if (!is_plain_relative(name))
      return malformed(path, "expected a plain relative path, found " + quote(name));
    if (name == kManifestName || name == kSignatureName) {
      return malformed(path, "expected neither the manifest nor the signature, found " + quote(name));
    }
    if (i > 0 && files[i - 1].name >= name) {
      return malformed(path, "expected names sorted and different, found " + quote(name) + " after " +
                                 quote(files[i - 1].name));
    }
  }
  return {};
}

Status check_order(const std::vector<ManifestArtifact>& artifacts) {
  std::set<std::string_view> names, engines;
  for (std::size_t i = 0; i < artifacts.size(); ++i) {
    const std::string path = "artifacts[" + std::to_string(i) + "]";
    const ManifestArtifact& artifact = artifacts[i];
    if (!is_legal_model_name(artifact.name)) {
      return malformed(path + ".name", "expected a model name, found " + quote(artifact.name));
    }
    if (!names.insert(artifact.name).second) {
      return malformed(path + ".name", "expected different names, found " + quote(artifact.name) + " twice");
    }
    if (!engines.insert(artifact.engine.file).second) {
      return malformed(path + ".engine.file",
                       "expected different engines, found " + quote(artifact.engine.file) + " twice");
    }
    if (i > 0 && std::tie(artifacts[i - 1].criticality, artifacts[i - 1].name) >
                     std::tie(artifact.criticality, artifact.name)) {
      return malformed(path, "expected artifacts sorted by criticality, then by name");
    }
  }
  return {};
}

Status check_listed(const Manifest& manifest, const std::string& path, const ManifestFile& wanted) {
  const ManifestFile* const listed = find_listed(manifest, wanted.name);
  if (listed == nullptr)
    return malformed(path, "expected " + quote(wanted.name, 200) + " under files, found no such name");
  if (*listed == wanted) return {};
  return malformed(path, "expected " + quote(wanted.name, 200) +
                             " under files with the size and digest of this record, found others");
}

Status check_artifact(const Manifest& manifest, const ManifestArtifact& artifact, const std::string& path) {
  const EngineRecord& engine = artifact.engine;
  SKUA_RETURN_IF_ERROR(check_record(engine, path));
  // Loaded engines are found by the model of their record: one name must do for both.
  if (artifact.name != engine.model) {
    return malformed(path + ".model", "expected " + quote(artifact.name) +
                                          ", the name of its artifact, found " + quote(engine.model));
  }
  if (engine.runtime_label != manifest.runtime_label) {
    return malformed(path + ".runtime_label",
                     "expected " + quote(manifest.runtime_label) + ", found " + quote(engine.runtime_label));
  }
  SKUA_RETURN_IF_ERROR(check_listed(manifest, path, {engine.file, engine.size_bytes, engine.engine_sha256}));
  SKUA_RETURN_IF_ERROR(check_listed(manifest, path + ".golden",
                                    {golden_path(engine), engine.golden.size_bytes, engine.golden.sha256}));
  for (const std::string& beside : {sidecar_name(engine.file), build_record_name(engine.file)}) {
    if (find_listed(manifest, beside) == nullptr) {
      return malformed(path, "expected " + quote(beside, 200) + " under files, found no such name");
    }
  }
  return {};
}

}  // namespace

bool is_legal_set_id(std::string_view id) noexcept {
  if (id.empty() || id.size() > kMaxSetId || id.front() == '.') return false;
  return std::all_of(id.begin(), id.end(),
                     [](char c) { return is_lower_or_digit(c) || c == '.' || c == '_' || c == '-'; });
}

bool is_plain_relative(std::string_view name) noexcept {
  if (name.empty() || name.size() > kMaxPath) return false;
  while (true) {
    const std::size_t slash = name.find('/');
    const std::string_view component = name.substr(0, slash);
    if (component.empty() || component.front() == '.') return false;
    if (!std::all_of(component.begin(), component.end(), is_plain_character)) return false;
    if (slash == std::string_view::npos) return true;
    name.remove_prefix(slash + 1);
  }
}

Status check_manifest(const Manifest& manifest) {
  SKUA_RETURN_IF_ERROR(check_head(manifest));
  SKUA_RETURN_IF_ERROR(check_files(manifest.files));
  SKUA_RETURN_IF_ERROR(check_order(manifest.artifacts));
  for (std::size_t i = 0; i < manifest.artifacts.size(); ++i) {
    const std::string path = "artifacts[" + std::to_string(i) + "].engine";
    SKUA_RETURN_IF_ERROR(check_artifact(manifest, manifest.artifacts[i], path));
  }
  return {};
}

}  // namespace skua
