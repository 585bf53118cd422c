// What a call costs beside the raw SDK, for every engine of a set.
#include "bench/call_lines.h"
#include "program.h"

namespace skua::bench {
namespace {

constexpr double kSmallUs = 100.0;    // below, calling is what costs: the bars of the one-node network
constexpr double kHalfWidth = 0.004;  // a bar of 1 % needs bounds well below it

double g_most_seconds = 20.0;  // filled by the options
bool g_is_pair_alone = false;  // likewise

/// What calling may cost beside the cheapest raw call where it is all there is: libtorch has no way to give
/// it memory for its outputs, so each is copied.
double small_bar(const EngineInfo& info) { return info.runtime_label == "pytorch_fp16" ? 1.5 : 1.15; }

double rough_us(const SubjectTimes& times) { return estimate_median(times.round_ns).median / 1000.0; }

/// The bar that every network has: bound run beside the cheapest raw call, until the bounds are narrow enough
/// to say.
Status measure_pair(BenchSet& set, BenchedEngine& engine, const ProgramOptions& options,
                    std::vector<Figure>& figures) {
  const std::string fastest = raw_name(engine.raw->variants().front());
  CallPlan plan;
  plan.rounds = options.rounds;
  plan.only = {std::string(kBoundRun), fastest};
  plan.half_width = kHalfWidth;
  plan.most_seconds = plan.budget_seconds = g_most_seconds;
  plan.cancel_requested = &cancel_requested();
  SKUA_ASSIGN_OR_RETURN(const CallTimes times, time_calls(set, engine, plan));
  const bool is_small = rough_us(*times.find(fastest)) < kSmallUs;
  CallLines lines(times, shown_name(engine.info), conditions_text(set, engine.info, times), figures);
  lines.ratio(kBoundRun, fastest, is_small ? small_bar(engine.info) : 0.0);
  lines.added(kBoundRun, fastest);
  return {};
}

/// All ways to call.
Status measure_all(BenchSet& set, BenchedEngine& engine, const ProgramOptions& options,
                   std::vector<Figure>& figures) {
  CallPlan plan;
  plan.rounds = options.rounds;
  plan.budget_seconds = options.budget_seconds;
  plan.cancel_requested = &cancel_requested();
  SKUA_ASSIGN_OR_RETURN(const CallTimes times, time_calls(set, engine, plan));
  CallLines lines(times, shown_name(engine.info), conditions_text(set, engine.info, times), figures);
  lines.times_of_each();
  const std::string plain = raw_name("run");
  if (times.find(plain) == nullptr) return {};
  const bool is_small = rough_us(*times.find(plain)) < kSmallUs;
  lines.ratio(kBoundRun, plain, is_small ? 1.0 : 0.0);
  lines.ratio(kInfer, plain, is_small ? 1.25 : 0.0);
  for (const char* variant : {"optimized", "frozen"}) {  // libtorch's two ways to prepare a network
    if (times.find(raw_name(variant)) == nullptr) continue;
    lines.ratio(kBoundRun, raw_name(variant), 0.0);
    lines.added(kBoundRun, raw_name(variant));
  }
  return {};
}

Status run(const ProgramOptions& options, std::vector<Figure>& figures) {
  SKUA_ASSIGN_OR_RETURN(BenchSet set, open_bench_set(options));
  if (!set.why_no_raw().empty()) {
    return make_error(ErrorCode::kRuntimeNotAvailable, Reason::kModuleMissing, set.why_no_raw());
  }
  for (const std::string& model : chosen_models(set, options)) {
    SKUA_ASSIGN_OR_RETURN(BenchedEngine engine, set.engine(model));
    SKUA_RETURN_IF_ERROR(measure_pair(set, engine, options, figures));
    if (!g_is_pair_alone) SKUA_RETURN_IF_ERROR(measure_all(set, engine, options, figures));
  }
  return {};
}

void add_options(CLI::App& app) {
  app.add_option("--most-seconds", g_most_seconds,
                 "per network, for the bar's bounds to become narrow enough")
      ->check(CLI::Range(0.0, 3600.0));
  app.add_flag("--pair-alone", g_is_pair_alone, "only bound run beside the raw SDK's cheapest call");
}

}  // namespace
}  // namespace skua::bench

int main(int argc, char** argv) {
  return skua::bench::run_program(argc, argv, "What a call costs beside the raw SDK",
                                  skua::bench::add_options, skua::bench::run);
}
