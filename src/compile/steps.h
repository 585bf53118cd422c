// Compiling as a list of steps, each told to whoever waits. The first one that fails ends it.
#pragma once

#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "cache/staged_copy.h"
#include "inference/compile_job.h"

namespace skua::compile {

/// One step over a runtime's state (derived from Compilation).
template <typename State>
struct Step {
  std::string_view text;
  Status (*run)(State& state);
};

/// All steps in their order, `before` before each of them. An error comes back in the class that compiling
/// promises (as_build_error).
template <typename State>
Status run_steps(std::type_identity_t<std::span<const Step<State>>> steps, State& state,
                 CompileProgress& progress, Status (*before)(State& state) = nullptr) {
  for (const Step<State>& step : steps) {
    if (before != nullptr) SKUA_RETURN_IF_ERROR(before(state));
    progress.step(step.text);
    if (Status done = step.run(state); !done.ok()) return as_build_error(std::move(done).error());
  }
  return {};
}

}  // namespace skua::compile
