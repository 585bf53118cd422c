// Base64: one text stands for given bytes.
#include "cache/base64.h"

#include "../fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skua;
  const std::string_view text = fuzz::text_of(data, size);
  const auto bytes = from_base64(text);
  if (bytes) fuzz::require(to_base64(*bytes) == text, "to_base64(from_base64(x)) is x");
  const auto again = from_base64(to_base64(fuzz::bytes_of(text)));
  fuzz::require(again && std::equal(again->begin(), again->end(), fuzz::bytes_of(text).begin(),
                                    fuzz::bytes_of(text).end()),
                "from_base64(to_base64(x)) is x");
  return 0;
}
