// skua-flight: the airborne program. docs/reference/cli.md and docs/howto/operate.md describe it.
#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <new>

#include "bootstrap/config_layers.h"
#include "core/exit_status.h"
#include "core/process_memory.h"
#include "core/standard_streams.h"
#include "flight/flight_program.h"
#include "inference/module_loader.h"
#include "skua/airborne_bootstrap.h"
#include "skua_build_id.h"

namespace {

using skua::flight::FlightArguments;

constexpr int kUsage = 2;

void add_options(CLI::App& app, FlightArguments& arguments) {
  app.set_version_flag("--version", std::string(SKUA_VERSION " (") + std::string(skua::build_id()) + ")");
  app.add_option("--config", arguments.config, "the flight stack's configuration (YAML)")->required();
  app.add_option("--frames", arguments.frames, "folder of frames or replay file, instead of flight.frames");
  app.add_option("--duration", arguments.duration_s, "seconds to fly; frames begin again at their end")
      ->check(CLI::Range(0.001, 1e6));
  app.add_option("--report", arguments.report, "write what the flight adds up to, as JSON");
  app.add_option("--frame-lines", arguments.frame_lines, "write one JSON line per frame");
  app.add_option("--trace", arguments.trace, "write take-off and frames as a trace that Perfetto opens");
  app.add_flag("--check", arguments.check_only,
               "verify, load and compose everything, then end without flying");
}

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

int refuse(const skua::Error& error) {
  std::cerr << skua::operator_text(error) << '\n';
  return skua::exit_status_of(error);
}

int run(int argc, char** argv) {
  skua::flight::ProcessSurroundings surroundings;
  surroundings.started_ns = skua::system_clock().monotonic_ns();
  FlightArguments arguments;
  CLI::App app("Skua airborne program: verifies and loads the current flight set once, then answers frames",
               "skua-flight");
  add_options(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error, std::cout, std::cerr) == 0 ? 0 : kUsage;
  }
  const std::vector<std::string> environment = skua::process_environment();
  surroundings.environment = environment;
  surroundings.notify_socket = variable("NOTIFY_SOCKET");
  surroundings.watchdog_usec = variable("WATCHDOG_USEC");
  const auto [ended, has_flown] = skua::flight::run_flight(arguments, surroundings);
  if (ended.ok()) return 0;
  if (!has_flown) return refuse(ended.error());
  std::cerr << "skua-flight: " << ended.error().describe() << '\n';
  return skua::exit_status_of(ended.error());
}

}  // namespace

int main(int argc, char** argv) {
  skua::fill_standard_streams();
  skua::keep_freed_memory();
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return run(argc, argv);
  } catch (const std::bad_alloc&) {
    return refuse(
        skua::make_error(skua::ErrorCode::kOutOfMemory, skua::Reason::kOutOfMemory,
                         "memory ran out at start-up; free memory, or load fewer engines and lanes"));
  } catch (const std::exception& error) {
    return refuse(skua::make_error(skua::ErrorCode::kInternal, skua::Reason::kInternal, error.what()));
  }
}
