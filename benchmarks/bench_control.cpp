// The negative control, live: an injected cost of 2 % must be caught, and a call beside itself must pass.
// Exits with 1 otherwise.
#include "bench/control.h"
#include "program.h"

namespace skua::bench {
namespace {

ControlPlan g_plan;  // filled by the options

Figure figure_of(const std::string& name, const Estimate& ratio, const std::string& asked, bool is_reached,
                 std::size_t rounds) {
  return {"control",
          name,
          "ratio",
          ratio,
          asked,
          is_reached ? Verdict::kReached : Verdict::kNotReached,
          std::string(g_plan.time == TimeSource::kWall ? "wall clock, " : "thread CPU time, ") +
              std::to_string(rounds) + " rounds"};
}

Status run(const ProgramOptions& options, std::vector<Figure>& figures) {
  SKUA_ASSIGN_OR_RETURN(BenchSet set, open_bench_set(options));
  const std::string model = chosen_models(set, options).front();
  SKUA_ASSIGN_OR_RETURN(BenchedEngine engine, set.engine(model));
  g_plan.cancel_requested = &cancel_requested();
  SKUA_ASSIGN_OR_RETURN(const ControlOutcome outcome,
                        run_control([&] { return engine.bound->run(); }, g_plan));
  figures.push_back(figure_of(model + ": with an injected " + number_text(g_plan.injected_share),
                              outcome.injected, "caught: lower bound > 1 %", outcome.is_injected_caught,
                              outcome.rounds));
  figures.push_back(figure_of(model + ": beside itself", outcome.same, "passed: upper bound <= 1 %",
                              outcome.is_same_passed, outcome.rounds));
  if (outcome.holds()) return {};
  return make_error(ErrorCode::kInternal, Reason::kInternal, complaint_of(outcome));
}

void add_options(CLI::App& app) {
  app.add_option("--injected-share", g_plan.injected_share,
                 "of the call's time; 0 shows that the control can fail")
      ->check(CLI::Range(0.0, 1.0));
  app.add_flag_callback(
      "--wall-clock", [] { g_plan.time = TimeSource::kWall; }, "instead of the thread's CPU time");
  app.add_option("--most-seconds", g_plan.most_seconds, "gives up after")->check(CLI::Range(0.1, 600.0));
}

}  // namespace
}  // namespace skua::bench

int main(int argc, char** argv) {
  return skua::bench::run_program(argc, argv, "Whether the harness sees a cost of 2 %",
                                  skua::bench::add_options, skua::bench::run);
}
