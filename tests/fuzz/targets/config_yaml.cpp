// The configuration file, and the environment over it. Input: the file, then (after a byte 0x1e) variables,
// one a line.
#include "bootstrap/config_yaml.h"
#include "../fuzz.h"
#include "bootstrap/config_layers.h"

namespace {

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skua;
  const std::string_view input = fuzz::text_of(data, size);
  const std::size_t split = std::min(input.find('\x1e'), input.size());
  auto file = parse_config_yaml(std::string(input.substr(0, split)), "config.yaml");
  auto config = file.ok() ? with_environment(*std::move(file), lines_of(input.substr(split)))
                          : Result<ConfigFile>(std::move(file).error());
  if (!config.ok()) {
    fuzz::require(config.error().code == ErrorCode::kInvalidArgument, "an InvalidArgumentError");
    fuzz::require_refusal(config.error(), {config.error().reason});
    return 0;
  }
  fuzz::require(config->config.validate().ok(), "what is accepted is valid");
  RuntimeConfig again;
  for (const auto& [key, value] : fields_of(config->config)) {
    const Status set = set_field(again, key, value);
    fuzz::require(set.ok(), "every field's text sets it", set.ok() ? "" : set.error().describe());
  }
  fuzz::require(fields_of(again) == fields_of(config->config), "the fields' texts give the same fields");
  return 0;
}
