// What puts the component together in the air: skua.build_pre_constructed, and the record of the flight.
#include "bind_lightglue.h"
#include "config.h"
#include "fields.h"
#include "handles.h"
#include "interruptible.h"
#include "module.h"
#include "nanobind/stl/string.h"
#include "recorder.h"
#include "values.h"

namespace skua::python {
namespace {

namespace nb = nanobind;
using nb::literals::operator""_a;

/// skua.FlightState; the record itself belongs to the runtime's owner, which holds the state folder's lock.
struct PyFlightState {
  OwnerPointer owner;
};

void tell_refusal(EventSink& events, const Error& error) {
  events.emit({Level::kError,
               "c7.takeoff_refused",
               operator_text(error),
               {{"error", std::string(error_class_name(error.code))},
                {"reason", std::string(to_string(error.reason))}}});
}

AirborneSurroundings surroundings_of(RuntimeOwner& owner, const std::optional<HostTuple>& host, bool is_dry,
                                     const std::filesystem::path& thermal_root) {
  AirborneSurroundings surroundings;
  surroundings.host = host ? *host : probe_host();
  surroundings.events = &owner.events;
  surroundings.thermal_root = thermal_root;
  surroundings.set_in_flight = owner.flight->set_in_flight();
  surroundings.is_dry = is_dry;
  return surroundings;
}

/// As skua-flight does it: the state folder first, a restart counted before the load that may fall over.
Result<PreConstruction> construct(RuntimeOwner& owner, const AirborneConfig& config,
                                  const std::optional<HostTuple>& host, bool is_dry,
                                  const std::filesystem::path& thermal_root) {
  SKUA_ASSIGN_OR_RETURN(FlightState flight, FlightState::open(posix_file_system(), config.inference.state_dir,
                                                              owner.events, is_dry));
  owner.flight.emplace(std::move(flight));
  if (!is_dry) owner.flight->note_restart(boot_moment());
  return build_pre_constructed(config, surroundings_of(owner, host, is_dry, thermal_root));
}

template <typename Pointer>
Pointer entry_of(const PreConstruction& built, std::string_view key) {
  return std::get<Pointer>(built.entries.find(key)->second);
}

nb::object wrap(OwnerPointer owner, PreConstruction built) {
  owner->runtime = entry_of<std::shared_ptr<InferenceRuntime>>(built, kInferenceKey);
  auto lightglue = entry_of<std::shared_ptr<LightGlueRuntime>>(built, kLightGlueKey);
  const PyRuntime runtime{owner};
  const nb::object shared = nb::cast(runtime);
  nb::dict entries;
  entries[to_python(kInferenceKey)] = shared;
  entries[to_python(kLightGlueKey)] = wrap_lightglue(std::move(lightglue), owner, shared);
  built.entries.clear();
  return nb::make_tuple(entries, to_python(runtime, built.engines), nb::cast(PyFlightState{owner}));
}

/// (entries, engines, flight), or None where a replay without the block constructs nothing.
nb::object build(nb::handle given, nb::handle host, nb::handle recorder, bool is_dry,
                 nb::handle thermal_root) {
  check_process();
  const AirborneConfig config = airborne_config_from(given);
  const auto root = read_as<std::filesystem::path>(thermal_root, "thermal_root");
  std::optional<HostTuple> on;
  if (!host.is_none()) on = read_as<HostTuple>(host, "host");
  if (!config.uses_inference()) return nb::none();
  OwnerPointer owner = make_owner();
  std::vector<std::shared_ptr<FlightRecorder>> recorders;
  if (auto added = recorder_of(recorder)) recorders.push_back(std::move(added));
  owner->events.open(
      unwrap(without_gil([&] { return start_events(config.inference, std::move(recorders)); })));
  const auto begin = [&] {
    auto constructed = construct(*owner, config, on, is_dry, root);
    if (!constructed.ok()) tell_refusal(owner->events, constructed.error());
    return constructed;
  };
  const auto drop = [](Result<PreConstruction>& built) {
    if (built.ok()) static_cast<void>(PreConstruction(*std::move(built)));
  };
  auto built = unwrap(interruptible(begin, drop));
  note_runtime_built();
  return wrap(std::move(owner), std::move(built));
}

/// One call of the record at a time, whichever threads ask. Writing it may take long: without the GIL.
template <typename Function>
auto with_record(const PyFlightState& self, Function&& function) {
  check_process();
  return without_gil([&] {
    const std::lock_guard lock(self.owner->flight_mutex);
    return function(*self.owner->flight);
  });
}

int begin(const PyFlightState& self, const std::string& set_id) {
  return unwrap(with_record(self, [&](FlightState& flight) { return flight.begin(set_id, boot_moment()); }));
}

void bind_flight_state(nb::module_& module) {
  nb::class_<PyFlightState>(
      module, "FlightState",
      "The record of the flight in progress, which tells a take-off (F2) from a reboot in "
      "flight (F8). Holds the state folder's lock. Threads may share it; their calls take turns.")
      .def_prop_ro(
          "set_in_flight",
          [](const PyFlightState& self) {
            return with_record(self, [](const FlightState& flight) { return flight.set_in_flight(); });
          },
          "The set whose flight never ended in order; empty: none.")
      .def(
          "phase_for",
          [](const PyFlightState& self, const std::string& set_id) {
            return std::string(to_string(
                with_record(self, [&](const FlightState& flight) { return flight.phase_for(set_id); })));
          },
          "set_id"_a, "F8 when the record names this very set, else F2.")
      .def("begin", &begin, "set_id"_a,
           "Records durably that this set is in flight, before its first frame. How often this flight was "
           "started. "
           "InvalidArgumentError: no take-off.")
      .def(
          "end",
          [](const PyFlightState& self) {
            with_record(self, [](FlightState& flight) { return flight.end(), 0; });
          },
          "The flight ended in order: the record goes.");
}

}  // namespace

void bind_airborne(nb::module_& module) {
  bind_flight_state(module);
  module.def("_build_pre_constructed", &build, "config"_a, "host"_a.none(), "recorder"_a.none(), "is_dry"_a,
             "thermal_root"_a);
  nb::list flags;
  for (const AirborneBuildFlag& flag : C7_AIRBORNE_BUILD_FLAGS)
    flags.append(nb::make_tuple(to_python(flag.runtime), to_python(flag.build_flag)));
  module.attr("C7_AIRBORNE_BUILD_FLAGS") = nb::tuple(flags);
  nb::dict required;
  for (const RequiredKeys& keys : AIRBORNE_REQUIRED_PRE_CONSTRUCTED_KEYS) {
    nb::list names;
    for (const std::string_view key : keys.keys) {
      if (!key.empty()) names.append(to_python(key));
    }
    required[to_python(keys.consumer)] = nb::tuple(names);
  }
  module.attr("AIRBORNE_REQUIRED_PRE_CONSTRUCTED_KEYS") = required;
}

}  // namespace skua::python
