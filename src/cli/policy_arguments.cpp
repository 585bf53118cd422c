#include "cli/policy_arguments.h"

#include "bootstrap/policy_file.h"
#include "cli/arguments.h"

namespace skua {
namespace {

Status apply_file(const std::string& file, GatePolicy& policy, EventSink& events) {
  SKUA_ASSIGN_OR_RETURN(const PolicyFile given, read_policy_file(posix_file_system(), file));
  for (const Relaxation& relaxation : relaxations_of(given)) {
    events.emit({Level::kWarn,
                 "c7.policy_relaxed",
                 "policy " + file + ": " + relaxation.meaning + "; for development only",
                 {{"policy", file}, {"relaxation", relaxation.name}}});
  }
  policy.allow_unsigned = given.allow_unsigned;
  policy.expiry = given.is_expiry_enforced ? ExpiryRule::kRefuse : ExpiryRule::kNotJudged;
  return trust_keys(posix_file_system(), given.trusted_keys, policy);
}

}  // namespace

void add_policy_options(CLI::App& command, PolicyArguments& arguments) {
  command
      .add_option("--trust", arguments.trust,
                  "public key (.pub) that the set may be signed with; may be given twice, while keys change")
      ->allow_extra_args(false);
  command.add_option("--policy", arguments.file,
                     "policy file: what is relaxed for development, and trusted keys");
}

Result<GatePolicy> gate_policy(const PolicyArguments& arguments, const std::vector<std::string>& settings,
                               EventSink& events) {
  RuntimeConfig config;
  SKUA_RETURN_IF_ERROR(apply_settings(config, settings));
  GatePolicy policy;
  policy.flight_set_limit_bytes = config.flight_set_limit_bytes;
  if (arguments.file) SKUA_RETURN_IF_ERROR(apply_file(*arguments.file, policy, events));
  const std::vector<std::filesystem::path> keys(arguments.trust.begin(), arguments.trust.end());
  SKUA_RETURN_IF_ERROR(trust_keys(posix_file_system(), keys, policy));
  return policy;
}

}  // namespace skua
