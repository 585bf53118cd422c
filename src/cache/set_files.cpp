#include "cache/set_files.h"

#include <algorithm>
#include <limits>
#include <set>

#include "cache/safe_file.h"
#include "core/buffer.h"
#include "core/hash.h"

namespace skua {
namespace {

Error manifest_error(Reason reason, const std::string& where, const std::string& expected,
                     const std::string& found) {
  return make_error(ErrorCode::kManifest, reason,
                    where + ": expected " + expected + ", found " + found +
                        "; the file was changed after the set was made: provision the set again");
}

/// Walks down one component after the other; a link on the way is not followed.
Result<std::unique_ptr<ReadFile>> open_listed(Folder& set, std::string_view name) {
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos) return open_safe(set, name, Reason::kListedFileMissing);
  Result<std::unique_ptr<Folder>> below = set.open_folder(name.substr(0, slash));
  if (!below.ok()) {
    const std::string where = file_text(set, name);
    if (below.error().reason == Reason::kNotFound) return missing_file(Reason::kListedFileMissing, where);
    return as_load_error(below.error(), where);
  }
  return open_listed(**below, name.substr(slash + 1));
}

Status verify_each(AdmittedSet& set, const std::set<std::string>& left_out) {
  SKUA_ASSIGN_OR_RETURN(Buffer piece, Buffer::allocate(kHashPieceBytes));
  for (const ManifestFile& listed : set.manifest.files) {
    if (left_out.count(listed.name) != 0) continue;
    SKUA_RETURN_IF_ERROR(judge_listed_file(*set.folder, listed, piece.bytes()));
  }
  return {};
}

}  // namespace

std::string golden_path(const EngineRecord& engine) {
  return std::string(kGoldenFolder) + "/" + engine.golden.file;
}

const ManifestFile* find_listed(const Manifest& manifest, std::string_view name) noexcept {
  const auto at =
      std::lower_bound(manifest.files.begin(), manifest.files.end(), name,
                       [](const ManifestFile& file, std::string_view wanted) { return file.name < wanted; });
  return at == manifest.files.end() || at->name != name ? nullptr : &*at;
}

std::uint64_t total_bytes(const std::vector<ManifestFile>& files) noexcept {
  constexpr std::uint64_t kLargest = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t total = 0;
  for (const ManifestFile& file : files) {
    total = file.size_bytes > kLargest - total ? kLargest : total + file.size_bytes;
  }
  return total;
}

Status judge_listed_file(Folder& set, const ManifestFile& listed, std::span<std::byte> piece) {
  const std::string where = file_text(set, listed.name);
  SKUA_ASSIGN_OR_RETURN(const auto file, open_listed(set, listed.name));
  const Result<FileInfo> info = file->info();
  if (!info.ok()) return as_load_error(info.error(), where);
  if (info->size != listed.size_bytes) {
    return manifest_error(Reason::kFileSizeMismatch, where, std::to_string(listed.size_bytes) + " bytes",
                          std::to_string(info->size));
  }
  const Result<Sha256> digest = hash_file(*file, piece);
  if (!digest.ok()) return as_load_error(digest.error(), where);
  if (*digest == listed.sha256) return {};
  return manifest_error(Reason::kListedFileHashMismatch, where, "SHA-256 " + listed.sha256.hex(),
                        digest->hex());
}

Status verify_listed_files(AdmittedSet& set) {
  std::set<std::string> left_out;
  for (const ManifestArtifact& artifact : set.manifest.artifacts) {
    left_out.insert(artifact.engine.file);
    left_out.insert(golden_path(artifact.engine));
  }
  return verify_each(set, left_out);
}

Status verify_all_files(AdmittedSet& set) { return verify_each(set, {}); }

}  // namespace skua
