// The header of a TensorRT plan: the eight bytes and the version that NVIDIA's own tools read without
// deserialising.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "skua/host_tuple.h"

namespace skua {

/// As much of a plan as is looked at.
inline constexpr std::size_t kPlanHeaderBytes = 28;

/// Magic `ftrt` (little-endian 0x74727466 at 0), layout 0 (u32 at 4), and the version bytes 24..27 (major,
/// minor, patch, build) of this host's TensorRT. A host without TensorRT ("0") accepts the version 0.0.0.0
/// alone. EngineDeserializeError, plan_header_mismatch, naming expected and found. `where` is for the
/// message. `plan` may be the plan's beginning alone.
Status check_plan_header(std::span<const std::byte> plan, const HostTuple& host, const std::string& where);

}  // namespace skua
