// How much memory of its own this process has resident: what an engine really takes, the SDK's pools
// included. Pages of libraries do not count.
#pragma once

#include <cstdint>

namespace skua::compile {

inline constexpr std::uint64_t kMiB = 1U << 20U;

/// Resident bytes after the heap has given back what is free; 0 where the system does not say.
std::uint64_t resident_bytes_trimmed();
/// Resident bytes as they are.
std::uint64_t resident_bytes();

/// `bytes` rounded up to MiB.
constexpr std::uint64_t whole_mib(std::uint64_t bytes) noexcept { return (bytes + kMiB - 1) / kMiB * kMiB; }

}  // namespace skua::compile
