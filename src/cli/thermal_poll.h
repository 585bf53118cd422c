// How the commands that show sensors get at a reading: as on the aircraft, by a poller, so that a hung driver
// hangs nobody.
#pragma once

#include <filesystem>

#include "cli/commands.h"
#include "skua/runtime_config.h"
#include "telemetry/poller.h"

namespace skua {

/// The poller that `config` asks for, with sysfs under `root`. InvalidArgumentError of
/// RuntimeConfig::validate.
Result<ThermalPollerOptions> thermal_options(const RuntimeConfig& config, const std::filesystem::path& root);

/// Waits up to two seconds for the first reading, and for what `session` may cancel.
/// TelemetryUnavailableError: the source's own reason when it could not be opened, else that it does not
/// answer.
Status wait_for_reading(const ThermalPoller& poller, const Session& session);

/// Whether Ctrl-C was pressed.
bool is_cancelled(const Session& session);

}  // namespace skua
