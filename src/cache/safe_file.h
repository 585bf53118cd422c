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

/// Regular, owned by root or the running user, not writable by others, one name: EngineDeserializeError with
/// not_regular_file, file_owner, file_mode or file_links. `where` is for the message.
Status check_safe(const FileInfo& info, const std::string& where);

/// The error for a file that is not there, in the class that `reason` belongs to, with the remedy.
Error missing_file(Reason reason, const std::string& where);

/// An error of the file system as a refusal at load: same reason and errno, the remedy added.
Error as_load_error(const Error& cause, const std::string& where);

/// Reads until the end of file or `limit` bytes. Errors: EngineDeserializeError.
Result<std::string> read_at_most(ReadFile& file, std::size_t limit, const std::string& where);

}  // namespace skua
