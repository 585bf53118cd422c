// The effective configuration: the environment over the file over the defaults, validated as a whole, once.
// What these functions return is not changed any more: programs hand it on as const, and a runtime keeps a
// copy of its own (RuntimeEnvironment::config), so that nothing that changes later reaches a flight.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "bootstrap/config_yaml.h"

namespace skua {

/// What a variable's name begins with; the field in upper case follows: SKUA_C7_LOG_SINK.
inline constexpr std::string_view kVariablePrefix = "SKUA_C7_";

/// "NAME=value" for every variable of the process whose name begins with the prefix. Call it before threads
/// that change the environment. What reads a configuration is given it and asks the process nothing.
std::vector<std::string> process_environment();

/// `file` under `environment` ("NAME=value"; other names are left alone), then validated. `lanes` is a comma
/// list of `consumer` or `consumer:engine`; empty: none. InvalidArgumentError naming the variable: unknown
/// (with the known ones), given twice, a value its field does not allow; or naming the fields that contradict
/// each other and where each came from.
Result<ConfigFile> with_environment(ConfigFile file, std::span<const std::string> environment);

/// read_config_yaml, where `file` is not empty, and with_environment.
Result<ConfigFile> read_config(const std::filesystem::path& file, std::span<const std::string> environment);

}  // namespace skua
