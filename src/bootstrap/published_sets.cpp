#include "bootstrap/published_sets.h"

#include <algorithm>

#include "bootstrap/verify_set.h"
#include "cache/set_files.h"
#include "skua/host_tuple.h"

namespace skua {
namespace {

/// The manifest of a set whatever else is wrong with it; nothing when it cannot be read.
std::optional<Manifest> manifest_of(Folder& set) {
  const auto text = read_text(set, kManifestName, kManifestMaxBytes);
  if (!text.ok()) return std::nullopt;
  auto manifest = decode_manifest(*text);
  return manifest.ok() ? std::optional(*std::move(manifest)) : std::nullopt;
}

void survey_current(FileSystem& files, const std::filesystem::path& sets_dir, std::uint64_t limit_bytes,
                    PublishedSets& result) {
  const auto set_dir = current_set(files, sets_dir);
  if (!set_dir.ok()) {
    result.why_not_current = set_dir.error().message;
    return;
  }
  result.current_id = set_dir->filename().string();
  auto current = verify_whole_set(files, *set_dir, limit_bytes);
  if (current.ok()) {
    result.current = *std::move(current);
  } else {
    result.why_not_current = current.error().message;
  }
}

void survey_sequences(Folder& sets, const std::vector<std::string>& names, PublishedSets& result) {
  for (const std::string& name : names) {
    auto set = is_legal_set_id(name) ? sets.open_folder(name) : Result<std::unique_ptr<Folder>>(Error());
    const auto manifest = set.ok() ? manifest_of(**set) : std::nullopt;
    if (!manifest || manifest->release_sequence <= result.highest_sequence) continue;
    result.highest_sequence = manifest->release_sequence;
    result.newest_id = name;
  }
}

/// Whether `folder` is a flight set but for its manifest: the set gate has the right words for that.
bool has_lost_its_manifest(FileSystem& files, const std::filesystem::path& folder) {
  auto open = files.open_folder(folder);
  if (!open.ok() || (*open)->info(kCurrentName).ok()) return false;
  const auto golden = (*open)->info(kGoldenFolder);
  return golden.ok() && golden->kind == FileKind::kFolder;
}

}  // namespace

Result<PublishedSets> survey_published_sets(FileSystem& files, const std::filesystem::path& sets_dir,
                                            std::uint64_t limit_bytes) {
  SKUA_ASSIGN_OR_RETURN(auto sets, files.open_folder(sets_dir));
  SKUA_ASSIGN_OR_RETURN(const std::vector<std::string> names, sets->list());
  PublishedSets result;
  survey_sequences(*sets, names, result);
  survey_current(files, sets_dir, limit_bytes, result);
  return result;
}

std::optional<AdmittedSet> find_orphan(FileSystem& files, const std::filesystem::path& sets_dir,
                                       std::uint64_t limit_bytes, const PublishedSets& published) {
  if (published.newest_id.empty() || published.newest_id == published.current_id) return std::nullopt;
  auto orphan = verify_whole_set(files, sets_dir / published.newest_id, limit_bytes);
  return orphan.ok() ? std::optional(*std::move(orphan)) : std::nullopt;
}

Result<std::filesystem::path> find_set(FileSystem& files, const std::filesystem::path& folder) {
  if (is_flight_set(files, folder) || has_lost_its_manifest(files, folder)) return folder;
  return current_set(files, folder);
}

bool is_flight_set(FileSystem& files, const std::filesystem::path& folder) {
  auto open = files.open_folder(folder);
  return open.ok() && (*open)->info(kManifestName).ok();
}

bool is_sets_folder(FileSystem& files, const std::filesystem::path& folder) {
  auto open = files.open_folder(folder);
  return open.ok() && (*open)->info(kCurrentName).ok();
}

}  // namespace skua
