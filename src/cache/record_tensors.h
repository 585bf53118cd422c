// What the tensors and profiles of a record owe each other.
#pragma once

#include <string>

#include "cache/engine_record.h"

namespace skua {

/// Memory is allocated by max_shape and filled by what the engine then says: a max_shape that does not cover
/// shape would be a write past the end. So for every tensor: max_shape static, of shape's rank, equal to it
/// where shape is static, and with a size that can be addressed. Names are unique per side, at most 64 a
/// side. Profiles hold what BuildConfig and check_profiles demand of them; a dynamic input's profile ends at
/// its max_shape. `path` is for the message. Error: kMalformed.
Status check_tensors(const EngineRecord& record, const std::string& path);

}  // namespace skua
