#include "program.h"

#include <csignal>
#include <exception>
#include <iostream>

#include "bootstrap/key_files.h"
#include "core/json_strict.h"
#include "core/process_memory.h"

namespace skua::bench {
namespace {

std::atomic<bool> g_is_cancelled{false};
std::string g_trusted_key;

void on_interrupt(int) { g_is_cancelled = true; }

int fail(const std::string& text) {
  std::cerr << "benchmark: error: " << text << '\n';
  return 1;
}

int act(const ProgramOptions& options,
        const std::function<Status(const ProgramOptions&, std::vector<Figure>&)>& body) {
  Report report;
  report.machine = describe_machine(Json::object());
  if (const Status done = body(options, report.figures); !done.ok()) return fail(done.error().describe());
  if (const Status whole = check_not_cancelled(); !whole.ok()) return fail(whole.error().describe());
  if (const Status written = write_report(report, options.out); !written.ok())
    return fail(written.error().describe());
  return 0;
}

}  // namespace

std::string shown_name(const EngineInfo& info) {
  return info.runtime_label == "onnx_trt_ep" ? info.model : info.model + " (" + info.runtime_label + ")";
}

const std::atomic<bool>& cancel_requested() noexcept { return g_is_cancelled; }

Status check_not_cancelled() {
  if (!g_is_cancelled) return {};
  return make_error(ErrorCode::kInference, Reason::kCancelled, "cancelled; no report was written");
}

int run_program(int argc, const char* const* argv, const std::string& purpose,
                const std::function<void(CLI::App&)>& add_options,
                const std::function<Status(const ProgramOptions&, std::vector<Figure>&)>& body) {
  keep_freed_memory();  // as the programs do that are measured; the raw calls live in the same process
  std::signal(SIGINT, on_interrupt);
  ProgramOptions options;
  CLI::App app(purpose);
  app.add_option("--set-dir", options.set_dir, "a flight set's own folder");
  app.add_option("--out", options.out, "stem of the report: <out>.json, <out>.md")->required();
  app.add_option("--model", options.models, "logical name; may be repeated; default: all of the set");
  app.add_option("--trust", g_trusted_key,
                 "public key that the set is signed with; default: it may be unsigned");
  app.add_option("--rounds", options.rounds, "rounds of each experiment")->check(CLI::Range(1, 100000));
  app.add_option("--budget", options.budget_seconds,
                 "seconds after which no further round begins, once there are six; 0: none")
      ->check(CLI::Range(0.0, 86400.0));
  add_options(app);
  try {
    app.parse(argc, argv);
    return act(options, body);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}

Result<GatePolicy> bench_policy() {
  GatePolicy policy;
  policy.flight_set_limit_bytes = std::uint64_t{1} << 40U;
  policy.allow_unsigned = g_trusted_key.empty();
  if (policy.allow_unsigned) return policy;
  SKUA_ASSIGN_OR_RETURN(PublicKey key,
                        read_public_key(posix_file_system(), std::filesystem::absolute(g_trusted_key)));
  policy.trusted_keys.push_back(std::move(key));
  return policy;
}

void trust_key(std::string public_key_file) { g_trusted_key = std::move(public_key_file); }

const std::string& trusted_key_file() noexcept { return g_trusted_key; }

ExperimentPlan plan_of(const ProgramOptions& options, double share) {
  ExperimentPlan plan;
  plan.rounds = options.rounds;
  plan.most_seconds = options.budget_seconds * share;
  plan.cancel_requested = &g_is_cancelled;
  return plan;
}

Result<BenchSet> open_bench_set(const ProgramOptions& options) {
  SetOptions set;
  set.set_dir = std::filesystem::absolute(options.set_dir);
  SKUA_ASSIGN_OR_RETURN(set.policy, bench_policy());
  set.settings = {{"gpu_memory_budget_bytes", std::to_string(std::uint64_t{1} << 40U)}};
  set.cancel_requested = &g_is_cancelled;
  return BenchSet::open(set);
}

std::vector<std::string> chosen_models(const BenchSet& set, const ProgramOptions& options) {
  return options.models.empty() ? set.models() : options.models;
}

}  // namespace skua::bench
