// The functions that ask for an order. One for any other would never be carried out, and its test would be
// green.
#pragma once

#include <string_view>

namespace sil {

bool is_known_function(std::string_view name);

}  // namespace sil
