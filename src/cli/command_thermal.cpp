#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
#include <thread>

#include "bootstrap/config_yaml.h"
#include "cli/commands.h"
#include "cli/thermal_view.h"
#include "telemetry/poller.h"
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
Result<ThermalPollerOptions> poller_options(const ThermalArguments& arguments) {
  ConfigFile file;
  if (!arguments.config.empty()) {
    SKUA_ASSIGN_OR_RETURN(file, read_config_yaml(arguments.config));
  }
  RuntimeConfig& config = file.config;
  if (!arguments.source.empty()) config.thermal_source = arguments.source;
  if (!arguments.replay.empty()) {
    config.thermal_source = "replay";
    config.thermal_replay = std::filesystem::absolute(arguments.replay);
  }
  if (arguments.hz) config.thermal_poll_hz = *arguments.hz;
  SKUA_RETURN_IF_ERROR(config.validate());
  ThermalPollerOptions options;
  options.source.source = config.thermal_source;
  options.source.root = std::filesystem::absolute(arguments.root);
  options.source.replay = config.thermal_replay;
  options.poll_hz = config.thermal_poll_hz;
  options.cpu = config.thermal_cpu;
  options.nice = config.thermal_nice;
  return options;
}

bool is_cancelled(const Session& session) {
  return session.cancel_requested != nullptr && session.cancel_requested->load();
}

/// Waits one period in short steps, so that Ctrl-C is heard.
void wait_a_period(const Session& session, double hz) {
  const std::int64_t until = system_clock().monotonic_ns() + std::llround(1e9 / hz);
  while (!is_cancelled(session) && system_clock().monotonic_ns() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

/// False: there is no reading yet.
bool show(const ThermalPoller& poller, Console& console) {
  const ThermalReport report = poller.report();
  if (report.status == ThermalStatus::kUnknown || poller.source() == nullptr) return false;
  const ThermalSource& source = *poller.source();
  if (console.is_json()) {
    console.stream(encode_reading(source, report.reading, report.measured_at_ns));
  } else {
    console.redraw(thermal_lines(report, source, system_clock().monotonic_ns(), console.is_coloured()));
  }
  return true;
}

Status watch(const ThermalPoller& poller, double hz, std::int64_t count, const Session& session) {
  for (std::int64_t shown = 0; !is_cancelled(session); wait_a_period(session, hz)) {
    if (show(poller, session.console)) ++shown;
    if (count > 0 && shown >= count) break;
  }
  return {};
}

/// A driver gets some time for its first answer.
Status show_once(const ThermalPoller& poller, const Session& session) {
  constexpr double kStepHz = 10.0;
  constexpr int kSteps = 20;
  for (int i = 0; i < kSteps && !is_cancelled(session); ++i, wait_a_period(session, kStepHz)) {
    if (show(poller, session.console)) return {};
  }
  return make_error(
      ErrorCode::kTelemetryUnavailable, Reason::kTelemetryUnavailable,
      "the thermal source gave no reading within two seconds: a driver hangs; look into the kernel's "
      "log");
}

Status thermal(const ThermalArguments& arguments, Session& session) {
  Console& console = session.console;
  SKUA_ASSIGN_OR_RETURN(const ThermalPollerOptions options, poller_options(arguments));
  // A watch shows the transitions itself; --log tells them.
  EventSink& events = console.is_logging() ? static_cast<EventSink&>(console) : null_event_sink();
  SKUA_ASSIGN_OR_RETURN(const auto poller, ThermalPoller::start(options, events, system_clock()));
  return arguments.is_watching ? watch(*poller, options.poll_hz, arguments.count, session)
                               : show_once(*poller, session);
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
