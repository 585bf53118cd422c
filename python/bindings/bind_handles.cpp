#include "fields.h"
#include "handles.h"
#include "module.h"
#include "nanobind/stl/string.h"

namespace skua::python {

namespace nb = nanobind;

const PyEngineHandle& engine_of(nb::handle value, const char* field) {
  return given_as<const PyEngineHandle>(value, field, "a skua.EngineHandle");
}

const PyLane& lane_of(nb::handle value, const char* field) {
  return given_as<const PyLane>(value, field, "a lane of create_lane");
}

void bind_handles(nb::module_& module) {
  nb::class_<PyEngineHandle> handle(module, "EngineHandle",
                                    "An engine that is resident. Keeps it, and its runtime, alive until "
                                    "InferenceRuntime.release_engine.");
  handle.def(
      "__bool__", [](const PyEngineHandle& self) { return static_cast<bool>(self.ref->handle); },
      "False once the engine was released through this handle.");
  handle.def(
      "__eq__",
      [](const PyEngineHandle& self, nb::handle other) {
        const PyEngineHandle* same = nullptr;
        return nb::try_cast(other, same) && same != nullptr && same->ref->handle == self.ref->handle;
      },
      nb::arg("other").none(), "Whether both name the same engine.");
  handle.attr("__hash__") = nb::none();  // what it names changes with its release
  nb::class_<PyLane>(
      module, "Lane",
      "One consumer's private execution resources. One thread at a time: a lane that is in use "
      "answers InferenceError (lane_busy) at once.")
      .def_prop_ro("consumer", [](const PyLane& self) { return std::string(self.ref->lane.consumer()); });
}

}  // namespace skua::python
