// skua.InferenceRuntime.
#include <algorithm>

#include "arrays_in.h"
#include "arrays_out.h"
#include "bound.h"
#include "config.h"
#include "fields.h"
#include "handles.h"
#include "interruptible.h"
#include "module.h"
#include "nanobind/stl/optional.h"
#include "nanobind/stl/string.h"
#include "recorder.h"
#include "values.h"

namespace skua::python {
namespace {

namespace nb = nanobind;
using nb::literals::operator""_a;

/// Starts what the configuration and the caller want told; without either there is no thread for it.
void open_events(RuntimeOwner& owner, RuntimeConfig config, nb::handle recorder, bool is_logged) {
  if (!is_logged) {
    config.log_sink = "none";
    config.recorder_dir.clear();
  }
  std::vector<std::shared_ptr<FlightRecorder>> recorders;
  if (auto added = recorder_of(recorder)) recorders.push_back(std::move(added));
  if (!is_logged && recorders.empty()) return;
  owner.events.open(unwrap(without_gil([&] { return start_events(config, std::move(recorders)); })));
}

PyRuntime build_runtime(nb::handle fields, nb::handle role, nb::handle host, nb::handle recorder,
                        bool is_logged, nb::handle thermal_root) {
  check_process();
  RuntimeEnvironment environment;
  environment.config = config_from(fields);
  environment.role = role_from(role);
  environment.thermal_root = read_as<std::filesystem::path>(thermal_root, "thermal_root");
  std::optional<HostTuple> given;
  if (!host.is_none()) given = read_as<HostTuple>(host, "host");
  OwnerPointer owner = make_owner();
  open_events(*owner, environment.config, recorder, is_logged);
  environment.events = &owner->events;
  environment.cancel_requested = &owner->cancel_requested;
  using Built = Result<std::shared_ptr<InferenceRuntime>>;
  const auto build = [&]() -> Built {
    environment.host = given ? *given : probe_host();
    SKUA_ASSIGN_OR_RETURN(auto runtime, build_inference_runtime(std::move(environment)));
    return std::shared_ptr<InferenceRuntime>(std::move(runtime));
  };
  const auto drop = [](Built& built) { built = std::shared_ptr<InferenceRuntime>(); };
  owner->runtime = unwrap(interruptible(build, drop));
  note_runtime_built();
  return {std::move(owner)};
}

/// Sets the flag for the compile that has the turn, and takes it back with it.
class CancelFlag {
 public:
  explicit CancelFlag(RuntimeOwner& owner) : turn_(owner.compiles), flag_(owner.cancel_requested) {}
  CancelFlag(const CancelFlag&) = delete;
  CancelFlag& operator=(const CancelFlag&) = delete;
  ~CancelFlag() { flag_ = false; }
  void set() noexcept { flag_ = true; }

 private:
  Turn turn_;
  std::atomic<bool>& flag_;
};

nb::object compile_engine(const PyRuntime& self, nb::handle model_path, nb::handle build_config) {
  check_open(*self.owner);
  const auto model = read_as<std::filesystem::path>(model_path, "model_path");
  const auto build = read_as<BuildConfig>(build_config, "build_config");
  const auto published = [](const Result<EngineCacheEntry>&) {};  // whole, and good to have
  CancelFlag flag(*self.owner);
  check_open(*self.owner);  // it may have waited long
  return to_python(unwrap(
      interruptible([&] { return self->compile_engine(model, build); }, published, [&] { flag.set(); })));
}

PyEngineHandle deserialize_engine(const PyRuntime& self, nb::handle entry) {
  check_open(*self.owner);
  const auto wanted = read_as<EngineCacheEntry>(entry, "entry");
  const auto give_up = [&](Result<EngineHandle>& loaded) {
    if (loaded.ok()) self->release_engine(*loaded);
  };
  return self.wrap(unwrap(interruptible([&] { return self->deserialize_engine(wanted); }, give_up)));
}

nb::object load_flight_set(const PyRuntime& self, nb::handle set_dir, nb::handle policy) {
  check_open(*self.owner);
  const auto folder = read_as<std::filesystem::path>(set_dir, "set_dir");
  const auto gate = read_as<GatePolicy>(policy, "policy");
  const auto give_up = [&](Result<EngineSet>& loaded) {
    if (!loaded.ok()) return;
    for (EngineSet::Item& item : loaded->engines) self->release_engine(item.handle);
  };
  const EngineSet set = unwrap(interruptible([&] { return self->load_flight_set(folder, gate); }, give_up));
  return to_python(self, set);
}

/// Waits for nothing that is not known, nor for ever.
std::chrono::milliseconds drain_limit(double timeout_s) {
  constexpr double kMost = 3600;
  if (!(timeout_s >= 0)) refuse_field("timeout_s", "seconds, 0 or more", nb::float_(timeout_s));
  const std::chrono::duration<double> limit(std::min(timeout_s, kMost));
  return std::chrono::duration_cast<std::chrono::milliseconds>(limit);
}

bool drain_events(const PyRuntime& self, double timeout_s) {
  check_process();  // of a closed runtime everything was told
  const std::chrono::milliseconds limit = drain_limit(timeout_s);
  std::atomic<bool> is_given_up{false};
  return interruptible([&] { return self.owner->events.drain(limit, [&] { return is_given_up.load(); }); },
                       [](bool) {}, [&] { is_given_up = true; });
}

/// An input as the caller gave it, held for the whole call.
struct GivenInput {
  std::string name;
  nb::object array;
};

/// The caller's own mapping is not looked at again: whatever is asked for its memory may run Python code, and
/// with it other threads, that changes the mapping meanwhile.
std::vector<GivenInput> given_inputs(nb::handle inputs) {
  std::vector<std::pair<nb::object, nb::object>> items;
  if (PyDict_Check(inputs.ptr()) != 0) {
    items.reserve(nb::len(inputs));
    for (const auto& [key, value] : nb::borrow<nb::dict>(inputs))
      items.emplace_back(nb::borrow(key), nb::borrow(value));
  } else {
    items = mapping_items(inputs, "inputs");
  }
  std::vector<GivenInput> given;
  given.reserve(items.size());
  for (auto& [key, value] : items)
    given.push_back({read_as<std::string>(key, "name of an input"), std::move(value)});
  return given;
}

/// `copy=True`: what the engine takes, made of whatever the caller has.
void convert(const PyRuntime& self, const EngineHandle& handle, std::vector<GivenInput>& inputs) {
  const EngineInfo info = unwrap(self->info(handle));
  for (GivenInput& input : inputs) {
    for (const TensorSpec& spec : info.inputs) {
      if (spec.name == input.name)
        input.array = converted(input.array, spec.dtype, {"input", input.name, &*self, &handle});
    }
  }
}

nb::object infer(const PyRuntime& self, nb::handle engine, nb::handle inputs, nb::handle frame,
                 nb::handle deadline_ns, nb::handle lane, bool is_copied) {
  check_open(*self.owner);
  const EngineHandle handle = engine_of(engine).copy();
  std::vector<GivenInput> given = given_inputs(inputs);
  if (is_copied) convert(self, handle, given);
  BorrowedArrays arrays(given.size());
  TensorMap tensors;
  for (GivenInput& input : given) {
    const TensorView view = arrays.add(input.array, {"input", input.name, &*self, &handle});
    unwrap(tensors.insert(std::move(input.name), Tensor::borrow(view)));
  }
  InferOptions options = run_options(frame, deadline_ns);
  const Lane on = lane.is_none() ? Lane() : lane_of(lane).ref->lane;
  if (!lane.is_none()) options.lane = &on;
  TensorMap outputs = unwrap(without_gil([&] { return self->infer(handle, tensors, options); }));
  nb::dict answers;
  for (const auto& [name, tensor] : outputs) {
    // The map is ours and goes with this call; it only hands out what is const.
    answers[nb::str(name.c_str(), name.size())] = array_owning(std::move(const_cast<Tensor&>(tensor)));
  }
  return answers;
}

void release_engine(const PyRuntime& self, nb::handle given) {
  check_open(*self.owner);
  const PyEngineHandle& engine = engine_of(given);
  // The library leaves such a handle alone and says nothing; here the caller would hold it for released.
  if (engine.ref->owner != self.owner)
    raise_argument(Reason::kForeignHandle,
                   "handle: expected an engine of this runtime, found one of another runtime; release it "
                   "through the runtime that loaded it");
  EngineHandle handle = engine.copy();
  without_gil([&] { return self->release_engine(handle), 0; });
  engine.ref->handle = EngineHandle();
}

PyLane create_lane(const PyRuntime& self, const std::string& consumer) {
  check_open(*self.owner);
  return {make_kept<LaneRef>(self.owner, unwrap(without_gil([&] { return self->create_lane(consumer); })))};
}

nb::object info_of(const PyRuntime& self, nb::handle engine) {
  check_open(*self.owner);
  const EngineHandle handle = engine_of(engine).copy();
  return to_python(unwrap(without_gil([&] { return self->info(handle); })));
}

void define_loading(nb::class_<PyRuntime>& runtime) {
  runtime.def(
      "compile_engine", &compile_engine, "model_path"_a, "build_config"_a,
      nb::sig("def compile_engine(self, model_path: str | os.PathLike[str], build_config: "
              "skua.types.BuildConfig) -> skua.types.EngineCacheEntry"),
      "Compiles a model into the engine cache, in a process of its own. Ground only. Seconds to minutes; "
      "after Ctrl-C, as after any error, the cache is as it was.");
  constexpr const char* kDeserialize =
      "Loads one engine; the engine gate judges it. Ground: from the engine cache. Airborne: the loaded "
      "flight "
      "set's engine of equal SHA-256.";
  runtime.def("deserialize_engine", &deserialize_engine, "entry"_a.none(),
              nb::sig("def deserialize_engine(self, entry: skua.types.EngineCacheEntry) -> EngineHandle"),
              kDeserialize);
  runtime.def(
      "deserialize_cached_engine", &deserialize_engine, "entry"_a.none(),
      nb::sig("def deserialize_cached_engine(self, entry: skua.types.EngineCacheEntry) -> EngineHandle"),
      "The same as deserialize_engine.");
  runtime.def("load_flight_set", &load_flight_set, "set_dir"_a, "policy"_a,
              nb::sig("def load_flight_set(self, set_dir: str | os.PathLike[str], policy: "
                      "skua.types.GatePolicy) -> skua.types.EngineSet"),
              "Take-off: verifies the set, then loads every engine of it, or none.");
  runtime.def(
      "release_engine", &release_engine, "handle"_a.none(),
      nb::sig("def release_engine(self, handle: EngineHandle) -> None"),
      "Gives the engine up, for every holder, and resets the handle. Idempotent. Bound inferences that "
      "outlive it answer engine_released. Another runtime's handle: InvalidArgumentError (foreign_handle).");
}

void define_running(nb::class_<PyRuntime>& runtime) {
  runtime.def(
      "infer", &infer, "handle"_a.none(), "inputs"_a.none(), nb::kw_only(), "frame"_a = nb::none(),
      "deadline_ns"_a = nb::none(), "lane"_a = nb::none(), "copy"_a = false,
      nb::sig("def infer(self, handle: EngineHandle, inputs: typing.Mapping[str, typing.Any], *, frame: int "
              "| None "
              "= None, deadline_ns: int | None = None, lane: Lane | None = None, copy: bool = False) -> "
              "dict[str, numpy.typing.NDArray[typing.Any]]"),
      "One run with inputs given by name: NumPy arrays in host memory, or others there that export DLPack, "
      "of "
      "the engine's dtype, C-contiguous. Nothing is converted but with copy=True, which takes whatever "
      "numpy.asarray takes, in any memory order, and another precision of the same kind of number, as "
      "float64 "
      "for float32; another kind, numbers that do not fit and masked arrays are refused. The answers "
      "own their memory.");
  runtime.def(
      "bind",
      [](const PyRuntime& self, nb::handle engine, nb::handle lane) {
        check_open(*self.owner);
        return bind(self, engine_of(engine), lane_of(lane));
      },
      "handle"_a.none(), "lane"_a.none(),
      nb::sig("def bind(self, handle: EngineHandle, lane: Lane) -> BoundInference"),
      "Places memory for (engine, lane), once.");
  runtime.def("create_lane", &create_lane, "consumer"_a,
              "A lane for `consumer`. After `seal()` only declared lanes are handed out.");
  runtime.def("info", &info_of, "handle"_a.none(),
              nb::sig("def info(self, handle: EngineHandle) -> skua.types.EngineInfo"),
              "Names, shapes, dtypes, profiles, device and arithmetic of an engine.");
  runtime.def(
      "seal",
      [](const PyRuntime& self) {
        check_open(*self.owner);
        without_gil([&] { return self->seal(), 0; });
      },
      "From here on nothing is created any more. Idempotent.");
}

void define_telling(nb::class_<PyRuntime>& runtime) {
  runtime.def(
      "current_runtime_label",
      [](const PyRuntime& self) { return std::string(self->current_runtime_label()); },
      "The label of the runtime that serves.");
  runtime.def(
      "start_telemetry",
      [](const PyRuntime& self) {
        check_open(*self.owner);
        unwrap(without_gil([&] { return self->start_telemetry(); }));
      },
      "Starts reading the configured thermal source. An airborne runtime comes with it started. "
      "TelemetryUnavailableError when no sensor answers; the program may go on. Idempotent.");
  runtime.def(
      "thermal_state",
      [](const PyRuntime& self) {
        check_open(*self.owner);
        return to_python(self->thermal_state());
      },
      nb::sig("def thermal_state(self) -> skua.types.ThermalState"),
      "The last snapshot; never blocks. Without telemetry: not available, and not throttled.");
  runtime.def(
      "drain_events", &drain_events, "timeout_s"_a = 1.0,
      "Waits until what was told so far has reached the log and the recorders. False: the time passed "
      "first, or the runtime was closed. At most an hour.");
}

void define_closing(nb::class_<PyRuntime>& runtime) {
  constexpr const char* kClose =
      "Releases every engine and ends the log and the recorders, after what was told so far. Calls "
      "afterwards raise "
      "InvalidArgumentError, runs of bound inferences InferenceError (engine_released). Idempotent; `with` "
      "calls "
      "it. A recorder that refers to its runtime is a cycle that Python's collector cannot see: it goes with "
      "close(), or with the process.";
  const auto end = [](const PyRuntime& self) {
    check_process();
    close(*self.owner);
  };
  runtime.def("close", end, kClose);
  runtime.def(
      "__enter__",
      [](nb::handle_t<PyRuntime> self) {
        check_open(*nb::cast<const PyRuntime&>(self).owner);
        return nb::borrow(self);
      },
      nb::sig("def __enter__(self) -> InferenceRuntime"));
  runtime.def(
      "__exit__", [end](const PyRuntime& self, const nb::args&) { end(self); },
      nb::sig("def __exit__(self, *exception: object) -> None"));
}

}  // namespace

InferOptions run_options(nb::handle frame, nb::handle deadline_ns) {
  InferOptions options;
  if (!frame.is_none()) options.frame = read_as<std::uint64_t>(frame, "frame");
  if (!deadline_ns.is_none()) options.deadline_ns = read_as<std::int64_t>(deadline_ns, "deadline_ns");
  return options;
}

nb::object to_python(const PyRuntime& runtime, const EngineSet& set) {
  nb::list engines;
  for (const EngineSet::Item& item : set.engines) {
    engines.append(
        type_named("EngineSetItem")("model"_a = item.model, "handle"_a = runtime.wrap(item.handle)));
  }
  return type_named("EngineSet")("set_id"_a = set.set_id, "release_sequence"_a = set.release_sequence,
                                 "signer"_a = to_python(set.signer), "engines"_a = nb::tuple(engines),
                                 "times"_a = tuple_of(set.times), "total_ns"_a = set.total_ns);
}

void bind_runtime(nb::module_& module) {
  nb::class_<PyRuntime> runtime(module, "InferenceRuntime",
                                "Runs networks on engines that were proven on the ground. Made by "
                                "build_inference_runtime or build_pre_constructed.");
  define_loading(runtime);
  define_running(runtime);
  define_telling(runtime);
  define_closing(runtime);
  module.def("_build_runtime", &build_runtime, "fields"_a, "role"_a, "host"_a.none(), "recorder"_a.none(),
             "is_logged"_a, "thermal_root"_a);
}

}  // namespace skua::python
