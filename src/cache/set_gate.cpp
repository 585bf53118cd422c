#include "cache/set_gate.h"

#include <algorithm>
#include <limits>

#include "cache/safe_file.h"
#include "cache/set_files.h"
#include "cache/set_signature.h"
#include "cache/utc_text.h"
#include "core/hash.h"
#include "core/text.h"
#include "core/trace.h"

namespace skua {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxCurrentBytes = 101;  // a set id and one line end

Error refusal(Reason reason, const std::string& where, const std::string& text) {
  return make_error(ErrorCode::kManifest, reason, where + ": " + text);
}

/// "sets/a/" and "sets/a" name the same folder, and so does "." inside it.
std::string folder_name(const fs::path& folder) {
  std::error_code ignored;
  const fs::path whole = fs::absolute(folder, ignored).lexically_normal();
  return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

Result<std::unique_ptr<Folder>> open_set(FileSystem& files, const fs::path& set_dir) {
  Result<std::unique_ptr<Folder>> folder = files.open_folder(set_dir);
  if (folder.ok()) return folder;
  if (folder.error().reason == Reason::kNotFound) {
    return refusal(Reason::kSetMissing, set_dir.string(),
                   "expected a flight set, found no such folder; provision it");
  }
  return as_load_error(folder.error(), set_dir.string());
}

/// Stage 1. A signature that is there is judged, also where unsigned sets are allowed; nothing: there is
/// none, and the policy allows that.
Result<std::optional<JudgedSignature>> check_signature(Folder& folder, const GatePolicy& policy) {
  const Span span(SpanKind::kSignature);
  using Judged = std::optional<JudgedSignature>;
  const Result<FileInfo> there = folder.info(kSignatureName);
  if (there.ok()) {
    SKUA_ASSIGN_OR_RETURN(JudgedSignature judged, judge_signature(folder, policy.trusted_keys));
    return Judged(std::move(judged));
  }
  if (there.error().reason != Reason::kNotFound)
    return as_load_error(there.error(), file_text(folder, kSignatureName));
  if (policy.allow_unsigned) return Judged();
  return refusal(Reason::kUnsignedSet, folder.path().string(),
                 "expected a signed set, found no model.sig; sign the set (skua sign), or on the ground, for "
                 "development, allow unsigned sets in a policy file");
}

/// Stage 2: the manifest's bytes, read once; what is parsed is what is hashed.
Result<std::string> read_manifest(Folder& folder) {
  const std::string where = file_text(folder, kManifestName);
  SKUA_ASSIGN_OR_RETURN(const auto file, open_safe(folder, kManifestName, Reason::kManifestMissing));
  SKUA_ASSIGN_OR_RETURN(std::string text, read_at_most(*file, kManifestMaxBytes + 1, where));
  if (text.size() <= kManifestMaxBytes) return text;
  return refusal(Reason::kManifestTooLarge, where,
                 "expected at most " + std::to_string(kManifestMaxBytes) +
                     " bytes, found more; provision the set again");
}

/// Stage 2, where the set is signed: what is parsed is what was signed.
Status check_manifest_digest(const Sha256& found, const std::optional<JudgedSignature>& judged,
                             const std::string& where) {
  if (!judged || found == judged->manifest_sha256) return {};
  return refusal(Reason::kManifestNotSigned, where,
                 "expected the bytes that were signed, SHA-256 " + judged->manifest_sha256.hex() +
                     ", found " + found.hex() +
                     "; the manifest was changed after it was signed: do not fly it, bring the "
                     "set again");
}

/// Stage 3.
Result<Manifest> parse_manifest(std::string_view text, const Folder& folder, const std::string& set_name) {
  const std::string where = file_text(folder, kManifestName);
  Result<Manifest> manifest = decode_manifest(text);
  if (!manifest.ok()) {
    return refusal(manifest.error().reason, where, manifest.error().message);
  }
  if (manifest->set_id == set_name) return manifest;
  return refusal(Reason::kSetIdMismatch, where,
                 "expected set id " + quote(set_name, 200) + ", as the folder is called, found " +
                     quote(manifest->set_id, 200) +
                     "; a set is never renamed: provision it under the other id");
}

/// Stage 4.
Status check_sequence(const Manifest& manifest, const GatePolicy& policy, const std::string& where) {
  constexpr std::uint64_t kNoBound = std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t minimum = policy.minimum_release_sequence.value_or(0);
  const std::uint64_t maximum = policy.maximum_release_sequence.value_or(kNoBound);
  const std::uint64_t found = manifest.release_sequence;
  if (found < minimum) {
    return refusal(Reason::kSequenceTooOld, where,
                   "expected release sequence " + std::to_string(minimum) + " or later, found " +
                       std::to_string(found) + "; provision a newer set");
  }
  if (found <= maximum) return {};
  return refusal(Reason::kSequenceStepTooLarge, where,
                 "expected a release sequence of at most " + std::to_string(maximum) + ", found " +
                     std::to_string(found) +
                     "; check where the set comes from, then raise release_sequence_step or, on the ground, "
                     "reset what was accepted ('skua ratchet')");
}

/// Stage 5: whether the set has expired, where the policy lets it load all the same. The second that is named
/// is the last good moment.
Result<bool> check_expiry(const Manifest& manifest, const GatePolicy& policy, const Clock& clock,
                          const std::string& where) {
  if (!manifest.not_after || policy.expiry == ExpiryRule::kNotJudged) return false;
  const std::int64_t now_us = clock.utc_us();
  // Read when the manifest was; what cannot be read has expired.
  constexpr std::int64_t kLongAgo = std::numeric_limits<std::int64_t>::min() / 1000000;
  const std::int64_t last = utc_seconds(*manifest.not_after).value_or(kLongAgo);
  if (now_us <= last * 1000000) return false;
  if (policy.expiry == ExpiryRule::kWarn) return true;
  return refusal(Reason::kSetExpired, where,
                 "expected a set that is good now, at " + utc_text(now_us) +
                     " by this machine's clock, found "
                     "one that is good until " +
                     *manifest.not_after + "; provision and sign a newer set, or set the clock right");
}

bool holds_listed(const Manifest& manifest, const std::string& folder_prefix) {
  return std::any_of(manifest.files.begin(), manifest.files.end(),
                     [&](const ManifestFile& file) { return file.name.starts_with(folder_prefix); });
}

/// Stage 6a. Goes into a folder only when a listed file lies below it, so the depth is bounded by the
/// manifest.
Status check_unlisted(Folder& folder, const std::string& prefix, const Manifest& manifest) {
  const Result<std::vector<std::string>> names = folder.list();
  if (!names.ok()) return as_load_error(names.error(), folder.path().string());
  for (const std::string& name : *names) {
    const std::string path = prefix + name;
    const bool is_own = prefix.empty() && (name == kManifestName || name == kSignatureName);
    if (is_own || find_listed(manifest, path) != nullptr) continue;
    const std::string where = file_text(folder, name);
    if (holds_listed(manifest, path + "/")) {
      Result<std::unique_ptr<Folder>> below = folder.open_folder(name);
      if (!below.ok()) return as_load_error(below.error(), where);
      SKUA_RETURN_IF_ERROR(check_safe_folder(**below));
      SKUA_RETURN_IF_ERROR(check_unlisted(**below, path + "/", manifest));
      continue;
    }
    return refusal(Reason::kUnlistedFile, where,
                   "expected only what the manifest lists, found this; remove it if it is yours, else "
                   "provision the set again");
  }
  return {};
}

Result<FileInfo> info_of_listed(Folder& folder, std::string_view name) {
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos) return folder.info(name);
  SKUA_ASSIGN_OR_RETURN(const auto below, folder.open_folder(name.substr(0, slash)));
  return info_of_listed(*below, name.substr(slash + 1));
}

/// Stage 6b: there, safe, and of the listed size.
Status check_listed(Folder& folder, const ManifestFile& listed) {
  const std::string where = file_text(folder, listed.name);
  const Result<FileInfo> info = info_of_listed(folder, listed.name);
  if (!info.ok()) {
    if (info.error().reason == Reason::kNotFound) return missing_file(Reason::kListedFileMissing, where);
    return as_load_error(info.error(), where);
  }
  SKUA_RETURN_IF_ERROR(check_safe(*info, where));
  if (info->size == listed.size_bytes) return {};
  return refusal(Reason::kFileSizeMismatch, where,
                 "expected " + std::to_string(listed.size_bytes) + " bytes, found " +
                     std::to_string(info->size) + "; provision the set again");
}

/// Stage 6c.
Status check_total(const Manifest& manifest, std::uint64_t limit_bytes, const std::string& where) {
  const std::uint64_t total = total_bytes(manifest.files);
  if (total <= limit_bytes) return {};
  return refusal(Reason::kSetTooLarge, where,
                 "expected at most " + std::to_string(limit_bytes) + " bytes, found " +
                     std::to_string(total) + "; raise flight_set_limit_bytes or provision fewer networks");
}

/// Stage 6.
Status check_files(Folder& folder, const Manifest& manifest, std::uint64_t limit_bytes) {
  const Span span(SpanKind::kFileList);
  SKUA_RETURN_IF_ERROR(check_unlisted(folder, "", manifest));
  for (const ManifestFile& listed : manifest.files) SKUA_RETURN_IF_ERROR(check_listed(folder, listed));
  return check_total(manifest, limit_bytes, folder.path().string());
}

Error current_malformed(const std::string& where) {
  return refusal(Reason::kCurrentMalformed, where,
                 "expected one set id and a line end, found something else; write the id of a set into it, "
                 "or provision again");
}

/// Stages 2 and 3.
Result<AdmittedSet> read_set(std::unique_ptr<Folder> folder, const std::string& set_name,
                             const std::optional<JudgedSignature>& judged) {
  const Span span(SpanKind::kManifest);
  SKUA_RETURN_IF_ERROR(check_safe_folder(*folder));
  SKUA_ASSIGN_OR_RETURN(const std::string text, read_manifest(*folder));
  AdmittedSet set;
  set.manifest_sha256 = sha256_of(std::as_bytes(std::span(text)));
  SKUA_RETURN_IF_ERROR(check_manifest_digest(set.manifest_sha256, judged, file_text(*folder, kManifestName)));
  SKUA_ASSIGN_OR_RETURN(set.manifest, parse_manifest(text, *folder, set_name));
  if (judged) SKUA_RETURN_IF_ERROR(check_statement(judged->statement, set.manifest));
  if (judged) set.signer = judged->key;
  set.is_unsigned = !judged.has_value();
  set.folder = std::move(folder);
  return set;
}

}  // namespace

// The stages from top to bottom; the order is documented in set_gate.h.
Result<AdmittedSet> admit_folder(std::unique_ptr<Folder> folder, const std::string& set_name,
                                 const GatePolicy& policy, const Clock& clock) {
  const std::string where = folder->path().string();
  SKUA_ASSIGN_OR_RETURN(const auto judged, check_signature(*folder, policy));
  SKUA_ASSIGN_OR_RETURN(AdmittedSet set, read_set(std::move(folder), set_name, judged));
  SKUA_RETURN_IF_ERROR(check_sequence(set.manifest, policy, where));
  SKUA_ASSIGN_OR_RETURN(set.is_expired, check_expiry(set.manifest, policy, clock, where));
  SKUA_RETURN_IF_ERROR(check_files(*set.folder, set.manifest, policy.flight_set_limit_bytes));
  return set;
}

Result<AdmittedSet> admit_whole(std::unique_ptr<Folder> folder, const std::string& set_name,
                                std::uint64_t limit_bytes) {
  SKUA_ASSIGN_OR_RETURN(AdmittedSet set, read_set(std::move(folder), set_name, std::nullopt));
  SKUA_RETURN_IF_ERROR(check_files(*set.folder, set.manifest, limit_bytes));
  const Result<FileInfo> signature = set.folder->info(kSignatureName);
  // Only what is not there is unsigned: of a disk that does not answer nobody knows.
  set.is_unsigned = !signature.ok() && signature.error().reason == Reason::kNotFound;
  if (!signature.ok() && !set.is_unsigned)
    return as_load_error(signature.error(), file_text(*set.folder, kSignatureName));
  return set;
}

Result<AdmittedSet> admit_set(FileSystem& files, const fs::path& set_dir, const GatePolicy& policy,
                              const Clock& clock) {
  SKUA_ASSIGN_OR_RETURN(std::unique_ptr<Folder> folder, open_set(files, set_dir));
  // Keeps the collector from the set while it is open. Without the lock nothing is less safe: every byte is
  // judged as it is read, so of a set that goes away meanwhile nothing is accepted. Hence nobody can keep a
  // set from flying by holding a lock.
  static_cast<void>(folder->lock_shared());
  return admit_folder(std::move(folder), folder_name(set_dir), policy, clock);
}

Result<fs::path> current_set(FileSystem& files, const fs::path& sets_dir) {
  SKUA_ASSIGN_OR_RETURN(const auto folder, open_set(files, sets_dir));
  SKUA_RETURN_IF_ERROR(check_safe_folder(*folder));
  const std::string where = file_text(*folder, kCurrentName);
  SKUA_ASSIGN_OR_RETURN(const auto file, open_safe(*folder, kCurrentName, Reason::kCurrentMissing));
  SKUA_ASSIGN_OR_RETURN(std::string id, read_at_most(*file, kMaxCurrentBytes + 1, where));
  if (id.empty() || id.back() != '\n') return current_malformed(where);
  id.pop_back();
  if (!is_legal_set_id(id)) return current_malformed(where);
  const Result<FileInfo> info = folder->info(id);
  if (info.ok() && info->kind == FileKind::kFolder) return sets_dir / id;
  if (!info.ok() && info.error().reason != Reason::kNotFound)
    return as_load_error(info.error(), file_text(*folder, id));
  return refusal(
      Reason::kSetMissing, where,
      "expected a set folder called " + quote(id, 200) + " beside it, found none; provision the set again");
}

}  // namespace skua
