// IEEE 754 half precision, which C++20 has no type for: to single, and whether it is finite.
#pragma once

#include <bit>
#include <cstdint>

namespace skua {

/// Exact for every one of the 65536 bit patterns; a NaN stays a NaN.
constexpr float half_to_float(std::uint16_t bits) noexcept {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits >> 15U) << 31U;
  const std::uint32_t exponent = (bits >> 10U) & 0x1fU;
  const std::uint32_t fraction = bits & 0x3ffU;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000U | (fraction << 13U));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112U) << 23U) | (fraction << 13U));
  // Zero or subnormal: fraction x 2^-24, which single precision holds exactly.
  const float magnitude = static_cast<float>(fraction) * 5.9604644775390625e-8F;
  return sign != 0 ? -magnitude : magnitude;
}

/// Not all bits of the exponent are set.
constexpr bool is_finite_half(std::uint16_t bits) noexcept { return (bits & 0x7c00U) != 0x7c00U; }

}  // namespace skua
