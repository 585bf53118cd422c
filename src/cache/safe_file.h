// Opening and judging files that Skua trusts. open_safe itself is declared in set_gate.h, which this header
// includes.
#pragma once

#include <string>
#include <string_view>

#include "cache/set_gate.h"
#include "core/filesystem.h"

namespace skua {

/// "<folder path>/<name>", for messages.
std::string file_text(const Folder& folder, std::string_view name);

/// Wants a regular file (else not_regular_file), whose owner is root or whoever runs this process
/// (file_owner), which only that owner may write (file_mode), and which has one name (file_links). Errors:
/// EngineDeserializeError. `where` is for the message.
Status check_safe(const FileInfo& info, const std::string& where);

/// The folder itself: its owner is root or whoever runs this process (else file_owner), and only that owner
/// may write to it (else file_mode). Whoever may write to a folder may swap the files in it, however safe
/// they are.
Status check_safe_folder(const Folder& folder);

/// `refusal`, but a lack of memory keeps its own class: it says nothing of what lies there.
ErrorCode refusal_class(const Error& cause, ErrorCode refusal) noexcept;

/// Whether `error` is of the two checks above: somebody else may have written the file.
bool is_unsafe(const Error& error) noexcept;

/// The error for a file that is not there, in the class that `reason` belongs to, with the remedy.
Error missing_file(Reason reason, const std::string& where);

/// An error of the file system as a refusal at load: same reason and errno, the remedy added.
Error as_load_error(const Error& cause, const std::string& where);

/// Reads until the end of file or `limit` bytes. Errors: EngineDeserializeError.
Result<std::string> read_at_most(ReadFile& file, std::size_t limit, const std::string& where);

}  // namespace skua
