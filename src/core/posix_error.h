// errno to Error, in one place.
#pragma once

#include <string_view>

#include "skua/error.h"

namespace skua {

Reason reason_of_errno(int error_number) noexcept;
/// ErrorCode::kIo, of ENOMEM kOutOfMemory: "<operation> <path>: <the system's text>; <remedy>".
Error posix_error(std::string_view operation, std::string_view path, int error_number);

}  // namespace skua
