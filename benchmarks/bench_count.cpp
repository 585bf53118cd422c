// What a call does beside computing: heap allocations (C and C++, the SDK's included), page faults, and
// copies of bound inputs and outputs. Counted, never timed.
#include <sys/resource.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "bench/call_figures.h"
#include "heap_counter.h"
#include "program.h"
#include "touch_watch.h"

namespace skua::bench {
namespace {

constexpr double kCountingNs = 2.0e8;  // per subject
constexpr std::size_t kMostCalls = 1000;
constexpr std::size_t kCountedRounds = 3;
constexpr std::int64_t kMostRestNs = 2'000'000'000;  // for a heap to come to rest, per subject

struct Counts {
  double allocations = 0.0, bytes = 0.0, page_faults = 0.0;  // per call
  std::size_t calls_before = 0;
  double faults_before = 0.0;
};

long page_faults() noexcept {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_minflt;
}

Result<Counts> count_calls(const Subject& subject, std::size_t calls) {
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
                per_call(static_cast<double>(faults)), 0, 0.0};
}

/// Calls until the heap has grown: until two rounds had no page fault, or there is no more time for that.
/// Where every call faults, or memory leaks, no round is without. Answers how many calls, and how many
/// faults.
Result<std::pair<std::size_t, double>> grow_heap(const Subject& subject, std::size_t calls) {
  const std::int64_t until_ns = system_clock().monotonic_ns() + kMostRestNs;
  std::pair<std::size_t, double> before{0, 0.0};
  for (int quiet_rounds = 0; quiet_rounds < 2;) {
    SKUA_RETURN_IF_ERROR(check_not_cancelled());
    SKUA_ASSIGN_OR_RETURN(const Counts counts, count_calls(subject, calls));
    before.first += calls;
    before.second += counts.page_faults * static_cast<double>(calls);
    quiet_rounds = counts.page_faults == 0.0 ? quiet_rounds + 1 : 0;
    if (before.first > calls && system_clock().monotonic_ns() > until_ns) break;
  }
  return before;
}

/// What a call costs when the heap has grown. All calls from there on count, whatever they show: none is
/// chosen for having no fault.
Result<Counts> count_at_rest(const Subject& subject, std::size_t calls) {
  SKUA_ASSIGN_OR_RETURN(const auto before, grow_heap(subject, calls));
  SKUA_ASSIGN_OR_RETURN(Counts counts, count_calls(subject, kCountedRounds * calls));
  counts.calls_before = before.first;
  counts.faults_before = before.second;
  return counts;
}

Estimate exactly(double value) { return {value, value, value, 1, false}; }

std::string text_of(const Counts& counts) {
  return number_text(counts.allocations) + " allocations of " + number_text(counts.bytes) + " bytes, " +
         number_text(counts.page_faults) + " page faults a call; " + std::to_string(counts.calls_before) +
         " calls before, while the heap grew by " + number_text(counts.faults_before) + " pages";
}

/// How many of the bound tensors somebody else than the SDK touched first, while `call` ran.
Result<std::size_t> copies_in(TouchWatch& watch, const std::function<Status()>& call) {
  watch.arm();
  const Status ran = call();
  watch.disarm();
  SKUA_RETURN_IF_ERROR(ran);
  return watch.touched_by_others();
}

/// The bound tensors under watch. Where the run decides an output's shape, the SDK has the memory, and Skua
/// copies once by design; the bar is about the others.
struct Bound {
  std::size_t inputs = 0;
  std::vector<TensorView> outputs;
  std::size_t decided_by_run = 0;
};

Bound watch_all(BenchedEngine& engine, TouchWatch& watch) {
  Bound bound;
  bound.inputs = engine.info.inputs.size();
  for (std::size_t i = 0; i < bound.inputs; ++i) watch.watch(engine.bound->input(i));
  for (std::size_t i = 0; i < engine.info.outputs.size(); ++i) {
    if (!engine.info.outputs[i].shape.is_static()) {
      ++bound.decided_by_run;
      continue;
    }
    bound.outputs.push_back(engine.bound->output(i));
    watch.watch(bound.outputs.back());
  }
  return bound;
}

/// The watch must see copies where there are some: infer() copies every input, and `copier` fills every
/// output as a wrapper would that lets the SDK write elsewhere. Answers what was seen, in words; an error
/// when the watch saw less, because its zeroes would prove nothing then.
Result<std::string> control_of(BenchSet& set, BenchedEngine& engine, TouchWatch& watch, const Bound& bound) {
  SKUA_ASSIGN_OR_RETURN(const std::size_t inputs, copies_in(watch, [&]() -> Status {
                          auto outputs = set.runtime().infer(engine.handle, engine.inputs);
                          if (!outputs.ok()) return std::move(outputs).error();
                          return {};
                        }));
  std::size_t largest = 0;
  for (const TensorView& view : bound.outputs) largest = std::max(largest, view.size_bytes());
  const std::vector<std::byte> elsewhere(largest);
  const auto copier = [&]() -> Status {
    for (const TensorView& view : bound.outputs) std::memcpy(view.data, elsewhere.data(), view.size_bytes());
    return {};
  };
  SKUA_ASSIGN_OR_RETURN(const std::size_t outputs, copies_in(watch, copier));
  const std::string seen = "infer() copies " + std::to_string(bound.inputs) + " inputs, " +
                           std::to_string(inputs) + " seen; a copier fills " +
                           std::to_string(bound.outputs.size()) + " outputs, " + std::to_string(outputs) +
                           " seen";
  if (inputs >= bound.inputs && outputs == bound.outputs.size()) return seen;
  return make_error(ErrorCode::kInternal, Reason::kInternal,
                    engine.info.model + ": " + seen + "; the watch's zeroes would prove nothing");
}

Status count_copies(BenchSet& set, BenchedEngine& engine, const std::filesystem::path& sdk_folder,
                    std::vector<Figure>& figures) {
  TouchWatch watch(sdk_folder);
  const Bound bound = watch_all(engine, watch);
  SKUA_ASSIGN_OR_RETURN(const std::size_t copies, copies_in(watch, [&] { return engine.bound->run(); }));
  const std::size_t by_sdk = watch.touched_by_sdk();
  SKUA_ASSIGN_OR_RETURN(const std::string control, control_of(set, engine, watch, bound));
  // Memory that nobody touched was not shown to be the SDK's: its content came or went by another way.
  const bool is_reached = copies == 0 && by_sdk == watch.watched();
  figures.push_back(
      {"count", engine.info.model + ": copies of bound inputs and outputs per bound run", "count",
       exactly(static_cast<double>(copies)), "0, all touched by the SDK first",
       is_reached ? Verdict::kReached : Verdict::kNotReached,
       std::to_string(by_sdk) + " of " + std::to_string(watch.watched()) +
           " tensors touched by the SDK itself, first; control: " + control +
           "; outputs whose shape the run decides, copied once: " + std::to_string(bound.decided_by_run)});
  return {};
}

Status count_engine(BenchSet& set, BenchedEngine& engine, std::vector<Figure>& figures) {
  const std::string fastest = raw_name(engine.raw->variants().front());
  Counts ours, theirs;
  for (const Subject& subject : call_subjects(set.runtime(), engine)) {
    SKUA_RETURN_IF_ERROR(check_not_cancelled());
    const std::int64_t start_ns = system_clock().monotonic_ns();
    SKUA_RETURN_IF_ERROR(subject.call());
    const auto rough_ns =
        std::max<double>(1.0, static_cast<double>(system_clock().monotonic_ns() - start_ns));
    const auto calls =
        std::clamp<std::size_t>(static_cast<std::size_t>(kCountingNs / rough_ns), 5, kMostCalls);
    SKUA_ASSIGN_OR_RETURN(const Counts counts, count_at_rest(subject, calls));
    if (subject.name == kBoundRun) ours = counts;
    if (subject.name == fastest) theirs = counts;
    figures.push_back({"count", shown_name(engine.info) + ": " + subject.name, "allocations",
                       exactly(counts.allocations), "", Verdict::kNoBar, text_of(counts)});
  }
  const double added = ours.allocations - theirs.allocations;
  figures.push_back({"count", shown_name(engine.info) + ": allocations per bound run beyond " + fastest,
                     "count", exactly(added), "0", added <= 0.0 ? Verdict::kReached : Verdict::kNotReached,
                     engine.info.runtime_label + " " + engine.info.sdk_version});
  if (engine.info.runtime_label == "pytorch_fp16") {
    figures.push_back({"count", shown_name(engine.info) + ": page faults per bound run", "count",
                       exactly(ours.page_faults), "0",
                       ours.page_faults == 0.0 ? Verdict::kReached : Verdict::kNotReached, text_of(ours)});
  }
  const double faults = ours.page_faults - theirs.page_faults;
  figures.push_back({"count", shown_name(engine.info) + ": page faults per bound run beyond " + fastest,
                     "count", exactly(faults), "", Verdict::kNoBar, ""});
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
    // Over libtorch inputs are rounded where they lie and outputs are copied once, by design; the watch
    // cannot tell rounding from copying.
    if (engine.info.runtime_label == "pytorch_fp16") continue;
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
