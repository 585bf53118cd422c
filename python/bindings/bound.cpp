#include "bound.h"

#include <algorithm>

#include "arrays_out.h"
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
  if (error.message.empty()) error.message = ref.model + ": " + std::string(sentence_of(error.reason));
  return error;
}

}  // namespace

PyBoundOutputs::PyBoundOutputs(std::shared_ptr<BoundRef> ref, nb::object keeper,
                               std::vector<std::string> names)
    : ref_(std::move(ref)), keeper_(std::move(keeper)), names_(std::move(names)), cached_(names_.size()) {}

nb::object PyBoundOutputs::at(const std::string& name) {
  check_process();
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (found == names_.end()) throw nb::key_error(name.c_str());
  return array_of(static_cast<std::size_t>(found - names_.begin()));
}

nb::object PyBoundOutputs::array_of(std::size_t index) {
  const TensorView view = ref_->bound.output(index);
  if (view.data == nullptr) {
    Error error = ref_->last_error;
    if (error.reason == Reason::kNone) {
      error = {ErrorCode::kInference, Reason::kExecutionFailed, 0,
               ref_->model +
                   " has no result: run() has not succeeded since it was bound, or since its shapes "
                   "were changed"};
    }
    raise_error(with_text(*ref_, std::move(error)));
  }
  Cached& cached = cached_[index];
  if (cached.data != view.data || cached.shape != view.shape || !cached.array.is_valid()) {
    cached = {view.data, view.shape, array_over(view, keeper_, false)};
  }
  return cached.array;
}

void PyBound::run(std::optional<std::uint64_t> frame, std::optional<std::int64_t> deadline_ns) {
  check_process();
  const InferOptions options{frame, deadline_ns};
  Status status = without_gil([&] { return ref->bound.run(options); });
  if (status.ok()) return;
  ref->last_error = std::move(status).error();
  raise_error(with_text(*ref, ref->last_error));
}

PyBound bind(const PyRuntime& runtime, const PyEngineHandle& engine, const PyLane& lane) {
  const EngineHandle handle = engine.copy();
  const EngineInfo info = unwrap(runtime->info(handle));
  const Lane on = lane.ref->lane;
  BoundInference bound = unwrap(without_gil([&] { return runtime->bind(handle, on); }));
  PyBound self;
  self.ref = make_kept<BoundRef>(runtime.owner, info.model, std::move(bound), Error());
  self.keeper = capsule_of(self.ref);
  for (std::size_t i = 0; i < info.inputs.size(); ++i) {
    self.inputs[info.inputs[i].name.c_str()] = array_over(self.ref->bound.input(i), self.keeper, true);
  }
  std::vector<std::string> names;
  for (const TensorSpec& spec : info.outputs) names.push_back(spec.name);
  self.outputs = nb::cast(PyBoundOutputs(self.ref, self.keeper, std::move(names)));
  return self;
}

void bind_bound(nb::module_& module) {
  nb::class_<PyBoundOutputs>(module, "BoundOutputs", "The outputs of a BoundInference, by name.")
      .def("__getitem__", &PyBoundOutputs::at, "name"_a,
           nb::sig("def __getitem__(self, name: str) -> numpy.typing.NDArray[typing.Any]"))
      .def("__len__", [](const PyBoundOutputs& self) { return self.names().size(); });
  nb::class_<PyBound>(module, "BoundInference",
                      "An engine bound to a lane: memory placed once, run again and again.")
      .def_prop_ro(
          "inputs", [](const PyBound& self) { return self.inputs; },
          nb::sig("def inputs(self) -> dict[str, numpy.typing.NDArray[typing.Any]]"),
          "Writable arrays over the lane's memory: fill them, then run().")
      .def_prop_ro(
          "outputs", [](const PyBound& self) { return self.outputs; },
          nb::sig("def outputs(self) -> BoundOutputs"),
          "The results of the last run, valid until this lane runs again.")
      .def("run", &PyBound::run, "frame"_a = nb::none(), "deadline_ns"_a = nb::none(),
           "Runs once. Raises InferenceError or OutOfMemoryError, and then no output is valid.");
}

}  // namespace skua::python
