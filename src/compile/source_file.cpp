#include "compile/source_file.h"

#include <utility>

#include "compile/compilation.h"
#include "core/filesystem.h"
#include "core/hash.h"

namespace skua::compile {

Result<std::vector<std::byte>> read_file(const std::filesystem::path& path, std::uint64_t limit,
                                         Reason when_missing) {
  const auto failed = [&path, when_missing](const Error& error) {
    const bool is_missing = error.reason == Reason::kNotFound;
    return make_error(ErrorCode::kEngineBuild, is_missing ? when_missing : Reason::kModelUnreadable,
                      path.string() + " cannot be read: " + error.message, error.native_code);
  };
  auto folder = posix_file_system().open_folder(path.parent_path());
  if (!folder.ok()) return failed(folder.error());
  auto file = (*folder)->open_read(path.filename().string());
  if (!file.ok()) return failed(file.error());
  const auto info = (*file)->info();
  if (!info.ok()) return failed(info.error());
  if (info->kind != FileKind::kRegular) {
    return build_error(
        Reason::kModelUnreadable,
        path.string() + ": expected a regular file, found a folder or a device; name the file itself");
  }
  if (info->size > limit) {
    return build_error(Reason::kModelTooLarge, path.string() + " has " + std::to_string(info->size) +
                                                   " bytes; with its weights the model may have 2147483647");
  }
  std::vector<std::byte> bytes(static_cast<std::size_t>(info->size));
  const auto count = (*file)->read(bytes);
  if (!count.ok()) return failed(count.error());
  bytes.resize(*count);
  return bytes;
}

SourceFile source_file(std::string name, std::span<const std::byte> bytes) {
  return SourceFile{std::move(name), sha256_of(bytes), bytes.size()};
}

}  // namespace skua::compile
