// The strict JSON reader, beside the library's own: what it accepts means the same there, and what it refuses
// is no JSON, or has a key twice, a NUL byte, a byte order mark or too much depth.
#include "../fuzz.h"
#include "core/json_strict.h"

namespace {

bool is_refused_by_our_rules(const skua::Error& error) {
  for (const char* part : {"stands twice", "NUL byte", "deeper than", "byte order mark"})
    if (error.message.find(part) != std::string::npos) return true;
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skua;
  const std::string_view text = fuzz::text_of(data, size);
  const auto ours = parse_json(text, {.max_bytes = 65536, .max_depth = 8});
  if (!ours.ok() && is_refused_by_our_rules(ours.error())) return 0;
  const Json theirs = Json::parse(text, nullptr, false);
  if (!ours.ok()) {
    fuzz::require_refusal(ours.error(), {Reason::kMalformed});
    fuzz::require(theirs.is_discarded(), "what is refused is no JSON");
    return 0;
  }
  fuzz::require(*ours == theirs && ours->type() == theirs.type(), "the value is the library's");
  const auto again = parse_json(ours->dump());
  fuzz::require(again.ok() && again->dump() == ours->dump(), "what was written is read back");
  return 0;
}
