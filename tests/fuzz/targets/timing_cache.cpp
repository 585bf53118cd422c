// The timing cache beside an engine.
#include "runtimes/tensorrt/compile_timing_cache.h"

#include "../fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skua;
  const auto file = fuzz::bytes_of(fuzz::text_of(data, size));
  const std::string key = "fuzz";
  const auto blob = tensorrt::decode_timing_cache(file, key);
  if (!blob.ok()) {
    fuzz::require_refusal(blob.error(), {Reason::kMalformed, Reason::kHostFactMismatch});
    const auto encoded = tensorrt::encode_timing_cache(file, key);
    const auto decoded = tensorrt::decode_timing_cache(encoded, key);
    fuzz::require(decoded.ok() && std::equal(decoded->begin(), decoded->end(), file.begin(), file.end()),
                  "decode(encode(x)) is x");
    return 0;
  }
  const auto again = tensorrt::encode_timing_cache(*blob, key);
  fuzz::require(std::equal(again.begin(), again.end(), file.begin(), file.end()), "encode(decode(x)) is x");
  return 0;
}
