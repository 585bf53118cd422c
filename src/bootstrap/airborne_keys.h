// The public keys that an aircraft trusts: read from where its configuration says.
#pragma once

#include <vector>

#include "core/filesystem.h"
#include "skua/public_key.h"
#include "skua/runtime_config.h"

namespace skua {

/// The keys of `trusted_key` and `next_trusted_key`, one or two and never the same one twice: a set flies
/// when one of them signed it. InvalidArgumentError naming the field: no_trusted_key when both are left out,
/// what read_public_key gives for a file, invalid_argument when both files hold the same key.
Result<std::vector<PublicKey>> airborne_keys(FileSystem& files, const RuntimeConfig& config);

}  // namespace skua
