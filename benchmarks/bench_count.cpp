// What a call does beside computing: heap allocations (C and C++, the SDK's included), page faults, and
// copies of bound inputs and outputs. Counted, never timed.
#include <sys/resource.h>

#include <algorithm>

#include "bench/call_figures.h"
#include "heap_counter.h"
#include "program.h"
#include "touch_watch.h"

namespace skua::bench {
namespace {

constexpr double kCountingNs = 2.0e8;  // per subject
constexpr std::size_t kMostCalls = 1000;

struct Counts {
  double allocations = 0.0, bytes = 0.0, page_faults = 0.0;  // per call
};

long page_faults() noexcept {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_minflt;
}

Result<Counts> count_calls(const Subject& subject, std::size_t calls) {
  for (int i = 0; i < 3; ++i) SKUA_RETURN_IF_ERROR(subject.call());
  bool is_failed = false;
  const long faults_before = page_faults();
  const HeapCounts heap = count_heap([&] {
    for (std::size_t i = 0; i < calls; ++i) is_failed = !subject.call().ok() || is_failed;
  });
  const long faults = page_faults() - faults_before;
  if (is_failed) {
    return make_error(ErrorCode::kInference, Reason::kExecutionFailed,
                      subject.name + " failed while it was counted");
  }
  const auto per_call = [&](double value) { return value / static_cast<double>(calls); };
  return Counts{per_call(static_cast<double>(heap.allocations)), per_call(static_cast<double>(heap.bytes)),
                per_call(static_cast<double>(faults))};
}

Estimate exactly(double value) { return {value, value, value, 1, false}; }

std::string text_of(const Counts& counts) {
  return number_text(counts.allocations) + " allocations of " + number_text(counts.bytes) + " bytes, " +
         number_text(counts.page_faults) + " page faults a call";
}

/// How many of the bound tensors somebody else than the SDK touched first, while `call` ran.
Result<std::size_t> copies_in(TouchWatch& watch, const std::function<Status()>& call) {
  watch.arm();
  const Status ran = call();
  watch.disarm();
  SKUA_RETURN_IF_ERROR(ran);
  return watch.touched_by_others();
}

Status count_copies(BenchSet& set, BenchedEngine& engine, const std::filesystem::path& sdk_folder,
                    std::vector<Figure>& figures) {
  TouchWatch watch(sdk_folder);
  std::size_t decided_by_run = 0;
  for (std::size_t i = 0; i < engine.info.inputs.size(); ++i) watch.watch(engine.bound->input(i));
  for (std::size_t i = 0; i < engine.info.outputs.size(); ++i) {
    // Where the run decides the shape, the SDK has the memory, and Skua copies once; the bar is about the
    // others.
    const bool is_static = engine.info.outputs[i].shape.is_static();
    decided_by_run += is_static ? 0U : 1U;
    if (is_static) watch.watch(engine.bound->output(i));
  }
  SKUA_ASSIGN_OR_RETURN(const std::size_t copies, copies_in(watch, [&] { return engine.bound->run(); }));
  const std::size_t by_sdk = watch.touched_by_sdk();
  SKUA_ASSIGN_OR_RETURN(const std::size_t control, copies_in(watch, [&]() -> Status {
                          auto outputs = set.runtime().infer(engine.handle, engine.inputs);
                          if (!outputs.ok()) return std::move(outputs).error();
                          return {};
                        }));
  if (control < engine.info.inputs.size()) {
    return make_error(ErrorCode::kInternal, Reason::kInternal,
                      engine.info.model + ": infer() copies its inputs, and the watch saw only " +
                          std::to_string(control) + " of " + std::to_string(engine.info.inputs.size()) +
                          "; its zeroes would prove nothing");
  }
  figures.push_back(
      {"count", engine.info.model + ": copies of bound inputs and outputs per bound run", "count",
       exactly(static_cast<double>(copies)), "0", copies == 0 ? Verdict::kReached : Verdict::kNotReached,
       std::to_string(by_sdk) + " of " + std::to_string(watch.watched()) +
           " tensors touched by the SDK itself, first; control: infer(), " + std::to_string(control) +
           " copies seen; outputs whose shape the run decides, copied once: " +
           std::to_string(decided_by_run)});
  return {};
}

Status count_engine(BenchSet& set, BenchedEngine& engine, std::vector<Figure>& figures) {
  const std::string fastest = raw_name(engine.raw->variants().front());
  Counts ours, theirs;
  for (const Subject& subject : call_subjects(set.runtime(), engine)) {
    const std::int64_t start_ns = system_clock().monotonic_ns();
    SKUA_RETURN_IF_ERROR(subject.call());
    const auto rough_ns =
        std::max<double>(1.0, static_cast<double>(system_clock().monotonic_ns() - start_ns));
    const auto calls =
        std::clamp<std::size_t>(static_cast<std::size_t>(kCountingNs / rough_ns), 5, kMostCalls);
    SKUA_ASSIGN_OR_RETURN(const Counts counts, count_calls(subject, calls));
    if (subject.name == kBoundRun) ours = counts;
    if (subject.name == fastest) theirs = counts;
    figures.push_back({"count", engine.info.model + ": " + subject.name, "allocations",
                       exactly(counts.allocations), "", Verdict::kNoBar, text_of(counts)});
  }
  const double added = ours.allocations - theirs.allocations;
  figures.push_back({"count", engine.info.model + ": allocations per bound run beyond " + fastest, "count",
                     exactly(added), "0", added <= 0.0 ? Verdict::kReached : Verdict::kNotReached, ""});
  const double faults = ours.page_faults - theirs.page_faults;
  figures.push_back({"count", engine.info.model + ": page faults per bound run beyond " + fastest, "count",
                     exactly(faults), "", Verdict::kNoBar, ""});
  return {};
}

Status run(const ProgramOptions& options, std::vector<Figure>& figures) {
  give_tensors_their_own_pages(true);
  SKUA_ASSIGN_OR_RETURN(BenchSet set, open_bench_set(options));
  give_tensors_their_own_pages(false);
  if (!set.why_no_raw().empty()) {
    return make_error(ErrorCode::kRuntimeNotAvailable, Reason::kModuleMissing, set.why_no_raw());
  }
  SKUA_ASSIGN_OR_RETURN(const RuntimeModule* module, open_runtime_module(set.config().runtime));
  SKUA_ASSIGN_OR_RETURN(const SdkInfo sdk, module->probe(set.config()));
  const auto sdk_folder = std::filesystem::canonical(sdk.library_path).parent_path();
  for (const std::string& model : chosen_models(set, options)) {
    SKUA_ASSIGN_OR_RETURN(BenchedEngine engine, set.engine(model));
    SKUA_RETURN_IF_ERROR(check_same_results(engine));
    SKUA_RETURN_IF_ERROR(count_engine(set, engine, figures));
    SKUA_RETURN_IF_ERROR(count_copies(set, engine, sdk_folder, figures));
  }
  return {};
}

}  // namespace
}  // namespace skua::bench

int main(int argc, char** argv) {
  return skua::bench::run_program(
      argc, argv, "Allocations, page faults and copies of a call", [](CLI::App&) {}, skua::bench::run);
}
