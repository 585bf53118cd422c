// Files that the operator names and that decide what is trusted: keys, passphrases, policies.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "core/filesystem.h"
#include "skua/result.h"

namespace skua {

/// The open folder of a file, and the file's name in it.
struct FilePlace {
  std::unique_ptr<Folder> folder;
  std::string name;
};
Result<FilePlace> open_place(FileSystem& files, const std::filesystem::path& file);

struct OwnedText {
  std::string text;
  FileInfo info;  ///< of the descriptor that was read
};

/// Reads a regular file with one name, of root or the running user, that only its owner may write, in a
/// folder of which the same is true; too_large beyond `limit` bytes. InvalidArgumentError "<what> <file>:
/// ...".
Result<OwnedText> read_owned(FileSystem& files, const std::filesystem::path& file, std::string_view what,
                             std::size_t limit);

/// `cause` as InvalidArgumentError "<what> <file>: ...", with its reason; a lack of memory stays one.
Error owned_file_error(std::string_view what, const std::filesystem::path& file, const Error& cause);

}  // namespace skua
