// What programs end with; docs/reference/cli.md has the table.
#pragma once

#include "skua/error.h"

namespace skua {

inline constexpr int kExitDeviceLost = 10;  ///< the supervisor starts the program again

/// The exit status of an error that ended a program: 1 to 10.
int exit_status_of(const Error& error) noexcept;

}  // namespace skua
