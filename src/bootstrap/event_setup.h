// The event pipeline of a program, as its configuration wants it.
#pragma once

#include <memory>
#include <vector>

#include "events/event_pipeline.h"
#include "skua/flight_recorder.h"
#include "skua/runtime_config.h"

namespace skua {

/// Builds the log (`log_sink`, `log_level`) and the embedded flight recorder (`recorder_dir`, ...) of
/// `config`, and starts the pipeline over them and over `recorders`, which a caller adds (CallbackRecorder).
/// With `per_frame_debug_log` the log takes DEBUG records. Errors: those of FileRecorder::open, as
/// InvalidArgumentError naming `recorder_dir`, so that a program does not start without the recorder it was
/// told to have; a full disk is none. Served in the order embedded recorder, log, `recorders`.
/// OutOfMemoryError. Cost: one thread; with a recorder, a few disk writes.
Result<std::unique_ptr<EventPipeline>> start_events(
    const RuntimeConfig& config, std::vector<std::shared_ptr<FlightRecorder>> recorders = {});

}  // namespace skua
