// The policy file: what an operator relaxes on the ground. docs/formats/policy.md lists every key. Airborne
// programs have none.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/filesystem.h"
#include "skua/engine_set.h"
#include "skua/result.h"

namespace skua {

struct PolicyFile {
  bool allow_unsigned = false;
  bool is_expiry_enforced = true;
  std::vector<std::filesystem::path> trusted_keys;  ///< the file's own folder is in them
};

/// One relaxation of a policy: what a start that uses it must tell.
struct Relaxation {
  std::string name;     ///< "allow_unsigned", "expiry_off"
  std::string meaning;  ///< for a reader
};
std::vector<Relaxation> relaxations_of(const PolicyFile& policy);

/// Strict and bounded (yaml_fields.h). InvalidArgumentError with file, line and column.
Result<PolicyFile> parse_policy_file(const std::string& text, const std::filesystem::path& file);
/// The same from a file that read_owned accepts, of at most 64 KiB.
Result<PolicyFile> read_policy_file(FileSystem& files, const std::filesystem::path& file);

/// Reads public keys and adds them to what `policy` trusts, each once. InvalidArgumentError:
/// read_public_key's, and more than two keys.
Status trust_keys(FileSystem& files, const std::vector<std::filesystem::path>& keys, GatePolicy& policy);

}  // namespace skua
