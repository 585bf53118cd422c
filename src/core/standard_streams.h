// Keeps files away from the descriptors 0, 1 and 2. open(2) gives the lowest free number: in a process whose
// stdout was closed (`skua ... >&-`) that is 1, and what is meant for stdout would then go into the file.
// Stateless.
#pragma once

namespace skua {

/// For a descriptor that was just opened: itself, or its copy (close-on-exec) with a number above 2 in its
/// place. -1 with errno: `fd` was -1, or no descriptor is left; `fd` is closed then. Any thread.
int above_standard_streams(int fd) noexcept;

/// Opens /dev/null under each of 0, 1 and 2 that is closed. For programs, at their very start, before any
/// other thread: it guards files that SDKs open as well. Never for a library, whose process belongs to
/// somebody else.
void fill_standard_streams() noexcept;

}  // namespace skua
