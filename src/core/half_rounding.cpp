#include "core/half_rounding.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace skua {
namespace {

// IEEE 754-2019, binary16: 11 significant bits, exponents -14 to 15, subnormals in steps of 2^-24.
float rounded(float value) noexcept {
  constexpr std::uint32_t kSign = 0x80000000U, kInfinity = 0x7f800000U, kQuiet = 0x00400000U;
  constexpr std::uint32_t kDropped = 0x1fffU;  // single has 13 bits more
  constexpr std::uint32_t kOverflows =
      0x477ff000U;  // 65520: the tie between 65504 and what is no half any more
  constexpr std::uint32_t kSmallestNormal = 0x38800000U;
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits & kSign, magnitude = bits & ~kSign;
  if (magnitude > kInfinity) return std::bit_cast<float>((bits & ~kDropped) | kQuiet);
  if (magnitude >= kOverflows) return std::bit_cast<float>(sign | kInfinity);
  if (magnitude < kSmallestNormal) {
    // The processor rounds the sum to steps of 2^-24, ties to even; the difference is exact.
    const float sum = std::bit_cast<float>(magnitude) + 0.5F;
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(sum - 0.5F));
  }
  const std::uint32_t tie = (magnitude >> 13U) & 1U;
  return std::bit_cast<float>(sign | ((magnitude + (kDropped >> 1U) + tie) & ~kDropped));
}

void round_portably(const float* from, float* into, std::size_t count) noexcept {
  std::transform(from, from + count, into, rounded);
}

#if defined(__x86_64__)
// Every processor with AVX2 converts halves itself.
__attribute__((target("avx2,f16c"))) void round_by_processor(const float* from, float* into,
                                                             std::size_t count) noexcept {
  constexpr std::size_t kLanes = 8;
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const __m128i halves = _mm256_cvtps_ph(_mm256_loadu_ps(from + i), _MM_FROUND_TO_NEAREST_INT);
    _mm256_storeu_ps(into + i, _mm256_cvtph_ps(halves));
  }
  round_portably(from + i, into + i, count - i);
}
#endif

void round_all(const float* from, float* into, std::size_t count) noexcept {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") != 0) return round_by_processor(from, into, count);
#endif
  round_portably(from, into, count);
}

}  // namespace

void round_through_half(std::span<float> values) noexcept {
  round_all(values.data(), values.data(), values.size());
}

void round_through_half(std::span<const float> from, std::span<float> into) noexcept {
  round_all(from.data(), into.data(), std::min(from.size(), into.size()));
}

std::uint16_t bits_of_half(float value) noexcept {
  constexpr std::uint32_t kRebias = (127U - 15U) << 23U, kSmallestNormal = 113U << 23U;
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16U) & 0x8000U, magnitude = bits & 0x7FFFFFFFU;
  if (magnitude >= kSmallestNormal) return static_cast<std::uint16_t>(sign | ((magnitude - kRebias) >> 13U));
  return static_cast<std::uint16_t>(sign | static_cast<std::uint32_t>(std::fabs(value) * 0x1p24F));
}

}  // namespace skua
