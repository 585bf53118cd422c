#include "bootstrap/owned_yaml.h"

#include "bootstrap/owned_file.h"

namespace skua {

Result<YAML::Node> load_owned_yaml(const std::filesystem::path& file) {
  SKUA_ASSIGN_OR_RETURN(const OwnedText owned,
                        read_owned(posix_file_system(), file, "configuration", kYamlLimitBytes));
  return parse_yaml(owned.text, file.string());
}

}  // namespace skua
