// The grammar of SKUA_SIL_FAULTS: how a parent process gives orders to the SIL of its child
// (tests/sil/README.md).
#pragma once

#include <string>

#include "sil/control/faults.h"

namespace sil {

/// Carries out `text`. Returns what is wrong with it, empty if nothing; then all orders before the wrong one
/// stand.
std::string follow_orders(const std::string& text, Faults& orders);

/// The same with SKUA_SIL_FAULTS. A wrong order ends the process with a message: a test whose fault never
/// happened would be green.
void follow_environment(Faults& orders);

}  // namespace sil
