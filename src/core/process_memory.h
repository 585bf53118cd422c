// How a process treats the memory that is freed in it. For programs, at their very start; never for a
// library, whose process belongs to somebody else.
#pragma once

namespace skua {

/// Makes glibc keep freed memory instead of giving it back to the kernel, which would fault it in and zero it
/// again at the next call: half of a small network's time under libtorch. The process stays as large as it
/// ever was. Call before the first thread starts.
void keep_freed_memory() noexcept;

}  // namespace skua
