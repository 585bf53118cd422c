#include <algorithm>
#include <exception>
#include <filesystem>
#include <new>
#include <sstream>
#include <string>

#include "bootstrap/event_setup.h"
#include "cli/commands.h"
#include "core/json_strict.h"
#include "core/text.h"
#include "inference/module_loader.h"
#include "skua_build_id.h"

namespace skua {
namespace {

/// Options that every subcommand has; of one with subcommands of its own, each of these.
struct CommonOptions {
  bool is_json = false;
  bool is_logging = false;
  std::string recorder;
};

void add_common_options(CLI::App& app, CommonOptions& common) {
  for (CLI::App* command : app.get_subcommands({})) {
    if (!command->get_subcommands({}).empty()) {
      add_common_options(*command, common);
      continue;
    }
    command->add_flag("--json", common.is_json, "print the result as one JSON object");
    command->add_flag("--log", common.is_logging, "write every event to stderr as a JSON line");
    command->add_option("--recorder", common.recorder,
                        "keep events that warn, refuse or report a transition in this folder");
  }
}

Status start_recorder(const std::string& folder, Console& console) {
  if (folder.empty()) return {};
  RuntimeConfig config;
  config.log_sink = "none";
  config.recorder_dir = std::filesystem::absolute(folder);
  SKUA_ASSIGN_OR_RETURN(auto recorder, start_events(config));
  console.enable_recorder(std::move(recorder));
  return {};
}

int finish(const Status& status, Session& session) {
  Console& console = session.console;
  if (!status.ok()) {
    console.error(status.error().describe());
    console.report()["error"] = error_json(status.error());
  }
  console.close_recorder();
  console.print_report();
  return status.ok() ? 0 : exit_status_of(status.error());
}

bool has_argument(int argc, const char* const* argv, std::string_view wanted) {
  return std::any_of(argv + 1, argv + std::max(argc, 1), [&](const char* word) { return word == wanted; });
}

/// CLI11 writes help and complaints itself; complaints become one of our own errors.
int finish_parse_error(const CLI::App& app, const CLI::ParseError& error, const CommonOptions& common,
                       int argc, const char* const* argv, Session& session) {
  if (error.get_exit_code() == 0) {
    std::ostringstream text;
    app.exit(error, text, text);
    std::istringstream lines(text.str());
    for (std::string line; std::getline(lines, line);) session.console.line(line);
    return 0;
  }
  // The parser stops at the first mistake, which may stand before --json.
  if (common.is_json || has_argument(argc, argv, "--json")) session.console.enable_json();
  const bool has_no_command = app.get_subcommands().empty() && argc > 1;
  const std::string what = has_no_command ? "no subcommand is called " + quote(argv[1]) : error.what();
  return finish(make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument, what + "; see skua --help"),
                session);
}

int parse_and_act(int argc, const char* const* argv, Session& session) {
  CLI::App app("Skua ground tool: compiles networks, publishes, verifies and runs flight sets", "skua");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string(SKUA_VERSION " (") + std::string(build_id()) + ")");
  Action action;
  CommonOptions common;
  for (const auto add :
       {add_doctor, add_compile, add_provision, add_verify, add_collect, add_inspect, add_run, add_bench,
        add_quantize, add_thermal, add_recorder, add_keygen, add_sign, add_ratchet})
    add(app, action);
  add_common_options(app, common);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return finish_parse_error(app, error, common, argc, argv, session);
  }
  if (common.is_json) session.console.enable_json();
  if (common.is_logging) session.console.enable_log(Level::kDebug);
  Status recording = start_recorder(common.recorder, session.console);
  return finish(recording.ok() ? action(session) : std::move(recording), session);
}

}  // namespace

int run_skua(int argc, const char* const* argv, Session& session) noexcept {
  try {
    return parse_and_act(argc, argv, session);
  } catch (const std::bad_alloc&) {
    return finish(make_error(ErrorCode::kOutOfMemory, Reason::kOutOfMemory, "memory ran out"), session);
  } catch (const std::exception& error) {
    return finish(make_error(ErrorCode::kInternal, Reason::kInternal, error.what()), session);
  }
}

}  // namespace skua
