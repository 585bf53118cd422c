#include "bootstrap/airborne_keys.h"

#include <array>
#include <string>
#include <utility>

#include "bootstrap/key_files.h"

namespace skua {
namespace {

Error key_error(std::string_view field, Reason reason, const std::string& text, int native_code = 0) {
  return make_error(ErrorCode::kInvalidArgument, reason,
                    "components.c7_inference." + std::string(field) + ": " + text, native_code);
}

Error no_key() {
  return key_error(
      "trusted_key", Reason::kNoTrustedKey,
      "expected the public key that flight sets are signed with, found neither it nor "
      "next_trusted_key; make a key pair on the ground (skua keygen), sign the set with it (skua "
      "sign), copy the public half to the aircraft and name that file here");
}

Error same_key(const RuntimeConfig& config) {
  return key_error("next_trusted_key", Reason::kInvalidArgument,
                   "expected another key than that of trusted_key, found the same one in " +
                       config.next_trusted_key.string() + " as in " + config.trusted_key.string() +
                       "; name the key that comes next, or leave next_trusted_key out");
}

}  // namespace

Result<std::vector<PublicKey>> airborne_keys(FileSystem& files, const RuntimeConfig& config) {
  const std::array fields = {std::pair("trusted_key", &config.trusted_key),
                             std::pair("next_trusted_key", &config.next_trusted_key)};
  std::vector<PublicKey> keys;
  for (const auto& [field, file] : fields) {
    if (file->empty()) continue;
    auto key = read_public_key(files, *file);
    if (!key.ok()) return key_error(field, key.error().reason, key.error().message, key.error().native_code);
    keys.push_back(*std::move(key));
  }
  if (keys.empty()) return no_key();
  if (keys.front() == keys.back() && keys.size() > 1) return same_key(config);
  return keys;
}

}  // namespace skua
