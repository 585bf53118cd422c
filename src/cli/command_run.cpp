#include <memory>

#include "bench/statistics.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/run_engine.h"
#include "core/json_strict.h"

namespace skua {
namespace {

void show_engine(const ResidentEngine& engine, Console& console) {
  const EngineInfo& info = engine.info;
  Json times = Json::array();
  for (const EngineLoadTimes& time : engine.load_times) {
    times.push_back({{"model", time.model},
                     {"size_bytes", time.size_bytes},
                     {"verify_ns", time.verify_ns},
                     {"deserialize_ns", time.deserialize_ns},
                     {"warm_up_ns", time.warm_up_ns},
                     {"golden_ns", time.golden_ns}});
  }
  console.report()["engine"] = {{"model", info.model},
                                {"runtime", info.runtime_label},
                                {"device", info.device},
                                {"provider", info.provider},
                                {"arithmetic", info.arithmetic},
                                {"sdk_version", info.sdk_version},
                                {"precision", to_string(info.precision)},
                                {"engine_sha256", info.engine_sha256.hex()},
                                {"resident_bytes", info.resident_bytes}};
  console.report()["set_id"] = engine.set_id;
  console.report()["load"] = std::move(times);
  console.line(info.model + "  runtime " + info.runtime_label + ", device " + info.device + ", provider " +
               info.provider + ", arithmetic " + info.arithmetic + ", SDK " + info.sdk_version);
}

void show_run(std::size_t index, const RunOutcome& outcome, Console& console) {
  Json outputs = Json::object();
  for (const auto& [name, file] : outcome.outputs) {
    outputs[name] = file.string();
    console.line("run " + std::to_string(index) + "  " + name + "  " + file.string());
  }
  console.report()["runs"].push_back({{"outputs", std::move(outputs)}});
}

void show_latency(const bench::Percentiles& latency, Console& console) {
  console.report()["latency"] = {{"count", latency.count},
                                 {"p50_us", latency.p50_us},
                                 {"p95_us", latency.p95_us},
                                 {"p99_us", latency.p99_us},
                                 {"max_us", latency.max_us}};
  console.line("latency of " + std::to_string(latency.count) + " runs, us: p50 " + fixed(latency.p50_us, 1) +
               "  p95 " + fixed(latency.p95_us, 1) + "  p99 " + fixed(latency.p99_us, 1) + "  max " +
               fixed(latency.max_us, 1));
}

Status check_cancelled(const Session& session) {
  if (session.cancel_requested == nullptr || !session.cancel_requested->load()) return {};
  return make_error(ErrorCode::kInference, Reason::kCancelled, "cancelled between two runs");
}

/// One run has its outputs in `folder` itself, several in 0000/, 0001/, ...
std::filesystem::path folder_of(const std::filesystem::path& folder, std::size_t index, std::size_t count) {
  const std::string number = std::to_string(index);
  return count == 1 ? folder
                    : folder / (std::string(4 - std::min<std::size_t>(number.size(), 4), '0') + number);
}

Status run(const RunArguments& arguments, Session& session) {
  Console& console = session.console;
  SKUA_ASSIGN_OR_RETURN(const std::vector<RunFiles> runs, plan_runs(arguments.inputs));
  SKUA_ASSIGN_OR_RETURN(const std::filesystem::path output_dir, make_output_folder(arguments.output_dir));
  console.progress("loading " + arguments.folder);
  SKUA_ASSIGN_OR_RETURN(ResidentEngine engine, load_engine(arguments, session));
  show_engine(engine, console);
  console.report()["runs"] = Json::array();
  std::vector<std::int64_t> times_ns;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    SKUA_RETURN_IF_ERROR(check_cancelled(session));
    SKUA_ASSIGN_OR_RETURN(const TensorMap inputs, read_inputs(runs[i]));
    SKUA_ASSIGN_OR_RETURN(const auto folder, make_output_folder(folder_of(output_dir, i, runs.size())));
    SKUA_ASSIGN_OR_RETURN(const RunOutcome outcome, run_once(engine, inputs, arguments.repeat, folder));
    times_ns.insert(times_ns.end(), outcome.times_ns.begin(), outcome.times_ns.end());
    show_run(i, outcome, console);
  }
  show_latency(bench::percentiles_of(std::move(times_ns)), console);
  return {};
}

}  // namespace

void add_run(CLI::App& app, Action& action) {
  constexpr int kMostRepetitions = 10'000'000;
  auto a = std::make_shared<RunArguments>();
  CLI::App* command =
      app.add_subcommand("run", "run one engine of a flight set or an engine cache on .npy files");
  command->add_option("DIR", a->folder, "a flight set, a folder of sets (CURRENT counts), or an engine cache")
      ->required();
  command->add_option("MODEL", a->model, "logical name of the engine")->required();
  command->add_option("--input", a->inputs, "NAME=FILE.npy; an input given n times makes n runs")->required();
  command
      ->add_option("--output-dir", a->output_dir,
                   "folder for one .npy per output (0000/, ... for several runs)")
      ->required();
  command->add_option("--repeat", a->repeat, "repeat each run N times on bound memory and report percentiles")
      ->check(CLI::Range(1, kMostRepetitions));
  command->add_option("--runtime", a->runtime, "default: the one that the set or build record names");
  command->add_option("--precision", a->precision, "fp16, int8, mixed or fp32");
  command->add_option("--set", a->settings, "KEY=VALUE of the configuration; may be repeated");
  add_policy_options(*command, a->policy);
  command->callback([a, &action] { action = [a](Session& session) { return run(*a, session); }; });
}

}  // namespace skua
