// Orders that reach a process while it runs: how a parent makes its child's SIL fail in the middle of a
// flight (tests/sil/README.md).
#pragma once

#include "sil/control/faults.h"

namespace sil {

/// Opens the FIFO that SKUA_SIL_ORDERS names and, on a thread of its own that lasts as long as the process,
/// carries out every line that comes, in the grammar of SKUA_SIL_FAULTS. Without the variable it does
/// nothing. A place that is no FIFO, or a wrong order, ends the process with a message: a fault that never
/// happened would pass for a survived one.
void follow_pipe(Faults& orders);

}  // namespace sil
