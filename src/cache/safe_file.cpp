#include "cache/safe_file.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace skua {
namespace {

constexpr std::uint32_t kWritableByOthers = 022;

std::string_view kind_text(FileKind kind) noexcept {
  if (kind == FileKind::kFolder) return "a folder";
  return kind == FileKind::kLink ? "a symbolic link" : "a device, FIFO or socket";
}

std::string octal(std::uint32_t mode) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%04o", mode);
  return text.data();
}

Error unsafe(Reason reason, const std::string& where, const std::string& expected_found_remedy) {
  return make_error(ErrorCode::kEngineDeserialize, reason, where + ": " + expected_found_remedy);
}

/// What files and folders have in common: nobody else may change them.
Status check_private(const FileInfo& info, const std::string& where) {
  if (info.owner != 0 && info.owner != ::geteuid()) {
    return unsafe(
        Reason::kFileOwner, where,
        "expected owner root or uid " + std::to_string(::geteuid()) + ", found uid " +
            std::to_string(info.owner) +
            "; find out who put it there, then chown it, or provision the set as one of these users");
  }
  if ((info.mode & kWritableByOthers) != 0) {
    return unsafe(Reason::kFileMode, where,
                  "expected no write permission for group and others, found mode " + octal(info.mode) +
                      "; find out who changed it, then chmod go-w");
  }
  return {};
}

Error not_regular(FileKind kind, const std::string& where) {
  return unsafe(
      Reason::kNotRegularFile, where,
      "expected a regular file, found " + std::string(kind_text(kind)) + "; copy the file itself there");
}

/// A link or socket cannot even be opened: say what it is rather than what the kernel answered.
Error open_failure(Folder& folder, std::string_view name, const Error& cause) {
  const std::string where = file_text(folder, name);
  const Result<FileInfo> info = folder.info(name);
  if (info.ok() && info->kind != FileKind::kRegular) return not_regular(info->kind, where);
  return as_load_error(cause, where);
}

struct MissingText {
  ErrorCode code;
  std::string_view remedy;
};

/// The class and the remedy that belong to a "not there" reason.
MissingText missing_text(Reason reason) {
  if (reason == Reason::kSidecarMissing) {
    return {ErrorCode::kEngineSidecarMissing,
            "an engine without a sidecar was not published completely: compile it again"};
  }
  if (reason == Reason::kBuildRecordMissing) {
    return {ErrorCode::kEngineHashMismatch,
            "an engine without a build record was not published completely: compile it again"};
  }
  if (reason == Reason::kEngineMissing)
    return {ErrorCode::kEngineDeserialize, "compile or provision the engine again"};
  if (reason == Reason::kGoldenMissing) return {ErrorCode::kEngineDeserialize, "compile the engine again"};
  if (reason == Reason::kCurrentMissing) return {ErrorCode::kManifest, "provision a set into this folder"};
  if (reason == Reason::kNotFound)
    return {ErrorCode::kEngineDeserialize, "put it there, or name the right one"};
  return {ErrorCode::kManifest, "provision the set again"};
}

}  // namespace

std::string file_text(const Folder& folder, std::string_view name) { return (folder.path() / name).string(); }

bool is_unsafe(const Error& error) noexcept {
  return error.reason == Reason::kFileOwner || error.reason == Reason::kFileMode ||
         error.reason == Reason::kFileLinks || error.reason == Reason::kNotRegularFile;
}

ErrorCode refusal_class(const Error& cause, ErrorCode refusal) noexcept {
  return cause.code == ErrorCode::kOutOfMemory ? cause.code : refusal;
}

Error missing_file(Reason reason, const std::string& where) {
  const MissingText text = missing_text(reason);
  return make_error(text.code, reason,
                    where + ": " + std::string(sentence_of(reason)) + "; " + std::string(text.remedy));
}

Error as_load_error(const Error& cause, const std::string& where) {
  const std::string_view remedy = cause.reason == Reason::kPermissionDenied
                                      ? "; let the running user read it"
                                      : "; check the storage device and provision the set again";
  return make_error(refusal_class(cause, ErrorCode::kEngineDeserialize), cause.reason,
                    "cannot read " + where + ": " + cause.message + std::string(remedy), cause.native_code);
}

Status check_safe(const FileInfo& info, const std::string& where) {
  if (info.kind != FileKind::kRegular) return not_regular(info.kind, where);
  SKUA_RETURN_IF_ERROR(check_private(info, where));
  if (info.links != 1) {
    return unsafe(Reason::kFileLinks, where,
                  "expected one name, found " + std::to_string(info.links) +
                      " hard links; replace it by a copy of its own");
  }
  return {};
}

Status check_safe_folder(const Folder& folder) {
  const std::string where = folder.path().string();
  const Result<FileInfo> info = folder.info();
  if (!info.ok()) return as_load_error(info.error(), where);
  return check_private(*info, where);
}

Result<std::unique_ptr<ReadFile>> open_safe(Folder& folder, std::string_view name, Reason when_missing) {
  const std::string where = file_text(folder, name);
  Result<std::unique_ptr<ReadFile>> file = folder.open_read(name);
  if (!file.ok() && file.error().reason == Reason::kNotFound) return missing_file(when_missing, where);
  if (!file.ok()) return open_failure(folder, name, file.error());
  // Of the open descriptor: whatever happens to the name afterwards, these are the facts of what will be
  // read.
  const Result<FileInfo> info = (*file)->info();
  if (!info.ok()) return as_load_error(info.error(), where);
  SKUA_RETURN_IF_ERROR(check_safe(*info, where));
  return file;
}

Result<std::string> read_at_most(ReadFile& file, std::size_t limit, const std::string& where) {
  std::string content;
  std::array<char, 65536> piece;
  while (content.size() < limit) {
    const std::size_t wanted = std::min(piece.size(), limit - content.size());
    const Result<std::size_t> got = file.read(std::as_writable_bytes(std::span(piece.data(), wanted)));
    if (!got.ok()) return as_load_error(got.error(), where);
    content.append(piece.data(), *got);
    if (*got < wanted) break;
  }
  return content;
}

}  // namespace skua
