#include "skua/sidecar.h"

#include <algorithm>

#include "cache/publish.h"
#include "cache/sidecar_file.h"
#include "core/filesystem.h"
#include "core/hash.h"

namespace skua {
namespace {

namespace fs = std::filesystem;

struct Place {
  std::unique_ptr<Folder> folder;
  std::string name;
};

Result<Place> open_place(const fs::path& file) {
  std::string name = file.filename().string();
  if (name.empty() || name == "." || name == "..") {
    return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                      "'" + file.string() + "' does not name a file; give the path of a file");
  }
  const fs::path parent = file.has_parent_path() ? file.parent_path() : fs::path(".");
  SKUA_ASSIGN_OR_RETURN(auto folder, posix_file_system().open_folder(parent));
  return Place{std::move(folder), std::move(name)};  // nothing may throw here: GCC 11 would lose the folder
}

Result<Sha256> digest_in(Place& place) {
  SKUA_ASSIGN_OR_RETURN(const auto file, place.folder->open_read(place.name));
  SKUA_ASSIGN_OR_RETURN(const FileInfo info, file->info());
  if (info.kind != FileKind::kRegular) {
    return make_error(ErrorCode::kIo, Reason::kNotRegularFile,
                      (place.folder->path() / place.name).string() +
                          ": expected a regular file, found a folder or a device; name the file itself");
  }
  return hash_file(*file);
}

Status check_base_name(const std::string& name, const std::vector<std::pair<std::string, Sha256>>& seen) {
  const bool is_seen =
      std::any_of(seen.begin(), seen.end(), [&](const auto& entry) { return entry.first == name; });
  if (!is_seen && name.find('\n') == std::string::npos) return {};
  return make_error(
      ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
      "aggregate hash: " +
          std::string(is_seen ? "two files are called '" + name + "'" : "a file name holds a line end") +
          "; the base names must differ and be one line");
}

}  // namespace

fs::path Sha256Sidecar::path_of(const fs::path& payload) {
  return payload.parent_path() / sidecar_name(payload.filename().string());
}

Sha256 Sha256Sidecar::digest(std::span<const std::byte> bytes) { return sha256_of(bytes); }

Result<Sha256> Sha256Sidecar::digest_file(const fs::path& file) {
  SKUA_ASSIGN_OR_RETURN(Place place, open_place(file));
  return digest_in(place);
}

Status Sha256Sidecar::write_atomic(const fs::path& payload, std::span<const std::byte> bytes) {
  SKUA_ASSIGN_OR_RETURN(Place place, open_place(payload));
  return publish_file(*place.folder, place.name, bytes);
}

Status Sha256Sidecar::write_atomic_and_sidecar(const fs::path& payload, std::span<const std::byte> bytes) {
  SKUA_ASSIGN_OR_RETURN(Place place, open_place(payload));
  SKUA_RETURN_IF_ERROR(publish_file(*place.folder, place.name, bytes));
  const std::string hex = digest(bytes).hex();
  return publish_file(*place.folder, sidecar_name(place.name), std::as_bytes(std::span(hex)));
}

Result<bool> Sha256Sidecar::verify(const fs::path& payload) {
  Result<Place> place = open_place(payload);
  if (!place.ok()) {
    if (place.error().reason == Reason::kNotFound) return false;
    return std::move(place).error();
  }
  const Result<Sha256> found = digest_in(*place);
  if (!found.ok()) {
    if (found.error().reason == Reason::kNotFound) return false;
    return Error(found.error());
  }
  const std::string where = path_of(payload).string();
  const Result<std::string> content = read_text(*place->folder, sidecar_name(place->name), kSidecarBytes);
  if (!content.ok()) {
    if (content.error().reason == Reason::kNotFound) {
      return make_error(ErrorCode::kEngineSidecarMissing, Reason::kSidecarMissing,
                        "sidecar " + where + " does not exist; produce the file again, with its sidecar");
    }
    // One byte too many is a malformed sidecar like any other.
    if (content.error().reason == Reason::kTooLarge) {
      return Error(parse_sidecar(std::string(kSidecarBytes + 1, '?'), where).error());
    }
    return Error(content.error());
  }
  SKUA_ASSIGN_OR_RETURN(const Sha256 expected, parse_sidecar(*content, where));
  return *found == expected;
}

Result<Sha256> Sha256Sidecar::aggregate_hash(const std::vector<fs::path>& files) {
  std::vector<std::pair<std::string, Sha256>> entries;
  for (const fs::path& file : files) {
    const std::string name = file.filename().string();
    SKUA_RETURN_IF_ERROR(check_base_name(name, entries));
    SKUA_ASSIGN_OR_RETURN(const Sha256 digest, digest_file(file));
    entries.emplace_back(name, digest);
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  Sha256Hasher hasher;
  for (const auto& [name, digest] : entries) {
    const std::string line = digest.hex() + " " + name + "\n";
    hasher.update(std::as_bytes(std::span(line)));
  }
  return hasher.finish();
}

}  // namespace skua
