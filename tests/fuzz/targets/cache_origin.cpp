// The origin beside a calibration cache: <cache>.json.
#include "calibration/cache_origin.h"

#include "../fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skua;
  const auto origin = calibration::decode_cache_origin(fuzz::text_of(data, size));
  if (!origin.ok()) {
    fuzz::require_refusal(origin.error(), {Reason::kMalformed});
    return 0;
  }
  fuzz::require(origin->calibration.sample_count > 0 && origin->library_version > 0, "numbers that count");
  fuzz::require(is_printable_utf8(origin->calibration.producer), "a producer that can be shown",
                origin->calibration.producer);
  fuzz::require_round_trip(*origin, calibration::decode_cache_origin, calibration::encode_cache_origin);
  return 0;
}
