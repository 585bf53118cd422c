// A recorder of the caller's: `enqueue(record)` of any Python object, called on the event thread alone.
#pragma once

#include <memory>

#include "nanobind/nanobind.h"
#include "skua/flight_recorder.h"

namespace skua::python {

/// Requires the GIL. None: null. InvalidArgumentError for an object without a callable `enqueue`. The
/// recorder keeps the object alive, takes the GIL for each record, and counts one as lost whose call raises.
std::shared_ptr<FlightRecorder> recorder_of(nanobind::handle recorder);

/// For the interpreter's exit, with the GIL: no call is begun any more, and those that were begun are waited
/// for, as threads of Python's own are. A signal's handler that raises ends the waiting.
void finish_recorders();

/// For a child of fork(): the calls that were begun stayed with the parent.
void forget_recorder_calls() noexcept;

}  // namespace skua::python
