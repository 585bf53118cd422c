// Strict reading of YAML mappings: every field typed, unknown and repeated keys refused, every complaint with
// file, line and column. yaml-cpp's exceptions end in this file.
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "skua/result.h"

namespace skua {

inline constexpr std::size_t kYamlLimitBytes = 1U << 20U;

/// The one document of a YAML file of at most kYamlLimitBytes. InvalidArgumentError: not_found,
/// not_regular_file, permission_denied, too_large, malformed (with line and column; see yaml_guard.h for what
/// else a file may not be). Never blocks, a FIFO included. Bounded: the worst file allowed takes about a
/// second and 256 MB.
Result<YAML::Node> load_yaml(const std::filesystem::path& file);
/// The same from text; `file` is for messages.
Result<YAML::Node> parse_yaml(const std::string& text, const std::string& file);

/// InvalidArgumentError "<file>:<line>:<column>: <message>".
Error yaml_error(const std::string& file, const YAML::Node& node, const std::string& message,
                 Reason reason = Reason::kInvalidArgument);

/// "<file>:<line>" of a node: where a value came from.
std::string yaml_line(const std::string& file, const YAML::Node& node);
/// "<file>:<line>:<column>: "; without a position "<file>: ".
std::string yaml_position(const std::string& file, const YAML::Mark& mark);

/// Reads one mapping and remembers the first error, so that a decoder is a straight list. Getters answer
/// "absent" after an error; `finish()` gives that error, or complains of a key that nobody asked for.
class YamlFields {
 public:
  /// `where` names the mapping in messages, e.g. "networks[1]".
  YamlFields(const YAML::Node& map, std::string file, std::string where);

  std::optional<std::string> text(std::string_view key);
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t min, std::int64_t max);
  std::optional<double> number(std::string_view key);
  std::optional<bool> boolean(std::string_view key);
  std::optional<std::vector<std::string>> texts(std::string_view key);
  /// Any node; nullopt when absent.
  std::optional<YAML::Node> node(std::string_view key);
  /// Elements of a sequence; empty when absent.
  std::vector<YAML::Node> sequence(std::string_view key);
  /// Keys and values of a mapping, in their order; empty when absent. Keys are not repeated.
  std::vector<std::pair<std::string, YAML::Node>> mapping(std::string_view key);
  /// All keys of this mapping that nobody has asked for yet, marked as asked for.
  std::vector<std::pair<std::string, YAML::Node>> remaining();

  /// Records that `key` is missing unless it is there.
  void require(std::string_view key);
  void fail(const YAML::Node& node, const std::string& message, Reason reason = Reason::kInvalidArgument);
  void fail(const Error& error);
  bool ok() const noexcept { return !error_.has_value(); }
  Status finish();

 private:
  struct Entry {
    std::string key;
    YAML::Node key_node, value;
    bool is_asked = false;
  };
  Entry* find(std::string_view key);
  void add_entry(const YAML::Node& key, const YAML::Node& value);
  std::string prefix() const;
  std::string name_of(std::string_view key) const;

  YAML::Node map_;
  std::string file_, where_;
  std::vector<Entry> entries_;
  std::optional<Error> error_;
};

/// A scalar's text; the error names the file, the position and `what`.
Result<std::string> yaml_text(const YAML::Node& node, const std::string& file, const std::string& what);

}  // namespace skua
