// The scalar fields of RuntimeConfig as one table: reading, printing, checking and the JSON form all walk it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "skua/runtime_config.h"

namespace skua {

using ConfigMember = std::variant<std::string RuntimeConfig::*, std::filesystem::path RuntimeConfig::*,
                                  double RuntimeConfig::*, bool RuntimeConfig::*,
                                  std::uint64_t RuntimeConfig::*, int RuntimeConfig::*>;

struct ConfigField {
  std::string_view name;  ///< as in the configuration file
  ConfigMember member;
  bool (*is_allowed)(const RuntimeConfig&);
  std::string_view expected;  ///< completes "expected ..."
};

/// In the order of RuntimeConfig.
std::span<const ConfigField> config_fields() noexcept;
/// InvalidArgumentError naming field, found and expected.
Status check_field(const RuntimeConfig& config, const ConfigField& field);

}  // namespace skua
