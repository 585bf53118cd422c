// How much memory of its own this process has resident: what an engine really takes, ONNX Runtime's arena
// included. Pages of libraries do not count.
#pragma once

#include <cstdint>

namespace skua::ort {

/// Resident bytes after the heap has given back what is free; 0 where the system does not say.
std::uint64_t resident_bytes_trimmed();
/// Resident bytes as they are.
std::uint64_t resident_bytes();

}  // namespace skua::ort
