#include "runtimes/onnxruntime/provider_proof.h"

#include <nlohmann/json.hpp>

#include <set>

#include "core/text.h"

namespace skua::ort {
namespace {

Error bad_profile(const std::string& found) {
  return make_error(ErrorCode::kEngineBuild, Reason::kNodesOnOtherProvider,
                    "node placement: expected ONNX Runtime's profile of a run, found " + found +
                        "; without it nothing proves which provider runs the network");
}

std::string text_of(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// "conv1_kernel_time" -> "conv1"
std::string node_name(const std::string& event) {
  constexpr std::string_view kSuffix = "_kernel_time";
  const bool has_suffix = event.size() > kSuffix.size() &&
                          event.compare(event.size() - kSuffix.size(), kSuffix.size(), kSuffix) == 0;
  return has_suffix ? event.substr(0, event.size() - kSuffix.size()) : event;
}

}  // namespace

Result<Placement> placement_of(std::string_view profile_json) {
  const auto events = nlohmann::json::parse(profile_json, nullptr, false);
  if (!events.is_array()) return bad_profile("something else");
  std::map<std::string, std::set<std::string>> found;
  for (const auto& event : events) {
    if (!event.is_object() || text_of(event, "cat") != "Node") continue;
    const auto args = event.find("args");
    const std::string provider = args != event.end() && args->is_object() ? text_of(*args, "provider") : "";
    if (!provider.empty()) found[provider].insert(node_name(text_of(event, "name")));
  }
  if (found.empty()) return bad_profile("one without any node");
  Placement placement;
  for (const auto& [provider, nodes] : found) placement[provider].assign(nodes.begin(), nodes.end());
  return placement;
}

Status check_placement(const Placement& placement, std::string_view provider) {
  constexpr std::size_t kMaxNamed = 10;
  std::vector<std::string> others;
  for (const auto& [found, nodes] : placement) {
    if (found == provider) continue;
    for (const std::string& node : nodes) others.push_back(quote(node) + " on " + found);
  }
  if (others.empty()) return {};
  const std::size_t count = others.size();
  if (count > kMaxNamed) others.resize(kMaxNamed);
  return make_error(ErrorCode::kEngineBuild, Reason::kNodesOnOtherProvider,
                    "expected every node on " + std::string(provider) + ", found " + std::to_string(count) +
                        " elsewhere: " + join(others) + "; change these operators or the execution_provider");
}

}  // namespace skua::ort
