#include <memory>

#include "bench/call_lines.h"
#include "bootstrap/published_sets.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/policy_arguments.h"
#include "core/json_strict.h"

namespace skua {
namespace {

using bench::BenchedEngine;
using bench::BenchSet;
using bench::CallTimes;
using bench::SubjectTimes;

struct BenchArguments {
  std::string folder, output_dir;
  std::vector<std::string> models, settings;
  std::size_t rounds = 51;
  PolicyArguments policy;
};

Json percentiles_json(const SubjectTimes& times) {
  const bench::Percentiles all = bench::percentiles_of(times.calls_ns);
  return {{"name", times.name},   {"count", all.count},   {"p50_us", all.p50_us},
          {"p95_us", all.p95_us}, {"p99_us", all.p99_us}, {"max_us", all.max_us}};
}

Json engine_json(const BenchSet& set, const EngineInfo& info, const CallTimes& times) {
  Json subjects = Json::array();
  for (const SubjectTimes& subject : times.subjects) subjects.push_back(percentiles_json(subject));
  return {{"model", info.model},
          {"runtime", info.runtime_label},
          {"device", info.device},
          {"provider", info.provider},
          {"arithmetic", info.arithmetic},
          {"sdk_version", info.sdk_version},
          {"precision", to_string(info.precision)},
          {"intra_op_threads", set.config().intra_op_threads},
          {"clock", times.time == bench::TimeSource::kWall ? "wall" : "thread CPU"},
          {"rounds", times.rounds},
          {"calls_per_round", times.calls_per_round},
          {"subjects", std::move(subjects)},
          {"ratios", Json::array()}};
}

void show_subjects(const CallTimes& times, Console& console) {
  for (const SubjectTimes& subject : times.subjects) {
    const bench::Percentiles all = bench::percentiles_of(subject.calls_ns);
    const auto us = [](double value) { return bench::number_text(value); };
    console.line("  " + subject.name + ", us: p50 " + us(all.p50_us) + "  p95 " + us(all.p95_us) + "  p99 " +
                 us(all.p99_us) + "  max " + us(all.max_us) + "  (" + std::to_string(all.count) + " calls)");
  }
}

void show_ratio(const CallTimes& times, std::string_view subject, const std::string& reference, Json& ratios,
                Console& console) {
  const SubjectTimes* beside = times.find(reference);
  if (beside == nullptr) return;
  const bench::Comparison found = bench::compare(*times.find(subject), *beside);
  const bench::Estimate& ratio = found.ratio;
  ratios.push_back({{"subject", found.subject},
                    {"reference", found.reference},
                    {"median", ratio.median},
                    {"lower", ratio.lower},
                    {"upper", ratio.upper},
                    {"is_bounded", ratio.is_bounded},
                    {"added_us", found.added_ns.median / 1000.0}});
  console.line("  " + found.subject + " / " + found.reference + ": " + bench::number_text(ratio.median) +
               " (" + (ratio.is_bounded ? "95 %: " : "too few rounds for bounds; range: ") +
               bench::number_text(ratio.lower) + " to " + bench::number_text(ratio.upper) + ")");
}

Status measure(BenchSet& set, const std::string& model, const BenchArguments& arguments, Session& session,
               std::vector<bench::Figure>& figures) {
  session.console.progress("measuring " + model);
  SKUA_ASSIGN_OR_RETURN(BenchedEngine engine, set.engine(model));
  bench::CallPlan plan;
  plan.rounds = arguments.rounds;
  plan.cancel_requested = session.cancel_requested;
  SKUA_ASSIGN_OR_RETURN(const CallTimes times, bench::time_calls(set, engine, plan));
  const std::string conditions = bench::conditions_text(set, engine.info, times);
  bench::CallLines(times, model, conditions, figures).times_of_each();
  session.console.line(model + "  " + conditions + ", provider " + engine.info.provider);
  show_subjects(times, session.console);
  Json report = engine_json(set, engine.info, times);
  if (engine.raw != nullptr) {
    const std::string fastest = bench::raw_name(engine.raw->variants().front());
    show_ratio(times, bench::kBoundRun, fastest, report["ratios"], session.console);
    show_ratio(times, bench::kInfer, bench::raw_name("run"), report["ratios"], session.console);
    bench::CallLines(times, model, conditions, figures).ratio(bench::kBoundRun, fastest, 0.0);
  }
  session.console.report()["engines"].push_back(std::move(report));
  return {};
}

Result<BenchSet> open_set(const BenchArguments& arguments, Session& session) {
  bench::SetOptions options;
  SKUA_ASSIGN_OR_RETURN(const std::filesystem::path folder, absolute_path(arguments.folder));
  SKUA_ASSIGN_OR_RETURN(options.set_dir, find_set(posix_file_system(), folder));
  SKUA_ASSIGN_OR_RETURN(options.policy, gate_policy(arguments.policy, arguments.settings, session.console));
  SKUA_ASSIGN_OR_RETURN(options.settings, parse_key_values(arguments.settings, "--set"));
  options.events = &session.console;
  options.cancel_requested = session.cancel_requested;
  session.console.progress("loading " + options.set_dir.string());
  return BenchSet::open(options);
}

Status bench_set(const BenchArguments& arguments, Session& session) {
  Console& console = session.console;
  if (!arguments.output_dir.empty()) SKUA_RETURN_IF_ERROR(make_output_folder(arguments.output_dir));
  SKUA_ASSIGN_OR_RETURN(BenchSet set, open_set(arguments, session));
  bench::Report report;
  report.machine = bench::describe_machine({{"set_id", set.set_id()}});
  console.report()["set_id"] = set.set_id();
  console.report()["machine"] = report.machine;
  console.report()["why_no_raw"] = set.why_no_raw().empty() ? Json(nullptr) : Json(set.why_no_raw());
  console.report()["engines"] = Json::array();
  if (!set.why_no_raw().empty()) {
    console.warn("nothing to compare with, these are Skua's figures alone: " + set.why_no_raw());
  }
  for (const std::string& model : arguments.models.empty() ? set.models() : arguments.models) {
    SKUA_RETURN_IF_ERROR(measure(set, model, arguments, session, report.figures));
  }
  if (arguments.output_dir.empty()) return {};
  return bench::write_report(report, std::filesystem::path(arguments.output_dir) / "bench");
}

}  // namespace

void add_bench(CLI::App& app, Action& action) {
  constexpr int kMostRounds = 100000;
  auto a = std::make_shared<BenchArguments>();
  CLI::App* command =
      app.add_subcommand("bench", "latency of a flight set's engines beside the raw SDK on the same engines");
  command->add_option("SET_DIR", a->folder, "a flight set, or a folder of sets whose CURRENT counts")
      ->required();
  command->add_option("MODEL", a->models, "logical names; default: every engine of the set");
  command->add_option("--rounds", a->rounds, "each calls every subject for some milliseconds; default: 51")
      ->check(CLI::Range(1, kMostRounds));
  command->add_option("--output-dir", a->output_dir, "folder for bench.json and bench.md");
  command->add_option("--set", a->settings, "KEY=VALUE of the configuration; may be repeated");
  add_policy_options(*command, a->policy);
  command->callback([a, &action] { action = [a](Session& session) { return bench_set(*a, session); }; });
}

}  // namespace skua
