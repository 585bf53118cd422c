#include "cli/thermal_poll.h"

#include <chrono>
#include <thread>

namespace skua {

Result<ThermalPollerOptions> thermal_options(const RuntimeConfig& config, const std::filesystem::path& root) {
  SKUA_RETURN_IF_ERROR(config.validate());
  ThermalPollerOptions options;
  options.source.source = config.thermal_source;
  options.source.root = std::filesystem::absolute(root);
  options.source.replay = config.thermal_replay;
  options.poll_hz = config.thermal_poll_hz;
  options.cpu = config.thermal_cpu;
  options.nice = config.thermal_nice;
  return options;
}

bool is_cancelled(const Session& session) {
  return session.cancel_requested != nullptr && session.cancel_requested->load();
}

Status wait_for_reading(const ThermalPoller& poller, const Session& session) {
  constexpr std::chrono::milliseconds kStep{20};
  constexpr int kSteps = 100;
  for (int i = 0; i < kSteps && !is_cancelled(session); ++i) {
    if (poller.report().has_reading) return {};
    if (const auto error = poller.open_error()) return *error;
    std::this_thread::sleep_for(kStep);
  }
  return make_error(
      ErrorCode::kTelemetryUnavailable, Reason::kTelemetryUnavailable,
      "the thermal source gave no reading within two seconds; expected one: a driver or NVIDIA's library "
      "hangs, look into the kernel's log, or name another source with thermal_source");
}

}  // namespace skua
