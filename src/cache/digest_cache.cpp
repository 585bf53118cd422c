#include "cache/digest_cache.h"

#include <algorithm>
#include <vector>

#include "cache/json_fields.h"
#include "cache/publish.h"
#include "cache/safe_file.h"
#include "core/hash.h"

namespace skua {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kKind = "skua.source-digests";
constexpr std::uint64_t kSchema = 1;
constexpr std::size_t kMaxEntries = 1024;
constexpr std::size_t kMaxBytes = 1U << 20U;

/// What decides whether it is the same file with the same content.
std::string identity_of(const FileInfo& info) {
  std::string text = std::to_string(info.device);
  for (const std::uint64_t part : {info.inode, info.size}) text += " " + std::to_string(part);
  for (const std::int64_t part : {info.modified_ns, info.changed_ns}) text += " " + std::to_string(part);
  return text;
}

/// Whether the file had been at rest when its hashing began.
bool was_settled(const FileInfo& info, std::int64_t hashed_ns) {
  return std::max(info.modified_ns, info.changed_ns) <= hashed_ns - DigestCache::kSettledNs;
}

struct OpenSource {
  std::unique_ptr<ReadFile> file;
  FileInfo info;
};

Result<OpenSource> open_source(FileSystem& files, const fs::path& path) {
  const fs::path parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
  SKUA_ASSIGN_OR_RETURN(const auto folder, files.open_folder(parent));
  OpenSource source;
  SKUA_ASSIGN_OR_RETURN(source.file, folder->open_read(path.filename().string()));
  SKUA_ASSIGN_OR_RETURN(source.info, source.file->info());
  if (source.info.kind == FileKind::kRegular) return source;
  return make_error(
      ErrorCode::kIo, Reason::kNotRegularFile,
      path.string() + ": expected a regular file, found a folder or a device; name the file itself");
}

}  // namespace

const DigestCache::Entry* DigestCache::find(const FileInfo& info) const {
  const auto found = entries_.find(identity_of(info));
  if (found == entries_.end() || !was_settled(info, found->second.hashed_ns)) return nullptr;
  return &found->second;
}

Result<Sha256> DigestCache::digest_of(FileSystem& files, const fs::path& path) {
  SKUA_ASSIGN_OR_RETURN(const OpenSource source, open_source(files, path));
  if (const Entry* const known = find(source.info)) return known->sha256;
  const std::int64_t start_ns = clock_->utc_us() * 1000;
  SKUA_ASSIGN_OR_RETURN(const Sha256 digest, hash_file(*source.file));
  bytes_hashed_ += source.info.size;
  // Of the same descriptor: what was changed while it was read has other times now.
  SKUA_ASSIGN_OR_RETURN(const FileInfo after, source.file->info());
  const std::string identity = identity_of(after);
  if (identity != identity_of(source.info) || !was_settled(after, start_ns)) return digest;
  entries_[identity] = {digest, start_ns};
  is_changed_ = true;
  return digest;
}

void DigestCache::read(Folder& folder) {
  const auto file = open_safe(folder, kDigestCacheName, Reason::kNotFound);
  if (!file.ok()) return;
  const auto text = read_at_most(**file, kMaxBytes + 1, file_text(folder, kDigestCacheName));
  if (!text.ok() || !decode(*text).ok()) entries_.clear();
}

Status DigestCache::decode(std::string_view text) {
  SKUA_ASSIGN_OR_RETURN(const Json json, parse_json(text, {.max_bytes = kMaxBytes, .max_depth = 4}));
  ObjectReader reader(json, "");
  const std::string kind = reader.text("kind", kMaxNameBytes);
  const std::uint64_t schema = reader.unsigned_integer("schema");
  if (reader.ok() && kind != kKind) reader.fail("kind", kKind, kind);
  if (reader.ok() && schema != kSchema) {
    reader.fail("schema", std::to_string(kSchema), std::to_string(schema));
  }
  for (const Json* const element : reader.array("files", kMaxEntries)) {
    ObjectReader fields(*element, "files");
    const std::string identity = fields.text("identity", kMaxNameBytes);
    const Sha256 digest = fields.digest("sha256");
    const auto hashed_us = fields.unsigned_integer("hashed_us");
    SKUA_RETURN_IF_ERROR(fields.finish());
    entries_[identity] = {digest, static_cast<std::int64_t>(hashed_us) * 1000};
  }
  return reader.finish();
}

std::string DigestCache::encode() const {
  std::vector<std::pair<std::string, Entry>> newest(entries_.begin(), entries_.end());
  std::stable_sort(newest.begin(), newest.end(),
                   [](const auto& a, const auto& b) { return a.second.hashed_ns > b.second.hashed_ns; });
  newest.resize(std::min(newest.size(), kMaxEntries));
  Json json = Json::object();
  json["kind"] = kKind;
  json["schema"] = kSchema;
  json["files"] = list_to_json(newest, [](const auto& entry) {
    Json file = Json::object();
    file["identity"] = entry.first;
    file["sha256"] = entry.second.sha256.hex();
    file["hashed_us"] = entry.second.hashed_ns / 1000;
    return file;
  });
  return file_text_of(json);
}

Status DigestCache::write(Folder& folder) {
  if (!is_changed_) return {};
  const std::string text = encode();
  SKUA_RETURN_IF_ERROR(publish_file(folder, kDigestCacheName, std::as_bytes(std::span(text))));
  is_changed_ = false;
  return {};
}

}  // namespace skua
