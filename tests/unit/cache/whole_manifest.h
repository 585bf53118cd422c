// A manifest that uses every field, of two artifacts whose files exist nowhere.
#pragma once

#include <algorithm>

#include "cache_fixture.h"

namespace skua::test {

inline Manifest whole_manifest() {
  Manifest manifest = draft_of({plan_record("alpha"), plan_record("beta")}, "set-1");
  manifest.release_sequence = 7;
  manifest.not_after = "2027-01-01T00:00:00Z";
  manifest.builder_options = {{"route", "builder"}};
  for (const ManifestArtifact& artifact : manifest.artifacts) {
    const EngineRecord& engine = artifact.engine;
    manifest.files.push_back({engine.file, engine.size_bytes, engine.engine_sha256});
    manifest.files.push_back({engine.file + ".json", 5, digest_of("j")});
    manifest.files.push_back({engine.file + ".sha256", 64, digest_of("s")});
  }
  for (const ManifestArtifact& artifact : manifest.artifacts) {
    const GoldenRef& golden = artifact.engine.golden;
    manifest.files.push_back({"golden/" + golden.file, golden.size_bytes, golden.sha256});
  }
  std::sort(manifest.files.begin(), manifest.files.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return manifest;
}

}  // namespace skua::test
