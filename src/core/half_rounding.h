// Rounding single precision to what half precision can hold.
#pragma once

#include <cstdint>
#include <span>

namespace skua {

/// Every value to the nearest half (ties to even) and back, in place: what is beyond 65504 becomes infinite,
/// what is below half's smallest subnormal becomes zero, a NaN stays a NaN. Uses the processor's own
/// conversion where it has one. Does not allocate.
void round_through_half(std::span<float> values) noexcept;
/// The same from `from` into `into`, which has the same size and does not overlap it.
void round_through_half(std::span<const float> from, std::span<float> into) noexcept;

/// The bits of a value that is a half already, and finite: nothing is rounded.
std::uint16_t bits_of_half(float value) noexcept;

}  // namespace skua
