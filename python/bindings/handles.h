// The classes behind skua.EngineHandle, Lane and InferenceRuntime. Each holds what it needs to outlive the
// others.
#pragma once

#include <optional>

#include "runtime_owner.h"

namespace skua::python {

struct PyEngineHandle {
  std::shared_ptr<EngineRef> ref;
  /// For a call that releases the GIL: another thread may release the engine meanwhile.
  EngineHandle copy() const { return ref->handle; }
};

struct PyLane {
  std::shared_ptr<LaneRef> ref;
};

struct PyRuntime {
  OwnerPointer owner;
  InferenceRuntime& operator*() const noexcept { return *owner->runtime; }
  InferenceRuntime* operator->() const noexcept { return owner->runtime.get(); }

  PyEngineHandle wrap(EngineHandle handle) const {
    auto ref = make_kept<EngineRef>(owner, std::move(handle));
    remember(owner->engines, ref);
    return {std::move(ref)};
  }
};

/// A skua.EngineSet, whose handles belong to `runtime`.
nanobind::object to_python(const PyRuntime& runtime, const EngineSet& set);

/// What a caller says of a run, for an InferenceRuntime or a LightGlueRuntime.
InferOptions run_options(nanobind::handle frame, nanobind::handle deadline_ns);

/// What a caller gave as such; anything else is refused by name.
const PyEngineHandle& engine_of(nanobind::handle value, const char* field = "handle");
const PyLane& lane_of(nanobind::handle value, const char* field = "lane");

}  // namespace skua::python
