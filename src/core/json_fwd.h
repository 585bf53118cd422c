// The JSON type, declared but not defined: nlohmann's full header costs seconds in every file that includes
// it, so headers include this one and only the files that read or write JSON include core/json_strict.h.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace skua {

using Json = nlohmann::ordered_json;

}  // namespace skua
