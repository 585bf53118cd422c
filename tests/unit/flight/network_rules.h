// What the fake networks of fake_networks.h answer: rules that a test can work out by hand.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "skua/tensor.h"

namespace skua::flight::test {

enum class Network : std::uint8_t { kVpr, kFeatures, kMatcher, kAdhop };
inline constexpr std::size_t kNetworks = 4;
inline constexpr std::array<const char*, kNetworks> kNetworkNames = {"vpr", "features", "matcher", "adhop"};

inline constexpr int kSide = 64;    ///< of the pictures
inline constexpr int kStep = 8;     ///< between keypoints, pixels
inline constexpr int kFirst = 4;    ///< where the first keypoint lies
inline constexpr int kPoints = 64;  ///< keypoints of a picture
inline constexpr int kDim = 8;      ///< pixels that make a descriptor
inline constexpr int kPatch = 32;   ///< AdHoP's side

struct NetworkSpecs {
  std::vector<TensorSpec> inputs, outputs;
  friend bool operator==(const NetworkSpecs&, const NetworkSpecs&) = default;
};

inline TensorSpec fixed(const char* name, Shape shape, DType dtype = DType::kFloat32) {
  return {name, dtype, shape, shape, false};
}

inline NetworkSpecs usual_specs(Network network) {
  const Shape points{1, kPoints, 2}, descriptors{1, kPoints, kDim}, rows{1, kPoints},
      patch{1, 1, kPatch, kPatch};
  const TensorSpec image = fixed("image", {1, 1, kSide, kSide});
  switch (network) {
    case Network::kVpr:
      return {{image}, {fixed("embedding", {1, 4})}};
    case Network::kFeatures:
      return {{image}, {fixed("keypoints", points), fixed("descriptors", descriptors)}};
    case Network::kMatcher:
      return {{fixed("kpts0", points), fixed("kpts1", points), fixed("desc0", descriptors),
               fixed("desc1", descriptors)},
              {fixed("matches", rows, DType::kInt64), fixed("scores", rows)}};
    case Network::kAdhop:
      break;
  }
  return {{fixed("reference", patch), fixed("query", patch)},
          {fixed("corner_offsets", {1, 4, 2}), fixed("confidence", {1, 1})}};
}

/// The first outputs of a run; a test may write to them and change their shapes.
using RunOutputs = std::array<TensorView, 4>;

/// The mean of each quarter of the picture.
inline void run_vpr(const TensorView& image, const TensorView& embedding) {
  const auto pixels = image.as<float>(), means = embedding.as<float>();
  std::fill(means.begin(), means.end(), 0.0F);
  for (std::size_t y = 0; y < kSide; ++y) {
    for (std::size_t x = 0; x < kSide; ++x)
      means[2 * (2 * y / kSide) + 2 * x / kSide] += pixels[y * kSide + x] * 4.0F / (kSide * kSide);
  }
}

/// Keypoints on a grid; a descriptor is eight pixels of the keypoint's cell.
inline void run_features(const TensorView& image, const RunOutputs& outputs) {
  const auto pixels = image.as<float>(), points = outputs[0].as<float>(), described = outputs[1].as<float>();
  constexpr std::size_t kColumns = kSide / kStep;
  for (std::size_t i = 0; i < kPoints; ++i) {
    const std::size_t x = i % kColumns * kStep, y = i / kColumns * kStep;
    points[2 * i] = static_cast<float>(x + kFirst);
    points[2 * i + 1] = static_cast<float>(y + kFirst);
    for (std::size_t d = 0; d < kDim; ++d)
      described[kDim * i + d] = pixels[(y + 3 * (d / 4)) * kSide + x + 2 * (d % 4)];
  }
}

/// Equal descriptors match; the first `spoiled` matches are turned by some rows.
inline void run_matcher(const TensorView& first, const TensorView& second, std::size_t spoiled,
                        const RunOutputs& outputs) {
  const auto matches = outputs[0].as<std::int64_t>();
  const auto a = first.as<float>(), b = second.as<float>(), scores = outputs[1].as<float>();
  for (std::size_t i = 0; i < kPoints; ++i) {
    matches[i] = -1;
    for (std::size_t j = 0; j < kPoints && matches[i] < 0; ++j) {
      if (a[kDim * i] == b[kDim * j] && std::memcmp(&a[kDim * i], &b[kDim * j], kDim * sizeof(float)) == 0)
        matches[i] = static_cast<std::int64_t>(j);
    }
    scores[i] = matches[i] < 0 ? 0.0F : 1.0F;
    if (matches[i] < 0 || spoiled == 0) continue;
    matches[i] = (matches[i] * 37 + 17) % kPoints;
    --spoiled;
  }
}

}  // namespace skua::flight::test
