#include "bootstrap/policy_file.h"

#include <algorithm>

#include "bootstrap/key_files.h"
#include "bootstrap/owned_file.h"
#include "cache/set_signature.h"
#include "core/text.h"
#include "yaml/yaml_fields.h"

namespace skua {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPolicyMaxBytes = 65536;

void read_expiry(YamlFields& fields, PolicyFile& policy) {
  const auto expiry = fields.text("expiry");
  if (!expiry) return;
  policy.is_expiry_enforced = *expiry == "enforced";
  if (*expiry == "enforced" || *expiry == "off") return;
  fields.fail(*fields.node("expiry"), "expiry: expected enforced or off, found " + quote(*expiry));
}

void read_keys(YamlFields& fields, const fs::path& file, PolicyFile& policy) {
  for (const std::string& key : fields.texts("trusted_keys").value_or(std::vector<std::string>())) {
    if (key.empty()) {
      return fields.fail(*fields.node("trusted_keys"),
                         "trusted_keys: expected paths of public keys, found an empty one");
    }
    policy.trusted_keys.push_back(file.parent_path() / key);
  }
  if (policy.trusted_keys.size() <= kMostTrustedKeys) return;
  fields.fail(*fields.node("trusted_keys"),
              "trusted_keys: expected at most " + std::to_string(kMostTrustedKeys) +
                  ", the current key and the next, found " + std::to_string(policy.trusted_keys.size()));
}

}  // namespace

std::vector<Relaxation> relaxations_of(const PolicyFile& policy) {
  std::vector<Relaxation> relaxations;
  if (policy.allow_unsigned) relaxations.push_back({"allow_unsigned", "sets without signature are accepted"});
  if (!policy.is_expiry_enforced) relaxations.push_back({"expiry_off", "expired sets are accepted"});
  return relaxations;
}

Result<PolicyFile> parse_policy_file(const std::string& text, const fs::path& file) {
  SKUA_ASSIGN_OR_RETURN(const YAML::Node root, parse_yaml(text, file.string()));
  PolicyFile policy;
  YamlFields fields(root, file.string(), "");
  fields.require("skua_policy");
  static_cast<void>(fields.integer("skua_policy", 1, 1));
  policy.allow_unsigned = fields.boolean("allow_unsigned").value_or(false);
  read_expiry(fields, policy);
  read_keys(fields, file, policy);
  SKUA_RETURN_IF_ERROR(fields.finish());
  return policy;
}

Result<PolicyFile> read_policy_file(FileSystem& files, const fs::path& file) {
  SKUA_ASSIGN_OR_RETURN(const OwnedText owned, read_owned(files, file, "policy", kPolicyMaxBytes));
  return parse_policy_file(owned.text, file);
}

Status trust_keys(FileSystem& files, const std::vector<fs::path>& keys, GatePolicy& policy) {
  for (const fs::path& file : keys) {
    SKUA_ASSIGN_OR_RETURN(PublicKey key, read_public_key(files, file));
    auto& trusted = policy.trusted_keys;
    if (std::find(trusted.begin(), trusted.end(), key) != trusted.end()) continue;
    if (trusted.size() == kMostTrustedKeys) {
      return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                        "key " + file.string() + ": expected at most " + std::to_string(kMostTrustedKeys) +
                            " trusted keys, the current one and the next, found more; leave one out");
    }
    trusted.push_back(std::move(key));
  }
  return {};
}

}  // namespace skua
