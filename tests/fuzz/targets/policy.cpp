// The policy file: it relaxes nothing that it does not name.
#include "../fuzz.h"
#include "bootstrap/policy_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skua;
  const std::string text(fuzz::text_of(data, size));
  const auto policy = parse_policy_file(text, "/data/policy.yaml");
  if (!policy.ok()) {
    fuzz::require(policy.error().code == ErrorCode::kInvalidArgument, "an InvalidArgumentError");
    fuzz::require_refusal(policy.error(), {Reason::kInvalidArgument, Reason::kMalformed});
    return 0;
  }
  // A word may also be written in escapes, inside double quotes.
  const auto names = [&](std::string_view word) {
    return text.find(word) != std::string::npos || text.find('\\') != std::string::npos;
  };
  fuzz::require(names("skua_policy"), "the version is named");
  fuzz::require(!policy->allow_unsigned || (names("allow_unsigned") && names("true")),
                "allow_unsigned is named");
  fuzz::require(policy->is_expiry_enforced || (names("expiry") && names("off")), "expiry: off is named");
  fuzz::require(policy->trusted_keys.size() <= 2, "at most two keys");
  for (const auto& key : policy->trusted_keys)
    fuzz::require(key.is_absolute(), "absolute paths", key.native());
  const std::size_t relaxed = (policy->allow_unsigned ? 1U : 0U) + (policy->is_expiry_enforced ? 0U : 1U);
  fuzz::require(relaxations_of(*policy).size() == relaxed, "each relaxation is told");
  return 0;
}
