// What a batch of pairs costs beside the same pairs one after the other: match_batch on two lanes against as
// many match calls on one, on a quiet machine and with one core kept busy by a thread that spins on it.
#include "busy_core.h"
#include "core/parallel.h"
#include "inference/lightglue_samples.h"
#include "program.h"
#include "skua/lightglue.h"
#include "skua/ports.h"

namespace skua::bench {
namespace {

constexpr std::size_t kPairs = 10, kLanes = 2;
constexpr double kQuietBar = 0.55, kBusyBar = 0.87;

/// A batch and the memory for its answers.
struct Pairs {
  lightglue::SamplePairs samples;
  std::vector<CorrespondenceSet> out{kPairs};
  std::vector<Status> status{kPairs};
};

Status match_one_by_one(LightGlueRuntime& matcher, Pairs& pairs) {
  for (std::size_t i = 0; i < kPairs; ++i) {
    SKUA_RETURN_IF_ERROR(matcher.match(pairs.samples.firsts()[i], pairs.samples.seconds()[i], pairs.out[i]));
  }
  return {};
}

Status match_at_once(LightGlueRuntime& matcher, Pairs& pairs) {
  SKUA_RETURN_IF_ERROR(
      matcher.match_batch(pairs.samples.firsts(), pairs.samples.seconds(), pairs.out, pairs.status));
  for (const Status& status : pairs.status) SKUA_RETURN_IF_ERROR(status);
  return {};
}

std::string note_of(const EngineInfo& info, const LightGlueRuntime& matcher) {
  return info.runtime_label + " " + info.sdk_version +
         ", wall clock, one thread a lane, measured at warm-up: " +
         std::string(to_string(matcher.batch_mode())) + ", usable cores: " + std::to_string(usable_cores());
}

/// The figure of one situation. One core alone can show nothing.
Status measure_ratio(LightGlueRuntime& matcher, Pairs& pairs, const ProgramOptions& options, double bar,
                     Figure figure, std::vector<Figure>& figures) {
  const std::array<Subject, 2> subjects{
      Subject{"match_batch", [&] { return match_at_once(matcher, pairs); }, {}},
      Subject{"match calls", [&] { return match_one_by_one(matcher, pairs); }, {}}};
  ExperimentPlan plan = plan_of(options, 0.5);
  plan.calls_per_round = 3;
  plan.warm_up_calls = 3;
  SKUA_ASSIGN_OR_RETURN(const std::vector<SubjectTimes> times, run_interleaved(subjects, plan));
  figure.value = compare(times[0], times[1]).ratio;
  figure.sides = sides_of(times[0], times[1]);
  figure.asked = "<= " + number_text(bar);
  const bool is_reached = figure.value.is_bounded && figure.value.upper <= bar;
  figure.verdict = is_reached ? Verdict::kReached : Verdict::kNotReached;
  if (usable_cores() < kLanes) figure.verdict = Verdict::kNoBar;
  figures.push_back(std::move(figure));
  return {};
}

/// What match() takes beyond the runtime's run: checks, normalising, copying, reading the answer.
Status measure_own_cost(LightGlueRuntime& matcher, Pairs& pairs, Figure figure,
                        std::vector<Figure>& figures) {
  std::vector<double> beyond_us;
  for (std::size_t round = 0; round < 200; ++round) {
    SKUA_RETURN_IF_ERROR(check_not_cancelled());
    const std::size_t i = round % kPairs;
    const std::int64_t start_ns = system_clock().monotonic_ns();
    SKUA_RETURN_IF_ERROR(matcher.match(pairs.samples.firsts()[i], pairs.samples.seconds()[i], pairs.out[i]));
    const std::int64_t took_ns = system_clock().monotonic_ns() - start_ns;
    beyond_us.push_back(static_cast<double>(took_ns - matcher.last_inference_ns()) / 1e3);
  }
  figure.value = estimate_median(beyond_us);
  figures.push_back(std::move(figure));
  return {};
}

Status measure(BenchSet& set, const std::string& model, const ProgramOptions& options,
               std::vector<Figure>& figures) {
  SKUA_ASSIGN_OR_RETURN(const BenchedEngine engine, set.engine(model));
  LightGlueOptions lanes;
  for (std::size_t i = 0; i < kLanes; ++i) {
    SKUA_ASSIGN_OR_RETURN(Lane lane, set.runtime().create_lane("bench_match_" + std::to_string(i)));
    lanes.lanes.push_back(lane);
  }
  // The set owns the runtime and outlives the matcher.
  const std::shared_ptr<InferenceRuntime> runtime(std::shared_ptr<void>(), &set.runtime());
  SKUA_ASSIGN_OR_RETURN(const auto matcher, LightGlueRuntime::create(runtime, engine.handle, lanes));
  SKUA_ASSIGN_OR_RETURN(const lightglue::Contract contract, lightglue::read_contract(engine.info));
  SKUA_ASSIGN_OR_RETURN(lightglue::SamplePairs samples, lightglue::SamplePairs::make(contract, kPairs));
  Pairs pairs{std::move(samples)};
  const std::string name = shown_name(engine.info) + ": match_batch of 10 pairs, 2 lanes / 10 match calls, ";
  const std::string note = note_of(engine.info, *matcher);
  const Figure ratio{"lightglue", name, "ratio", {}, "", Verdict::kNoBar, note};
  Figure quiet = ratio, busy = ratio, own = ratio;
  quiet.name += "quiet";
  busy.name += "one core busy";
  own.name = shown_name(engine.info) + ": match beyond the runtime's run";
  own.unit = "us";
  SKUA_RETURN_IF_ERROR(measure_ratio(*matcher, pairs, options, kQuietBar, quiet, figures));
  {
    const BusyCore spinning;
    SKUA_RETURN_IF_ERROR(measure_ratio(*matcher, pairs, options, kBusyBar, busy, figures));
  }
  return measure_own_cost(*matcher, pairs, own, figures);
}

Status run(const ProgramOptions& options, std::vector<Figure>& figures) {
  SKUA_ASSIGN_OR_RETURN(BenchSet set, open_bench_set(options));
  for (const std::string& model : chosen_models(set, options))
    SKUA_RETURN_IF_ERROR(measure(set, model, options, figures));
  return {};
}

}  // namespace
}  // namespace skua::bench

int main(int argc, char** argv) {
  return skua::bench::run_program(
      argc, argv, "What matching a batch of pairs costs", [](CLI::App&) {}, skua::bench::run);
}
