// What a call costs: Skua's ways to call an engine beside the raw SDK's, in one experiment.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/bench_set.h"
#include "bench/experiment.h"
#include "bench/report.h"

namespace skua::bench {

inline constexpr std::string_view kBoundRun = "skua bound run";
inline constexpr std::string_view kInfer = "skua infer";

/// "raw <variant>".
std::string raw_name(std::string_view variant);

/// Bound run, infer, then every raw variant. Refers to both arguments.
std::vector<Subject> call_subjects(InferenceRuntime& runtime, BenchedEngine& engine);

struct CallTimes {
  std::vector<SubjectTimes> subjects;
  TimeSource time = TimeSource::kWall;
  std::size_t rounds = 0, calls_per_round = 0;

  /// nullptr when there is none of that name.
  const SubjectTimes* find(std::string_view name) const noexcept;
};

struct CallPlan {
  std::size_t rounds = 101;
  std::vector<std::string> only;  ///< names of call_subjects; empty: all
  /// When above 0: goes on, `rounds` at a time, until the bounds of the first subject's ratio to the last one
  /// lie within this half width, or `most_seconds` are over. How wide they are says nothing of where they
  /// lie, so stopping by it favours nobody.
  double half_width = 0.0;
  double most_seconds = 20.0;
  double budget_seconds = 0.0;  ///< when above 0: as ExperimentPlan::most_seconds, for the first rounds, too
  const std::atomic<bool>* cancel_requested = nullptr;
};

/// Times call_subjects after check_same_results. A round lasts some milliseconds per subject. Calls of a
/// millisecond or more on one thread are timed by the thread's CPU time, which a neighbour on the core
/// lengthens less; shorter ones by the wall clock, because reading the CPU clock costs about as much as they
/// do.
Result<CallTimes> time_calls(BenchSet& set, BenchedEngine& engine, const CallPlan& plan);

/// "onnx_trt_ep 1.23.2, device cpu, fp32, 1 thread, wall clock, 101 rounds of 500": what every figure of a
/// call must say of itself. The version is that of the library that was loaded.
std::string conditions_text(const BenchSet& set, const EngineInfo& info, const CallTimes& times);

}  // namespace skua::bench
