#include "inference/lightglue_samples.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>
#include <utility>

#include "core/half_rounding.h"

namespace skua::lightglue {
namespace {

constexpr std::array<int, 2> kImage = {640, 480};
constexpr float kNoise = 0.05F;  // of a descriptor's length

/// The same on every machine, which the distributions of <random> are not.
class Noise {
 public:
  explicit Noise(std::uint32_t seed) : engine_(seed) {}
  float between(float low, float high) {
    return low + (high - low) * (static_cast<float>(engine_() >> 8U) / 16777216.0F);
  }

 private:
  std::minstd_rand engine_;
};

void make_unit(std::span<float> row) noexcept {
  float sum = 0.0F;
  for (const float value : row) sum += value * value;
  const float length = std::sqrt(sum);
  if (length <= 0.0F) return;
  for (float& value : row) value /= length;
}

/// Bits of a value that half precision can hold, of a magnitude below 2.
std::uint16_t half_bits(float value) noexcept {
  const float magnitude = std::fabs(value);
  const std::uint16_t sign = std::signbit(value) ? 0x8000U : 0U;
  constexpr float kSmallestNormal = 6.103515625e-05F, kStep = 5.9604644775390625e-08F;
  if (magnitude < kSmallestNormal) return static_cast<std::uint16_t>(sign | std::lround(magnitude / kStep));
  const auto bits = std::bit_cast<std::uint32_t>(magnitude);
  return static_cast<std::uint16_t>(sign | ((bits - (112U << 23U)) >> 13U));
}

/// A keypoint set in memory of its own, float32 descriptors first.
struct Sample {
  Tensor keypoints, descriptors;

  static Result<Sample> make(std::int64_t count, std::int64_t dim) {
    Sample sample;
    SKUA_ASSIGN_OR_RETURN(sample.keypoints, Tensor::allocate(DType::kFloat32, {count, 2}));
    SKUA_ASSIGN_OR_RETURN(sample.descriptors, Tensor::allocate(DType::kFloat32, {count, dim}));
    return sample;
  }
  std::span<float> row(std::size_t index) const {
    const auto width = static_cast<std::size_t>(descriptors.view().shape[1]);
    return descriptors.as<float>().subspan(index * width, width);
  }
  std::size_t size() const { return static_cast<std::size_t>(keypoints.view().shape[0]); }
};

void fill_at_random(const Sample& sample, Noise& noise) {
  for (std::size_t i = 0; i < sample.size(); ++i) {
    sample.keypoints.as<float>()[2 * i] = noise.between(0.0F, static_cast<float>(kImage[0]));
    sample.keypoints.as<float>()[2 * i + 1] = noise.between(0.0F, static_cast<float>(kImage[1]));
    for (float& value : sample.row(i)) value = noise.between(-1.0F, 1.0F);
    make_unit(sample.row(i));
  }
}

/// The keypoints of `from`, turned by `shift` places, where there are as many.
void fill_alike(const Sample& sample, const Sample& from, std::size_t shift, Noise& noise) {
  const std::size_t shared = std::min(sample.size(), from.size());
  for (std::size_t i = 0; i < shared; ++i) {
    const std::size_t source = (i + shift) % shared;
    for (std::size_t axis = 0; axis < 2; ++axis)
      sample.keypoints.as<float>()[2 * i + axis] = from.keypoints.as<float>()[2 * source + axis];
    const auto row = sample.row(i), other = from.row(source);
    const float scale = kNoise / std::sqrt(static_cast<float>(row.size()));
    for (std::size_t k = 0; k < row.size(); ++k) row[k] = other[k] + noise.between(-scale, scale);
    make_unit(row);
  }
}

/// In the engine's dtype.
Result<Tensor> converted(Tensor descriptors, DType dtype) {
  if (dtype == DType::kFloat32) return descriptors;
  SKUA_ASSIGN_OR_RETURN(Tensor halves, Tensor::allocate(DType::kFloat16, descriptors.view().shape));
  round_through_half(descriptors.as<float>());
  const auto values = descriptors.as<float>();
  std::transform(values.begin(), values.end(), halves.as<std::uint16_t>().begin(), half_bits);
  return halves;
}

KeypointSet view_of(const Tensor& keypoints, const Tensor& descriptors) {
  KeypointSet set;
  set.keypoints = keypoints.view();
  set.descriptors = descriptors.view();
  set.image_size = kImage;
  return set;
}

}  // namespace

Result<SamplePairs> SamplePairs::make(const Contract& contract, std::size_t count) {
  SamplePairs pairs;
  Noise noise(1);
  const auto keep = [&](Sample sample, std::vector<KeypointSet>& sets, std::size_t times) -> Status {
    SKUA_ASSIGN_OR_RETURN(Tensor descriptors,
                          converted(std::move(sample.descriptors), contract.descriptor_dtype));
    sets.insert(sets.end(), times, view_of(sample.keypoints, descriptors));
    pairs.memory_.push_back(std::move(sample.keypoints));
    pairs.memory_.push_back(std::move(descriptors));
    return {};
  };
  SKUA_ASSIGN_OR_RETURN(Sample first, Sample::make(contract.counts[0].opt, contract.descriptor_dim));
  fill_at_random(first, noise);
  for (std::size_t i = 0; i < count; ++i) {
    SKUA_ASSIGN_OR_RETURN(Sample second, Sample::make(contract.counts[1].opt, contract.descriptor_dim));
    fill_at_random(second, noise);
    fill_alike(second, first, i + 1, noise);
    SKUA_RETURN_IF_ERROR(keep(std::move(second), pairs.seconds_, 1));
  }
  SKUA_RETURN_IF_ERROR(keep(std::move(first), pairs.firsts_, count));
  return pairs;
}

}  // namespace skua::lightglue
