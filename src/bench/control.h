// The negative control: whether the harness, here and now, tells a cost of 2 % from none. A table of ratios
// is worth nothing where it cannot.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "bench/experiment.h"

namespace skua::bench {

struct ControlPlan {
  double injected_share = 0.02;
  std::size_t rounds = 60;    ///< between two looks at the bounds
  double half_width = 0.003;  ///< goes on until both ratios are known this well: the bar is 1 %, the cost 2 %
  double most_seconds = 60.0;                ///< then it gives up
  TimeSource time = TimeSource::kThreadCpu;  ///< what the figures to be believed are timed by
  const std::atomic<bool>* cancel_requested = nullptr;
};

struct ControlOutcome {
  Estimate same;      ///< the call beside itself
  Estimate injected;  ///< the call with the cost beside itself
  std::size_t rounds = 0;
  bool is_same_passed = false;      ///< "no slower" was shown for the call beside itself
  bool is_injected_caught = false;  ///< the cost was shown to exceed the bar
  bool holds() const noexcept { return is_same_passed && is_injected_caught; }
};

/// Times `call`, `call` again, and `call` followed by a busy loop of `injected_share` of its time. A call
/// shorter than a millisecond is repeated to last one. Requires a call that runs on this thread.
Result<ControlOutcome> run_control(const std::function<Status()>& call, const ControlPlan& plan);

/// "" when the control holds, else what was not seen and what to do.
std::string complaint_of(const ControlOutcome& outcome);

}  // namespace skua::bench
