// Golden vectors: tensors from a file, in memory that the file's words size.
#include "cache/golden.h"

#include "../fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skua;
  const auto bytes = fuzz::bytes_of(fuzz::text_of(data, size));
  const auto golden = decode_golden(bytes);
  if (!golden.ok()) {
    fuzz::require(golden.error().code == ErrorCode::kEngineDeserialize, "an EngineDeserializeError");
    fuzz::require_refusal(golden.error(), {Reason::kGoldenMalformed});
    return 0;
  }
  const auto encoded = encode_golden(golden->inputs, golden->outputs);
  fuzz::require(encoded.ok(), "what was decoded can be encoded");
  fuzz::require(std::equal(encoded->begin(), encoded->end(), bytes.begin(), bytes.end()),
                "encode(decode(x)) is x");
  return 0;
}
