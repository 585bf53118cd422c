#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
#include <thread>

#include "bootstrap/config_layers.h"
#include "cli/commands.h"
#include "cli/thermal_poll.h"
#include "cli/thermal_view.h"
#include "telemetry/reading_json.h"

namespace skua {
namespace {

struct ThermalArguments {
  std::string config, source, root = "/", replay;
  std::optional<double> hz;
  std::int64_t count = 0;  ///< 0: until Ctrl-C
  bool is_watching = false;
};

/// The configuration's fields, under what the command line says.
Result<RuntimeConfig> effective_config(const ThermalArguments& arguments) {
  SKUA_ASSIGN_OR_RETURN(ConfigFile file, read_config(arguments.config, process_environment()));
  RuntimeConfig& config = file.config;
  if (!arguments.source.empty()) config.thermal_source = arguments.source;
  if (!arguments.replay.empty()) {
    config.thermal_source = "replay";
    config.thermal_replay = std::filesystem::absolute(arguments.replay);
  }
  if (arguments.hz) config.thermal_poll_hz = *arguments.hz;
  return std::move(config);
}

/// There is a reading, and so a source.
void show(const ThermalPoller& poller, const ThermalReport& report, Console& console) {
  const ThermalSource& source = *poller.source();
  if (console.is_json()) {
    console.stream(encode_reading(source, report.reading, report.measured_at_ns));
  } else {
    console.redraw(thermal_lines(report, source, system_clock().monotonic_ns(), console.is_coloured()));
  }
}

/// Waits for a reading after the one of `shown_ns`; at most a period and a half, so that a driver that hangs
/// is seen.
ThermalReport next_report(const ThermalPoller& poller, std::int64_t shown_ns, double hz,
                          const Session& session) {
  constexpr std::chrono::milliseconds kStep{10};
  constexpr double kLongestWaitNs = 3.6e12;
  const std::int64_t limit =
      system_clock().monotonic_ns() + std::llround(std::min(1.5e9 / hz, kLongestWaitNs));
  while (!is_cancelled(session) && system_clock().monotonic_ns() < limit) {
    const ThermalReport report = poller.report();
    if (report.measured_at_ns != shown_ns) return report;
    std::this_thread::sleep_for(kStep);
  }
  return poller.report();
}

/// One block or line a reading.
Status watch(const ThermalPoller& poller, double hz, std::int64_t count, const Session& session) {
  std::int64_t shown_ns = 0;
  for (std::int64_t shown = 0; count == 0 || shown < count; ++shown) {
    const ThermalReport report = next_report(poller, shown_ns, hz, session);
    if (is_cancelled(session)) break;
    show(poller, report, session.console);
    shown_ns = report.measured_at_ns;
  }
  return {};
}

Status thermal(const ThermalArguments& arguments, Session& session) {
  Console& console = session.console;
  SKUA_ASSIGN_OR_RETURN(const RuntimeConfig config, effective_config(arguments));
  SKUA_ASSIGN_OR_RETURN(const ThermalPollerOptions options, thermal_options(config, arguments.root));
  // What is shown says it all; --log and --recorder want it told.
  EventSink& events = console.is_listening() ? static_cast<EventSink&>(console) : null_event_sink();
  SKUA_ASSIGN_OR_RETURN(const auto poller, ThermalPoller::start(options, events, system_clock()));
  SKUA_RETURN_IF_ERROR(wait_for_reading(*poller, session));
  if (arguments.is_watching) return watch(*poller, options.poll_hz, arguments.count, session);
  show(*poller, poller->report(), console);
  return {};
}

}  // namespace

void add_thermal(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<ThermalArguments>();
  CLI::App* command = app.add_subcommand(
      "thermal", "show what the thermal sensors say now, and where each figure comes from");
  command->add_option("--config", arguments->config,
                      "configuration file (YAML) with components.c7_inference");
  command->add_option("--source", arguments->source, "auto, jetson_sysfs, nvml, linux or null");
  command->add_option("--replay", arguments->replay,
                      "read a recorded file (--watch --json) instead of sensors");
  command->add_option("--root", arguments->root, "seek the files of sysfs under this folder instead of /");
  CLI::Option* const watch = command->add_flag("--watch", arguments->is_watching,
                                               "go on until Ctrl-C; with --json, one line a reading");
  command->add_option("--hz", arguments->hz, "readings a second, above 0 and at most 10");
  command->add_option("--count", arguments->count, "end --watch after this many readings")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000'000}))
      ->needs(watch);
  command->callback([arguments, &action] {
    action = [arguments](Session& session) { return thermal(*arguments, session); };
  });
}

}  // namespace skua
