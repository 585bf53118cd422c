// What is asked of a flight set by a ground command: --trust, --policy, and the limit from --set.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "skua/engine_set.h"
#include "skua/ports.h"

namespace skua {

struct PolicyArguments {
  std::vector<std::string> trust;
  std::optional<std::string> file;
};

void add_policy_options(CLI::App& command, PolicyArguments& arguments);

/// The policy of the command line: the defaults of GatePolicy (nothing is trusted, nothing allowed, expiry
/// enforced), then the policy file, then --trust. Tells `events` every relaxation, at WARN.
/// InvalidArgumentError: read_policy_file's, trust_keys's, and those of `settings`.
Result<GatePolicy> gate_policy(const PolicyArguments& arguments, const std::vector<std::string>& settings,
                               EventSink& events);

}  // namespace skua
