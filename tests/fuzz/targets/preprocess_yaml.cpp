// preprocess.yaml of a data set of images.
#include "calibration/preprocess.h"

#include <cmath>

#include "../fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skua;
  const auto found = calibration::parse_preprocess(std::string(fuzz::text_of(data, size)));
  if (!found.ok()) {
    fuzz::require_refusal(found.error(), {Reason::kDataSetMalformed});
    return 0;
  }
  const auto is_size = [](const std::optional<calibration::ImageSize>& given) {
    return !given || (given->width >= 1 && given->width <= calibration::kMaxImageSide && given->height >= 1 &&
                      given->height <= calibration::kMaxImageSide);
  };
  fuzz::require(is_size(found->resize) && is_size(found->crop), "sides within their bounds");
  fuzz::require(
      !found->resize || !found->crop ||
          (found->crop->width <= found->resize->width && found->crop->height <= found->resize->height),
      "crop leaves a part of what resize gives");
  fuzz::require(std::isfinite(found->scale) && found->scale > 0, "a scale above 0");
  for (std::size_t c = 0; c < 3; ++c) {
    fuzz::require(std::isfinite(found->mean[c]), "a mean");
    fuzz::require(std::isfinite(found->std[c]) && found->std[c] > 0, "a std above 0");
  }
  return 0;
}
