#include "bootstrap/verify_set.h"

#include <algorithm>

#include "cache/engine_gate.h"
#include "cache/set_gate.h"
#include "core/hash.h"
#include "inference/engine_folder.h"

namespace skua {
namespace {

const ManifestArtifact* artifact_of(const Manifest& manifest, const std::string& file) {
  for (const ManifestArtifact& artifact : manifest.artifacts) {
    if (artifact.engine.file == file) return &artifact;
  }
  return nullptr;
}

Error listed_hash_mismatch(const ManifestFile& file, const Sha256& found) {
  return make_error(ErrorCode::kManifest, Reason::kListedFileHashMismatch,
                    file.name + ": expected SHA-256 " + file.sha256.hex() + ", found " + found.hex() +
                        "; provision the set again");
}

/// Opens "a/b" below `root`, folder by folder, so that no link is followed.
Result<std::unique_ptr<ReadFile>> open_listed(Folder& root, const std::string& name) {
  const std::size_t slash = name.find('/');
  if (slash == std::string::npos) return open_safe(root, name, Reason::kListedFileMissing);
  SKUA_ASSIGN_OR_RETURN(auto inner, root.open_folder(name.substr(0, slash)));
  return open_listed(*inner, name.substr(slash + 1));
}

Status judge_file(Folder& root, const ManifestFile& file) {
  SKUA_ASSIGN_OR_RETURN(auto open, open_listed(root, file.name));
  SKUA_ASSIGN_OR_RETURN(const FileInfo info, open->info());
  if (info.size != file.size_bytes) {
    return make_error(ErrorCode::kManifest, Reason::kFileSizeMismatch,
                      file.name + ": expected " + std::to_string(file.size_bytes) + " bytes, found " +
                          std::to_string(info.size) + "; provision the set again");
  }
  SKUA_ASSIGN_OR_RETURN(const Sha256 found, hash_file(*open));
  if (found != file.sha256) return listed_hash_mismatch(file, found);
  return {};
}

Status judge_engine(Folder& root, const ManifestFile& file, const EngineRecord& record, const HostTuple& host,
                    BufferPool& pool) {
  const EngineExpectation expected{file.name, record, record.precision, host, uses_gpu(record)};
  SKUA_ASSIGN_OR_RETURN(VerifiedEngine engine, EngineGate::admit(root, expected, pool));
  // The gate held the bytes against the record; the file list must name the same digest.
  const Sha256 found = engine.record().engine_sha256;
  pool.give_back(engine.release_buffer());
  if (found != file.sha256) return listed_hash_mismatch(file, found);
  return {};
}

}  // namespace

Status SetVerdict::overall() const {
  for (const FileVerdict& verdict : files) {
    if (!verdict.status.ok()) return verdict.status;
  }
  return {};
}

Result<SetVerdict> verify_set(FileSystem& files, const std::filesystem::path& set_dir,
                              const GatePolicy& policy, const HostTuple& host, const Clock& clock) {
  SKUA_ASSIGN_OR_RETURN(AdmittedSet admitted, admit_set(files, set_dir, policy));
  SetVerdict verdict;
  verdict.manifest = std::move(admitted.manifest);
  verdict.is_unsigned = admitted.is_unsigned;
  BufferPool pool(1);
  const std::int64_t start = clock.monotonic_ns();
  for (const ManifestFile& file : verdict.manifest.files) {
    const ManifestArtifact* artifact = artifact_of(verdict.manifest, file.name);
    const bool is_engine = artifact != nullptr;
    Status status = is_engine ? judge_engine(*admitted.folder, file, artifact->engine, host, pool)
                              : judge_file(*admitted.folder, file);
    verdict.files.push_back({file.name, is_engine ? "engine" : "file", file.size_bytes, std::move(status)});
    verdict.bytes_hashed += file.size_bytes;
  }
  verdict.elapsed_ns = clock.monotonic_ns() - start;
  std::stable_sort(verdict.files.begin(), verdict.files.end(),
                   [](const FileVerdict& a, const FileVerdict& b) { return a.kind < b.kind; });
  return verdict;
}

}  // namespace skua
