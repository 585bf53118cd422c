#include "bootstrap/recorded_config.h"

#include <algorithm>

#include "bootstrap/set_yaml.h"

namespace skua {

Result<RuntimeConfig> recorded_config(const std::string& label,
                                      const std::map<std::string, std::string>& options) {
  RuntimeConfig config;
  const auto keys = set_option_keys_of(label);
  for (const auto& [key, value] : options) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) continue;
    SKUA_RETURN_IF_ERROR(set_field(config, key, value));
  }
  config.runtime = label;
  return config;
}

}  // namespace skua
