// The part of a plan that can be read without a device. It proves nothing: TensorRT itself notices a changed
// size, tag, section table or end of a plan, and no other byte.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "skua/result.h"

namespace skua::tensorrt {

struct PlanHeader {
  std::string tag;                    ///< "ftrt" of TensorRT, "vtrt" of TensorRT-RTX
  std::uint32_t layout = 0;           ///< 0 is the one whose version bytes are where we look
  std::array<unsigned, 4> version{};  ///< major, minor, patch, build
  std::string version_text() const;   ///< "10.3.0.30"
};

inline constexpr std::string_view kPlanTag = "ftrt";
inline constexpr std::string_view kRtxPlanTag = "vtrt";

/// EngineDeserializeError (plan_header_mismatch) for less than 28 bytes, a tag that is none, or another
/// layout.
Result<PlanHeader> read_plan_header(std::span<const std::byte> plan, const std::string& where);

}  // namespace skua::tensorrt
