#include "bootstrap/set_yaml.h"

#include <algorithm>

#include "bootstrap/set_yaml_network.h"
#include "cache/manifest.h"
#include "cache/utc_text.h"
#include "core/known_runtimes.h"
#include "core/text.h"
#include "yaml/yaml_fields.h"

namespace skua {
namespace {

constexpr std::size_t kMaxNetworks = 256;
/// An option of every runtime: of the session that runs an engine, not of the engine.
constexpr std::string_view kThreads = "intra_op_threads";

/// Checks options by setting them, so that SET.yaml is refused at the line that is wrong.
void add_option(YamlFields& fields, const std::string& file, const std::string& key, const YAML::Node& node,
                SetSpec& spec) {
  const auto keys = set_option_keys();
  if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
    return fields.fail(node,
                       "options." + quote(key) + " is not a runtime option; expected one of: " + join(keys));
  }
  const auto same_key = [&](const auto& option) { return option.first == key; };
  if (std::any_of(spec.options.begin(), spec.options.end(), same_key)) {
    return fields.fail(node, quote(key) + " is given twice");
  }
  auto value = yaml_text(node, file, key);
  if (!value.ok()) return fields.fail(value.error());
  RuntimeConfig scratch;
  const Status status = set_field(scratch, key, *value);
  if (!status.ok()) return fields.fail(node, status.error().message, status.error().reason);
  spec.options.emplace_back(key, *value);
}

void read_options(YamlFields& fields, const std::string& file, SetSpec& spec) {
  if (const auto provider = fields.node("execution_provider")) {
    add_option(fields, file, "execution_provider", *provider, spec);
  }
  for (const auto& [key, node] : fields.mapping("options")) add_option(fields, file, key, node, spec);
}

void read_identity(YamlFields& fields, SetSpec& spec) {
  spec.runtime = fields.text("runtime").value_or(RuntimeConfig().runtime);
  spec.set_id = fields.text("set_id");
  if (spec.set_id && !is_legal_set_id(*spec.set_id)) {
    fields.fail(*fields.node("set_id"),
                "set_id: " + quote(*spec.set_id) +
                    " is not allowed (a-z 0-9 . _ -; 1 to 100 characters; no dot in front)");
  }
  const auto sequence = fields.integer("release_sequence", 1, std::int64_t{1} << 53);
  if (sequence) spec.release_sequence = static_cast<std::uint64_t>(*sequence);
  spec.not_after = fields.text("not_after");
  if (spec.not_after && !is_utc_text(*spec.not_after)) {
    fields.fail(*fields.node("not_after"),
                "not_after: expected a moment in UTC like 2030-01-31T12:00:00Z, "
                "found " +
                    quote(*spec.not_after));
  }
}

void read_networks(YamlFields& fields, const std::filesystem::path& file, SetSpec& spec) {
  fields.require("networks");
  const auto nodes = fields.sequence("networks");
  if (fields.ok() && (nodes.empty() || nodes.size() > kMaxNetworks)) {
    fields.fail(*fields.node("networks"), "networks: expected 1 to " + std::to_string(kMaxNetworks) +
                                              " entries, found " + std::to_string(nodes.size()));
  }
  for (const YAML::Node& node : nodes) {
    auto network = network_from_yaml(node, file, spec.networks.size(), spec.accuracy);
    if (!network.ok()) return fields.fail(network.error());
    for (const NetworkSpec& other : spec.networks) {
      if (other.name == network->name)
        return fields.fail(node, "networks: the name '" + other.name + "' is given twice");
    }
    spec.networks.push_back(*std::move(network));
  }
}

Result<SetSpec> set_of(const YAML::Node& root, const std::filesystem::path& file) {
  SetSpec spec;
  spec.file = file;
  YamlFields fields(root, file.string(), "");
  read_accuracy(fields, file, "", spec.accuracy);
  read_identity(fields, spec);
  read_options(fields, file.string(), spec);
  read_networks(fields, file, spec);
  SKUA_RETURN_IF_ERROR(fields.finish());
  return spec;
}

}  // namespace

std::vector<std::string_view> set_option_keys() {
  std::vector<std::string_view> keys;
  for (const KnownRuntime& runtime : known_runtimes()) {
    for (const std::string_view key : engine_options_of(runtime.label)) {
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
    }
  }
  keys.push_back(kThreads);
  return keys;
}

std::vector<std::string_view> set_option_keys_of(std::string_view runtime_label) {
  std::vector<std::string_view> keys = engine_options_of(runtime_label);
  keys.push_back(kThreads);
  return keys;
}

Result<SetSpec> parse_set_yaml(const std::string& text, const std::filesystem::path& file) {
  SKUA_ASSIGN_OR_RETURN(const YAML::Node root, parse_yaml(text, file.string()));
  return set_of(root, file);
}

Result<SetSpec> read_set_yaml(const std::filesystem::path& file) {
  SKUA_ASSIGN_OR_RETURN(const YAML::Node root, load_yaml(file));
  return set_of(root, file);
}

Result<std::filesystem::path> source_file(const NetworkSpec& network, std::string_view runtime_label) {
  const KnownRuntime* runtime = find_known_runtime(runtime_label);
  const std::string key(runtime == nullptr ? std::string_view() : runtime->model_key);
  const auto file = network.sources.find(key);
  if (file != network.sources.end()) return file->second;
  return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                    "network '" + network.name + "': the runtime " + std::string(runtime_label) +
                        " compiles from '" + key + ":', which SET.yaml does not give; add it");
}

}  // namespace skua
