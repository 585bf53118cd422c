// SET.yaml.
#include "bootstrap/set_yaml.h"

#include <set>

#include "../fuzz.h"
#include "cache/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skua;
  const auto spec = parse_set_yaml(std::string(fuzz::text_of(data, size)), "/data/SET.yaml");
  if (!spec.ok()) {
    fuzz::require(spec.error().code == ErrorCode::kInvalidArgument, "an InvalidArgumentError");
    fuzz::require_refusal(spec.error(), {spec.error().reason});
    return 0;
  }
  fuzz::require(!spec->set_id || is_legal_set_id(*spec->set_id), "the set id is legal");
  fuzz::require(!spec->networks.empty() && spec->networks.size() <= 256, "1 to 256 networks");
  std::set<std::string> names;
  for (const NetworkSpec& network : spec->networks) {
    fuzz::require(is_legal_model_name(network.name), "a legal name", network.name);
    fuzz::require(names.insert(network.name).second, "no name twice", network.name);
    fuzz::require(!network.sources.empty(), "at least one source", network.name);
    for (const auto& [key, source] : network.sources)
      fuzz::require(source.is_absolute(), "paths count from SET.yaml's folder", key);
  }
  return 0;
}
