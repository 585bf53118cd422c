// SET.yaml: what a flight set is made of. docs/reference/cli.md lists every key.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "skua/build_config.h"
#include "skua/runtime_config.h"

namespace skua {

/// One network of the set. Paths are absolute, or relative to the working folder: SET.yaml's own folder is in
/// them.
struct NetworkSpec {
  std::string name;  ///< logical name; also build.model_name
  /// Model files by their keys ("onnx", "pt": KnownRuntime::model_key); at least one.
  std::map<std::string, std::filesystem::path> sources;
  BuildConfig build;
  std::uint64_t criticality = 0;  ///< 0 is loaded first; default: the position in the list
};

struct SetSpec {
  std::filesystem::path file;
  std::string runtime;
  std::vector<std::pair<std::string, std::string>> options;  ///< runtime options as fields of RuntimeConfig
  std::optional<std::string> set_id;
  std::optional<std::uint64_t> release_sequence;
  std::optional<std::string> not_after;  ///< the last good second, ISO 8601 UTC; nothing: does not expire
  std::vector<NetworkSpec> networks;
  AccuracyLimits accuracy;  ///< of int8 and mixed networks that have no bounds of their own
};

/// Fields of RuntimeConfig that SET.yaml may set: those that belong to a runtime, not to the machine. One
/// SET.yaml may serve several runtimes, so all of them are allowed in it.
std::vector<std::string_view> set_option_keys();
/// Those that mean something to one runtime; a set made for it records them.
std::vector<std::string_view> set_option_keys_of(std::string_view runtime_label);

/// InvalidArgumentError with file, line and column for everything that is not understood or cannot be
/// honoured.
Result<SetSpec> read_set_yaml(const std::filesystem::path& file);
/// The same from text; relative paths count from the folder of `file`.
Result<SetSpec> parse_set_yaml(const std::string& text, const std::filesystem::path& file);

/// The source file of `network` that `runtime_label` compiles. InvalidArgumentError when SET.yaml does not
/// give it.
Result<std::filesystem::path> source_file(const NetworkSpec& network, std::string_view runtime_label);

}  // namespace skua
