// skua.InferenceRuntime.
#include "arrays_in.h"
#include "arrays_out.h"
#include "bound.h"
#include "handles.h"
#include "module.h"
#include "nanobind/stl/optional.h"
#include "nanobind/stl/string.h"
#include "values.h"

namespace skua::python {
namespace {

namespace nb = nanobind;
using nb::literals::operator""_a;

std::optional<HostTuple> host_or_none(nb::handle host) {
  if (host.is_none()) return std::nullopt;
  return host_from(host);
}

PyRuntime build_runtime(nb::handle fields, nb::handle role, nb::handle host) {
  check_process();
  RuntimeEnvironment environment;
  environment.config = config_from(fields);
  environment.role = text_from(role, "role") == "airborne" ? Role::kAirborne : Role::kGround;
  const auto given = host_or_none(host);
  OwnerPointer owner = make_owner();
  environment.events = &owner->events;
  environment.cancel_requested = &owner->cancel_requested;
  note_runtime_built();
  owner->runtime = unwrap(without_gil([&]() -> Result<std::shared_ptr<InferenceRuntime>> {
    environment.host = given ? *given : probe_host();
    SKUA_ASSIGN_OR_RETURN(auto runtime, build_inference_runtime(std::move(environment)));
    return std::shared_ptr<InferenceRuntime>(std::move(runtime));
  }));
  return {std::move(owner)};
}

nb::object to_python(const PyRuntime& self, const EngineSet& set) {
  nb::list engines;
  for (const EngineSet::Item& item : set.engines) {
    engines.append(type_named("EngineSetItem")("model"_a = item.model, "handle"_a = self.wrap(item.handle)));
  }
  const nb::object signer = set.signer ? python::to_python(*set.signer) : nb::none();
  return type_named("EngineSet")("set_id"_a = set.set_id, "release_sequence"_a = set.release_sequence,
                                 "signer"_a = signer, "engines"_a = nb::tuple(engines),
                                 "times"_a = tuple_of(set.times), "total_ns"_a = set.total_ns);
}

nb::object load_flight_set(const PyRuntime& self, nb::handle set_dir, nb::handle policy) {
  check_process();
  const std::filesystem::path folder = path_from(set_dir, "set_dir");
  const GatePolicy gate = policy_from(policy);
  const EngineSet set = unwrap(without_gil([&] { return self->load_flight_set(folder, gate); }));
  return to_python(self, set);
}

nb::object infer(const PyRuntime& self, const PyEngineHandle& engine, const nb::dict& inputs,
                 std::optional<std::uint64_t> frame, std::optional<std::int64_t> deadline_ns,
                 const PyLane* lane) {
  check_process();
  const EngineHandle handle = engine.copy();
  BorrowedArrays arrays(inputs.size());
  TensorMap tensors;
  for (const auto& [key, value] : inputs) {
    const std::string name = text_from(key, "name of an input");
    unwrap(tensors.insert(name, Tensor::borrow(arrays.add(value, {"input", name, &*self, &handle}))));
  }
  const InferOptions options{frame, deadline_ns, lane != nullptr ? &lane->ref->lane : nullptr};
  TensorMap outputs = unwrap(without_gil([&] { return self->infer(handle, tensors, options); }));
  nb::dict answers;
  for (const auto& [name, tensor] : outputs) {
    // The map is ours and goes with this call; it only hands out what is const.
    answers[nb::str(name.c_str(), name.size())] = array_owning(std::move(const_cast<Tensor&>(tensor)));
  }
  return answers;
}

}  // namespace

void bind_runtime(nb::module_& module) {
  nb::class_<PyRuntime>(module, "InferenceRuntime",
                        "Runs networks on engines that were proven on the ground. Made by "
                        "build_inference_runtime or build_pre_constructed.")
      .def_prop_ro("current_runtime_label",
                   [](const PyRuntime& self) { return std::string(self->current_runtime_label()); })
      .def("load_flight_set", &load_flight_set, "set_dir"_a, "policy"_a,
           nb::sig(
               "def load_flight_set(self, set_dir: str | os.PathLike[str], policy: skua.types.GatePolicy) -> "
               "skua.types.EngineSet"),
           "Take-off: verifies the set, then loads every engine of it, or none.")
      .def(
          "create_lane",
          [](const PyRuntime& self, const std::string& consumer) {
            check_process();
            return PyLane{make_kept<LaneRef>(self.owner, unwrap(self->create_lane(consumer)))};
          },
          "consumer"_a, "A lane for `consumer`. After `seal()` only declared lanes are handed out.")
      .def(
          "bind",
          [](const PyRuntime& self, const PyEngineHandle& engine, const PyLane& lane) {
            check_process();
            return bind(self, engine, lane);
          },
          "handle"_a, "lane"_a, "Places memory for (engine, lane), once.")
      .def("infer", &infer, "handle"_a, "inputs"_a, nb::kw_only(), "frame"_a = nb::none(),
           "deadline_ns"_a = nb::none(), "lane"_a = nb::none(),
           nb::sig(
               "def infer(self, handle: EngineHandle, inputs: dict[str, typing.Any], *, frame: int | None = "
               "None, deadline_ns: int | None = None, lane: Lane | None = None) -> dict[str, "
               "numpy.typing.NDArray[typing.Any]]"),
           "One run with inputs given by name. The outputs are arrays that own their memory.")
      .def(
          "info",
          [](const PyRuntime& self, const PyEngineHandle& engine) {
            check_process();
            return python::to_python(unwrap(self->info(engine.copy())));
          },
          "handle"_a, nb::sig("def info(self, handle: EngineHandle) -> skua.types.EngineInfo"),
          "Names, shapes, dtypes, profiles, device and arithmetic of an engine.")
      .def(
          "thermal_state", [](const PyRuntime& self) { return python::to_python(self->thermal_state()); },
          nb::sig("def thermal_state(self) -> skua.types.ThermalState"),
          "The last snapshot; never fails, never blocks.")
      .def(
          "seal",
          [](const PyRuntime& self) {
            check_process();
            without_gil([&] { return self->seal(), 0; });
          },
          "From here on nothing is created any more. Idempotent.");
  module.def("_build_runtime", &build_runtime, "fields"_a, "role"_a, "host"_a.none());
}

}  // namespace skua::python
