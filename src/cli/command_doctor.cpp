#include <memory>

#include "bootstrap/config_layers.h"
#include "bootstrap/key_files.h"
#include "cli/commands.h"
#include "cli/expected_sdk.h"
#include "cli/thermal_poll.h"
#include "cli/thermal_view.h"
#include "core/json_strict.h"
#include "inference/module_loader.h"
#include "skua/runtime_factory.h"
#include "skua_build_id.h"
#include "telemetry/poller.h"
#include "telemetry/reading_json.h"

namespace skua {
namespace {

struct DoctorArguments {
  std::string config;
};

void show_host(Console& console) {
  const HostTuple host = probe_host();
  const Json json = to_json(host);
  console.report()["host"] = json;
  console.line("host  " + tuple_text(host));
  for (const auto& [key, value] : json.items()) {
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    console.line("  " + key + ": " + (text.empty() ? "-" : text));
  }
}

Result<SdkInfo> probe_runtime(const RuntimeEntry& entry, const RuntimeConfig& config) {
  SKUA_ASSIGN_OR_RETURN([[maybe_unused]] const RuntimeEntry* built, find_built_runtime(entry.label));
  SKUA_ASSIGN_OR_RETURN(const RuntimeModule* module, open_runtime_module(entry.label));
  return module->probe(config);
}

/// What has to be there beside Skua for this runtime: no SDK library is shipped.
void show_expected(const ExpectedSdk& expected, Json& json, Console& console) {
  json["expects"] = {{"sdk", expected.name},
                     {"version", expected.version},
                     {"library", expected.library},
                     {"is_shipped", false}};
  console.line("    expects " + expected.name + " " + expected.version + " at " + expected.library +
               ", not shipped");
}

void show_runtime(const RuntimeEntry& entry, const RuntimeConfig& config, Console& console) {
  const std::string label(entry.label);
  Json json = {{"label", label},
               {"build_flag", std::string(entry.build_flag)},
               {"is_built", entry.is_built},
               {"is_loadable", false},
               {"reason", std::string(entry.reason)}};
  if (!entry.is_built) {
    console.line("  " + label + ": not built, " + std::string(entry.reason) + " (" +
                 std::string(entry.build_flag) + ")");
  } else if (const auto sdk = probe_runtime(entry, config); sdk.ok()) {
    json["is_loadable"] = true;
    json["sdk"] = {{"library", sdk->library_path}, {"version", sdk->version}, {"providers", sdk->providers}};
    console.line("  " + label + ": built, loadable; SDK " + sdk->version + " at " + sdk->library_path);
    for (const std::string& provider : sdk->providers) console.line("    offers " + provider);
  } else {
    json["reason"] = sdk.error().describe();
    console.line("  " + label + ": built, not loadable: " + sdk.error().describe());
  }
  if (const auto expected = expected_sdk(entry.label, config); entry.is_built && expected) {
    show_expected(*expected, json, console);
  }
  console.report()["runtimes"].push_back(std::move(json));
}

/// What the thermal source of the configuration says, and which one it is.
Status show_sensors(const RuntimeConfig& config, Session& session) {
  Console& console = session.console;
  SKUA_ASSIGN_OR_RETURN(const ThermalPollerOptions options, thermal_options(config, "/"));
  const auto poller = ThermalPoller::start(options, null_event_sink(), system_clock());
  const Status answers = poller.ok() ? wait_for_reading(**poller, session) : Status(poller.error());
  if (!answers.ok() && answers.error().code != ErrorCode::kTelemetryUnavailable) return answers;
  if (!answers.ok()) {
    console.report()["sensors"] = {{"source", nullptr}, {"reason", answers.error().message}};
    console.line("sensors  none: " + answers.error().message);
    return {};
  }
  const ThermalReport report = (*poller)->report();
  const ThermalSource& source = *(*poller)->source();
  console.report()["sensors"] =
      parse_json(encode_reading(source, report.reading, report.measured_at_ns)).value();
  for (const std::string& line : thermal_lines(report, source, system_clock().monotonic_ns(), false))
    console.line(line);
  return {};
}

void show_configuration(const ConfigFile& file, Console& console) {
  Json& fields = console.report()["configuration"] = Json::array();
  console.line("configuration");
  const auto show = [&](const std::string& key, const std::string& value) {
    const std::string source = file.source_of(key);
    fields.push_back({{"field", key}, {"value", value}, {"source", source}});
    console.line("  " + key + ": " + (value.empty() ? "-" : value) + "  (" + source + ")");
  };
  for (const auto& [key, value] : fields_of(file.config)) show(key, value);
  show("lanes", lanes_text(file.config.lanes));
}

/// The keys that flight sets will be judged by.
void show_trusted_keys(const RuntimeConfig& config, Console& console) {
  Json& keys = console.report()["trusted_keys"] = Json::array();
  for (const auto& [field, path] : {std::pair{"trusted_key", config.trusted_key},
                                    std::pair{"next_trusted_key", config.next_trusted_key}}) {
    if (path.empty()) continue;
    const auto key = read_public_key(posix_file_system(), path);
    Json json = {{"field", field}, {"path", path.string()}, {"fingerprint", nullptr}};
    if (key.ok()) json["fingerprint"] = key->fingerprint().hex();
    if (!key.ok()) json["error"] = error_json(key.error());
    console.line(std::string(field) + "  " +
                 (key.ok() ? path.string() + ", fingerprint " + key->fingerprint().hex()
                           : "REFUSED: " + key.error().describe()));
    keys.push_back(std::move(json));
  }
}

Status doctor(const DoctorArguments& arguments, Session& session) {
  Console& console = session.console;
  SKUA_ASSIGN_OR_RETURN(const ConfigFile file, read_config(arguments.config, process_environment()));
  console.report()["skua"] = {{"version", SKUA_VERSION}, {"build_id", std::string(build_id())}};
  console.line("skua  " SKUA_VERSION "  (" + std::string(build_id()) + ")");
  show_host(console);
  console.report()["runtimes"] = Json::array();
  console.line("runtimes");
  for (const RuntimeEntry& entry : runtime_registry()) show_runtime(entry, file.config, console);
  SKUA_RETURN_IF_ERROR(show_sensors(file.config, session));
  show_configuration(file, console);
  show_trusted_keys(file.config, console);
  return {};
}

}  // namespace

void add_doctor(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<DoctorArguments>();
  CLI::App* command = app.add_subcommand("doctor", "show this machine, the runtimes and the configuration");
  command->add_option("--config", arguments->config,
                      "configuration file (YAML) with components.c7_inference");
  command->callback([arguments, &action] {
    action = [arguments](Session& session) { return doctor(*arguments, session); };
  });
}

}  // namespace skua
