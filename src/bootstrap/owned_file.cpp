#include "bootstrap/owned_file.h"

#include "cache/safe_file.h"

namespace skua {
namespace {

namespace fs = std::filesystem;

Result<OwnedText> read(FileSystem& files, const fs::path& file, std::size_t limit) {
  SKUA_ASSIGN_OR_RETURN(const FilePlace at, open_place(files, file));
  SKUA_RETURN_IF_ERROR(check_safe_folder(*at.folder));
  SKUA_ASSIGN_OR_RETURN(const auto open, open_safe(*at.folder, at.name, Reason::kNotFound));
  OwnedText owned;
  SKUA_ASSIGN_OR_RETURN(owned.info, open->info());
  SKUA_ASSIGN_OR_RETURN(owned.text, read_at_most(*open, limit + 1, file.string()));
  if (owned.text.size() <= limit) return owned;
  return make_error(ErrorCode::kInvalidArgument, Reason::kTooLarge,
                    "expected at most " + std::to_string(limit) + " bytes, found more; is it this file?");
}

}  // namespace

Result<FilePlace> open_place(FileSystem& files, const fs::path& file) {
  FilePlace place;
  place.name = file.filename().string();
  SKUA_ASSIGN_OR_RETURN(place.folder,
                        files.open_folder(file.has_parent_path() ? file.parent_path() : fs::path(".")));
  return place;
}

Result<OwnedText> read_owned(FileSystem& files, const fs::path& file, std::string_view what,
                             std::size_t limit) {
  auto owned = read(files, file, limit);
  if (!owned.ok() && owned.error().reason == Reason::kNotFound) {
    return make_error(
        ErrorCode::kInvalidArgument, Reason::kNotFound,
        std::string(what) + " " + file.string() + ": expected a file, found none; check the path",
        owned.error().native_code);
  }
  if (!owned.ok()) return owned_file_error(what, file, owned.error());
  return owned;
}

Error owned_file_error(std::string_view what, const fs::path& file, const Error& cause) {
  if (cause.code == ErrorCode::kOutOfMemory) return cause;  // nobody knows what is wrong with the file
  return make_error(ErrorCode::kInvalidArgument, cause.reason,
                    std::string(what) + " " + file.string() + ": " + cause.message, cause.native_code);
}

}  // namespace skua
