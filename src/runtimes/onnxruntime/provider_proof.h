// Which provider ran which node: read from ONNX Runtime's profile of a run.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "skua/result.h"

namespace skua::ort {

/// Node names by provider, each node once.
using Placement = std::map<std::string, std::vector<std::string>>;

/// Reads a profile. EngineBuildError for a text that is no profile or that names no node at all.
Result<Placement> placement_of(std::string_view profile_json);

/// EngineBuildError (nodes_on_other_provider) naming the nodes unless all of them ran on `provider`.
Status check_placement(const Placement& placement, std::string_view provider);

}  // namespace skua::ort
