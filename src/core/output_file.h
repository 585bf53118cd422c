// A file that a program writes beside its work and was named by an operator: created or emptied, and never
// what somebody else still needs.
#pragma once

#include <filesystem>
#include <string_view>

#include "core/descriptor.h"
#include "skua/result.h"

namespace skua {

/// `option` is what named the file. Nothing is emptied that is no regular file or has a second name (hard
/// link); links are not followed, pipes not waited for. /dev/null and /dev/full may be written to.
/// InvalidArgumentError with the option, the file, what it is, and a remedy.
Result<Descriptor> open_output(std::string_view option, const std::filesystem::path& file);

}  // namespace skua
