// preprocess.yaml: how an image of a data set becomes a network's input. docs/formats/data-set.md.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "skua/result.h"

namespace skua::calibration {

inline constexpr std::size_t kMaxPreprocessBytes = 65536;
inline constexpr int kMaxImageSide = 16384;

enum class ImageChannels : std::uint8_t { kRgb, kBgr, kGray };
enum class ImageLayout : std::uint8_t { kNchw, kNhwc };

struct ImageSize {
  int width = 0, height = 0;  ///< pixels, 1 to kMaxImageSide
  bool operator==(const ImageSize&) const = default;
};

/// In the order in which it is done; what is absent is not done.
struct Preprocess {
  ImageChannels channels = ImageChannels::kRgb;
  std::optional<ImageSize> resize;
  std::optional<ImageSize> crop;                      ///< around the centre
  double scale = 1;                                   ///< of values from 0 to 255; above 0
  std::array<double, 3> mean{0, 0, 0}, std{1, 1, 1};  ///< by channel, in the network's order; std above 0
  ImageLayout layout = ImageLayout::kNchw;
  bool operator==(const Preprocess&) const = default;
};

/// Strict: EngineBuildError, data_set_malformed, with line and column: no YAML, more than
/// kMaxPreprocessBytes, an unknown, repeated or missing key, a value that is none. Thread-safe.
Result<Preprocess> parse_preprocess(const std::string& text);

}  // namespace skua::calibration
