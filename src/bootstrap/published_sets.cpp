#include "bootstrap/published_sets.h"

#include <algorithm>
#include <charconv>

#include "bootstrap/verify_set.h"
#include "cache/set_files.h"
#include "skua/host_tuple.h"

namespace skua {
namespace {

/// "set-7-...": 7, as provisioning names sets; else 0.
std::uint64_t sequence_in(std::string_view name) {
  constexpr std::string_view kPrefix = "set-";
  constexpr std::uint64_t kMostSequence = std::uint64_t{1} << 53U;  // docs/formats/flight-manifest.md
  std::uint64_t sequence = 0;
  if (!name.starts_with(kPrefix)) return 0;
  const auto [end, error] =
      std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), sequence);
  return error == std::errc() && sequence <= kMostSequence ? sequence : 0;
}

/// The release sequence of a set whatever else is wrong with it; of a manifest that is damaged what the
/// folder's name says; 0 where there is no set. A disk that does not answer is an error: a lower sequence
/// than the last would fly nowhere.
Result<std::uint64_t> sequence_of(Folder& sets, const std::string& name) {
  if (!is_legal_set_id(name)) return std::uint64_t{0};
  SKUA_ASSIGN_OR_RETURN(const FileInfo info, sets.info(name));
  if (info.kind != FileKind::kFolder) return std::uint64_t{0};
  SKUA_ASSIGN_OR_RETURN(const auto set, sets.open_folder(name));
  const auto text = read_text(*set, kManifestName, kManifestMaxBytes);
  if (!text.ok() && text.error().reason == Reason::kNotFound) return std::uint64_t{0};
  if (!text.ok() && text.error().native_code != 0) return text.error();
  const auto manifest = text.ok() ? decode_manifest(*text) : Result<Manifest>(text.error());
  return manifest.ok() ? manifest->release_sequence : sequence_in(name);
}

/// Whatever is wrong with the set otherwise. A disk that does not answer is an error.
Result<bool> bears_signature(FileSystem& files, const std::filesystem::path& set_dir) {
  SKUA_ASSIGN_OR_RETURN(const auto set, files.open_folder(set_dir));
  const auto signature = set->info(kSignatureName);
  if (!signature.ok() && signature.error().reason != Reason::kNotFound) return signature.error();
  return signature.ok();
}

Status survey_current(FileSystem& files, const std::filesystem::path& sets_dir, std::uint64_t limit_bytes,
                      PublishedSets& result) {
  const auto set_dir = current_set(files, sets_dir);
  if (!set_dir.ok() && set_dir.error().native_code != 0) return set_dir.error();
  // Where CURRENT is damaged, the newest set is what would have been flown.
  if (!set_dir.ok() && result.newest_id.empty()) return {};
  const auto flown = set_dir.ok() ? *set_dir : sets_dir / result.newest_id;
  SKUA_ASSIGN_OR_RETURN(result.is_current_signed, bears_signature(files, flown));
  if (!set_dir.ok()) return {};
  result.current_id = set_dir->filename().string();
  auto current = verify_whole_set(files, *set_dir, limit_bytes);
  if (current.ok()) result.current = *std::move(current);
  return {};
}

Status survey_sequences(Folder& sets, const std::vector<std::string>& names, PublishedSets& result) {
  for (const std::string& name : names) {
    SKUA_ASSIGN_OR_RETURN(const std::uint64_t sequence, sequence_of(sets, name));
    if (sequence <= result.highest_sequence) continue;
    result.highest_sequence = sequence;
    result.newest_id = name;
  }
  return {};
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
  SKUA_RETURN_IF_ERROR(survey_sequences(*sets, names, result));
  SKUA_RETURN_IF_ERROR(survey_current(files, sets_dir, limit_bytes, result));
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
