// TensorRT's text of an INT8 calibration cache.
#include "calibration/cache_text.h"

#include "../fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skua;
  const std::string_view text = fuzz::text_of(data, size);
  const auto cache = calibration::parse_cache_text(text);
  if (!cache.ok()) {
    fuzz::require_refusal(cache.error(), {Reason::kMalformed, Reason::kTooLarge});
    return 0;
  }
  fuzz::require(!cache->scales.empty(), "at least one tensor");
  for (const calibration::TensorScale& scale : cache->scales) {
    fuzz::require(scale.scale >= calibration::kMinScale && scale.scale <= calibration::kMaxScale,
                  "a plausible scale", scale.tensor);
  }
  const auto again = calibration::print_cache_text(*cache);
  fuzz::require(again.ok() && *again == text, "print(parse(x)) is x");
  return 0;
}
