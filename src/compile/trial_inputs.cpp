#include "compile/trial_inputs.h"

#include <cstdint>

namespace skua::compile {
namespace {

class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) noexcept : state_(seed) {}
  std::uint64_t next() noexcept {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31U);
  }

 private:
  std::uint64_t state_;
};

std::uint64_t seed_of(const Sha256& model, std::string_view name) noexcept {
  std::uint64_t seed = 0;
  for (std::size_t i = 0; i < 8; ++i) seed = seed << 8U | model.bytes[i];
  std::uint64_t hash = 0xCBF29CE484222325ULL;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  return seed ^ hash;
}

// Bits of steps/2048 as a half: exact, since a half has 11 significant bits. Requires steps < 2048.
std::uint16_t half_bits(std::uint32_t steps) noexcept {
  if (steps == 0) return 0;
  std::uint32_t exponent = 14;  // of values in [0.5, 1)
  while ((steps & 1024U) == 0) {
    steps <<= 1U;
    --exponent;
  }
  return static_cast<std::uint16_t>(exponent << 10U | (steps & 1023U));
}

template <typename T, typename Make>
void fill(const TensorView& view, Make make) noexcept {
  for (T& element : view.as<T>()) element = make();
}

}  // namespace

void fill_trial_input(const TensorView& view, const Sha256& model, std::string_view name) noexcept {
  SplitMix64 random(seed_of(model, name));
  const auto unit = [&random] { return static_cast<double>(random.next() >> 40U) / 16777216.0; };
  const auto small = [&random] { return random.next() >> 62U; };
  bool is_odd = true;
  switch (view.dtype) {
    case DType::kFloat32:
      return fill<float>(view, [&] { return static_cast<float>(unit()); });
    case DType::kFloat64:
      return fill<double>(view, unit);
    case DType::kFloat16:
      return fill<std::uint16_t>(view,
                                 [&] { return half_bits(static_cast<std::uint32_t>(random.next() >> 53U)); });
    case DType::kBool:
      return fill<std::uint8_t>(view, [&] { return static_cast<std::uint8_t>(is_odd = !is_odd); });
    case DType::kInt8:
    case DType::kUInt8:
      return fill<std::uint8_t>(view, [&] { return static_cast<std::uint8_t>(small()); });
    case DType::kInt16:
    case DType::kUInt16:
      return fill<std::uint16_t>(view, [&] { return static_cast<std::uint16_t>(small()); });
    case DType::kInt32:
    case DType::kUInt32:
      return fill<std::uint32_t>(view, [&] { return static_cast<std::uint32_t>(small()); });
    case DType::kInt64:
    case DType::kUInt64:
      return fill<std::uint64_t>(view, small);
  }
}

}  // namespace skua::compile
