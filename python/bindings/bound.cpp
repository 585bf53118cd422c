#include "bound.h"

#include <algorithm>
#include <cstring>

#include "arrays_in.h"
#include "arrays_out.h"
#include "fields.h"
#include "module.h"
#include "nanobind/stl/optional.h"
#include "nanobind/stl/string.h"
#include "values.h"

namespace skua::python {
namespace {

namespace nb = nanobind;
using nb::literals::operator""_a;

nb::object capsule_of(const std::shared_ptr<BoundRef>& ref) {
  return nb::capsule(new std::shared_ptr<BoundRef>(ref),
                     [](void* memory) noexcept { delete static_cast<std::shared_ptr<BoundRef>*>(memory); });
}

/// Runs compose no text; here there is time for one.
Error with_text(const BoundRef& ref, Error error) {
  if (error.message.empty()) error.message = ref.info.model + ": " + std::string(sentence_of(error.reason));
  return error;
}

bool are_apart(const TensorView& a, const TensorView& b) {
  const auto* const a_begin = static_cast<const std::byte*>(a.data);
  const auto* const b_begin = static_cast<const std::byte*>(b.data);
  return std::less_equal<>()(a_begin + a.size_bytes(), b_begin) ||
         std::less_equal<>()(b_begin + b.size_bytes(), a_begin);
}

/// Memory of the lane's is no place for a copy of it.
void check_apart(const BoundRef& ref, const std::string& name, const TensorView& target) {
  const auto is_apart = [&](TensorView place, const TensorSpec& spec) {
    place.shape = spec.max_shape;  // all that the lane reserves, whatever this run's shape is
    return are_apart(target, place);
  };
  bool is_clear = true;
  for (std::size_t i = 0; i < ref.info.inputs.size(); ++i)
    is_clear = is_clear && is_apart(ref.bound.input(i), ref.info.inputs[i]);
  for (std::size_t i = 0; i < ref.info.outputs.size(); ++i)
    is_clear = is_clear && is_apart(ref.bound.output(i), ref.info.outputs[i]);
  if (is_clear) return;
  raise_argument(Reason::kInvalidArgument, "output '" + name + "' of " + ref.info.model +
                                               ": the array overlaps the lane's own inputs or outputs; pass "
                                               "memory of your own");
}

void check_same(const std::string& thing, const TensorView& source, const TensorView& target) {
  if (source.dtype != target.dtype) {
    raise_argument(Reason::kDtypeMismatch, thing + " is " + std::string(to_string(source.dtype)) +
                                               ", found " + std::string(to_string(target.dtype)) +
                                               "; pass an array of that dtype, nothing is cast silently");
  }
  if (source.shape != target.shape) {
    raise_argument(Reason::kShapeMismatch, thing + " has shape " + source.shape.to_string() + ", found " +
                                               target.shape.to_string() + "; pass an array of that shape");
  }
}

}  // namespace

const nb::object& CachedArray::over(const TensorView& view, nb::handle keeper, bool is_writable) {
  if (data != view.data || shape != view.shape || !array.is_valid()) {
    *this = {view.data, view.shape, array_over(view, keeper, is_writable)};
  }
  return array;
}

std::optional<std::size_t> PyBoundOutputs::index_of(const std::string& name) const {
  const std::vector<TensorSpec>& specs = ref_->info.outputs;
  const auto found =
      std::find_if(specs.begin(), specs.end(), [&](const auto& spec) { return spec.name == name; });
  if (found == specs.end()) return std::nullopt;
  return static_cast<std::size_t>(found - specs.begin());
}

nb::object PyBoundOutputs::at(const std::string& name) {
  check_process();
  const auto index = index_of(name);
  if (!index) throw nb::key_error(name.c_str());
  return array_of(*index);
}

nb::tuple PyBoundOutputs::names() const {
  nb::list list;
  for (const TensorSpec& spec : ref_->info.outputs) list.append(spec.name);
  return nb::tuple(list);
}

TensorView PyBoundOutputs::view_of(std::size_t index) const {
  const TensorView view = ref_->bound.output(index);
  Error error = ref_->last_error;
  // A result that lies there after a run of ours failed is somebody else's.
  if (view.data != nullptr && error.reason == Reason::kNone) return view;
  if (error.reason == Reason::kNone) {
    error = {ErrorCode::kInference, Reason::kExecutionFailed, 0,
             ref_->info.model +
                 " has no result: it has not run since it was bound, since its shapes were changed, or since "
                 "another run on this lane failed"};
  }
  raise_error(with_text(*ref_, std::move(error)));
}

nb::object PyBoundOutputs::array_of(std::size_t index) {
  return cached_[index].over(view_of(index), keeper_, false);
}

void PyBoundOutputs::copy_into(const std::string& name, nb::handle array) {
  check_process();
  const auto index = index_of(name);
  if (!index) throw nb::key_error(name.c_str());
  BorrowedArrays arrays(1);
  const TensorView target =
      arrays.add_writable(array, {"output", name, ref_->owner->runtime.get(), &ref_->handle});
  const TensorView source = view_of(*index);
  check_same("output '" + name + "' of " + ref_->info.model, source, target);
  check_apart(*ref_, name, target);
  if (const std::size_t bytes = source.size_bytes(); bytes > 0) {
    without_gil([&] { return std::memcpy(target.data, source.data, bytes); });
  }
}

PyBound::PyBound(std::shared_ptr<BoundRef> ref)
    : ref_(std::move(ref)), keeper_(capsule_of(ref_)), cached_(ref_->info.inputs.size()) {
  for (std::size_t i = 0; i < cached_.size(); ++i) shapes_.push_back(ref_->bound.input(i).shape);
  refresh_inputs();
  outputs_ = nb::cast(PyBoundOutputs(ref_, keeper_));
}

void PyBound::refresh_inputs() {
  for (std::size_t i = 0; i < cached_.size(); ++i) {
    const nb::object before = cached_[i].array;
    const nb::object& array = cached_[i].over(ref_->bound.input(i), keeper_, true);
    if (!array.is(before)) inputs_[ref_->info.inputs[i].name.c_str()] = array;
  }
}

/// Read-only: an array that is put there instead of being filled would not be the one that is run on.
nb::object PyBound::inputs() {
  refresh_inputs();
  return nb::steal(PyDictProxy_New(inputs_.ptr()));
}

std::optional<std::size_t> PyBound::foreign_shape() const noexcept {
  for (std::size_t i = 0; i < shapes_.size(); ++i) {
    if (ref_->bound.input(i).shape != shapes_[i]) return i;
  }
  return std::nullopt;
}

void PyBound::run(nb::handle frame, nb::handle deadline_ns) {
  check_process();
  if (const auto index = foreign_shape()) {
    // What was filled in lies elsewhere in the input's memory now, or there is less of it than will be run
    // on.
    const TensorSpec& spec = ref_->info.inputs[*index];
    ref_->last_error =
        make_error(ErrorCode::kInference, Reason::kShapeMismatch,
                   "input '" + spec.name + "' of " + ref_->info.model + ": expected shape " +
                       shapes_[*index].to_string() + ", as it was set here, found " +
                       ref_->bound.input(*index).shape.to_string() +
                       ": another call on this lane has changed it; call set_shape again and fill the input");
    raise_error(ref_->last_error);
  }
  const InferOptions options = run_options(frame, deadline_ns);
  Status status = without_gil([&] { return ref_->bound.run(options); });
  if (status.ok()) {
    if (ref_->last_error.reason != Reason::kNone) ref_->last_error = {};
    return;
  }
  Error error = std::move(status).error();
  // A busy lane is in the middle of somebody else's run; what it answers is not this one's to say.
  if (error.reason != Reason::kLaneBusy) ref_->last_error = error;
  raise_error(with_text(*ref_, std::move(error)));
}

void PyBound::set_shape(const std::string& name, nb::handle shape) {
  check_process();
  const auto wanted = read_as<Shape>(shape, "shape");
  unwrap(without_gil([&] { return ref_->bound.set_shape(name, wanted); }));
  ref_->last_error = {};
  for (std::size_t i = 0; i < shapes_.size(); ++i) {
    if (ref_->info.inputs[i].name == name) shapes_[i] = wanted;
  }
  refresh_inputs();
}

void PyBound::copy_into(const std::string& name, nb::handle array) {
  nb::cast<PyBoundOutputs&>(outputs_).copy_into(name, array);
}

PyBound bind(const PyRuntime& runtime, const PyEngineHandle& engine, const PyLane& lane) {
  const EngineHandle handle = engine.copy();
  const Lane on = lane.ref->lane;
  struct Placed {
    EngineInfo info;
    BoundInference bound;
  };
  Placed placed = unwrap(without_gil([&]() -> Result<Placed> {
    SKUA_ASSIGN_OR_RETURN(EngineInfo info, runtime->info(handle));
    SKUA_ASSIGN_OR_RETURN(BoundInference bound, runtime->bind(handle, on));
    return Placed{std::move(info), std::move(bound)};
  }));
  auto ref =
      make_kept<BoundRef>(runtime.owner, handle, std::move(placed.info), std::move(placed.bound), Error());
  remember(runtime.owner->bounds, ref);
  return PyBound(std::move(ref));
}

namespace {

/// A live view of collections.abc over the outputs, as any mapping has.
nb::object view_named(const char* name, nb::handle self) {
  return nb::module_::import_("collections.abc").attr(name)(self);
}

nb::object get_output(PyBoundOutputs& self, nb::handle name, nb::object otherwise) {
  if (!self.names().attr("__contains__")(name).is(nb::handle(Py_True))) return otherwise;
  return self.at(nb::cast<std::string>(name));
}

void bind_views(nb::class_<PyBoundOutputs>& outputs) {
  outputs
      .def(
          "keys", [](nb::handle_t<PyBoundOutputs> self) { return view_named("KeysView", self); },
          nb::sig("def keys(self) -> typing.KeysView[str]"))
      .def(
          "values", [](nb::handle_t<PyBoundOutputs> self) { return view_named("ValuesView", self); },
          nb::sig("def values(self) -> typing.ValuesView[numpy.typing.NDArray[typing.Any]]"))
      .def(
          "items", [](nb::handle_t<PyBoundOutputs> self) { return view_named("ItemsView", self); },
          nb::sig("def items(self) -> typing.ItemsView[str, numpy.typing.NDArray[typing.Any]]"));
}

void bind_outputs(nb::module_& module) {
  nb::class_<PyBoundOutputs> outputs(
      module, "BoundOutputs",
      nb::sig("class BoundOutputs(typing.Mapping[str, numpy.typing.NDArray[typing.Any]])"),
      "The outputs of a BoundInference, by name: a mapping.");
  outputs
      .def("__getitem__", &PyBoundOutputs::at, nb::arg(),
           nb::sig("def __getitem__(self, name: str, /) -> numpy.typing.NDArray[typing.Any]"),
           "A read-only array, valid until this lane runs again; InferenceError where there is no result.")
      .def("get", &get_output, nb::arg().none(), nb::arg().none() = nb::none(),
           nb::sig("def get(self, name: str, default: typing.Any = None, /) -> typing.Any"),
           "The default for a name that is none of an output; InferenceError where there is no result.")
      .def("__len__", &PyBoundOutputs::size)
      .def(
          "__iter__", [](const PyBoundOutputs& self) { return nb::iter(self.names()); },
          nb::sig("def __iter__(self) -> typing.Iterator[str]"))
      .def(
          "__contains__",
          [](const PyBoundOutputs& self, nb::handle name) { return self.names().attr("__contains__")(name); },
          nb::arg().none(), nb::sig("def __contains__(self, name: object, /) -> bool"));
  bind_views(outputs);
}

}  // namespace

void bind_bound(nb::module_& module) {
  bind_outputs(module);
  nb::class_<PyBound>(
      module, "BoundInference",
      "An engine bound to a lane: memory placed once, run again and again. Its arrays keep engine "
      "and lane alive. It belongs to whoever uses its lane.")
      .def_prop_ro(
          "inputs", &PyBound::inputs,
          nb::sig("def inputs(self) -> typing.Mapping[str, numpy.typing.NDArray[typing.Any]]"),
          "Writable arrays over the lane's memory: fill them (`inputs[name][...] = values`), then run().")
      .def_prop_ro("outputs", &PyBound::outputs, nb::sig("def outputs(self) -> BoundOutputs"),
                   "The results of the last run, without a copy; valid until this lane runs again.")
      .def("run", &PyBound::run, "frame"_a = nb::none(), "deadline_ns"_a = nb::none(),
           nb::sig("def run(self, frame: int | None = None, deadline_ns: int | None = None) -> None"),
           "Runs once, the GIL released. `deadline_ns` is absolute, of time.monotonic_ns(). Raises "
           "InferenceError or "
           "OutOfMemoryError, and then no output is valid.")
      .def("set_shape", &PyBound::set_shape, "name"_a, "shape"_a,
           nb::sig("def set_shape(self, name: str, shape: typing.Sequence[int]) -> None"),
           "Gives an input another shape inside its profile; `inputs` then has another array for it.")
      .def("copy_into", &PyBound::copy_into, "name"_a, "array"_a,
           nb::sig("def copy_into(self, name: str, array: numpy.typing.NDArray[typing.Any]) -> None"),
           "Copies one output into an array of the same dtype and shape, C-contiguous and writable, outside "
           "of the "
           "lane's memory.");
}

}  // namespace skua::python
