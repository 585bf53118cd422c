// Which SDK library a runtime of this build expects, and where. Stateless.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "skua/runtime_config.h"

namespace skua {

/// An SDK library that is not part of Skua and is not shipped with it.
struct ExpectedSdk {
  std::string name;
  std::string version;  // what the runtime accepts
  std::string library;  // absolute path; empty where the runtime is not built
};

/// Of the runtime `label`, as the build and this configuration have it; none of a runtime that states no SDK.
std::optional<ExpectedSdk> expected_sdk(std::string_view label, const RuntimeConfig& config);

}  // namespace skua
