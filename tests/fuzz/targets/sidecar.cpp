// The sidecar of an engine: 64 digits and nothing else.
#include "../fuzz.h"
#include "cache/sidecar_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skua;
  const std::string_view text = fuzz::text_of(data, size);
  const auto digest = parse_sidecar(text, "engine.sha256");
  if (digest.ok()) {
    fuzz::require(digest->hex() == text, "the digest's digits are the text");
    return 0;
  }
  fuzz::require_refusal(digest.error(), {Reason::kSidecarMalformed});
  const bool is_hex = text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  fuzz::require(text.size() != kSidecarBytes || !is_hex, "64 lower-case digits are accepted");
  return 0;
}
