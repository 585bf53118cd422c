#include "bind_lightglue.h"

#include "arrays_in.h"
#include "arrays_out.h"
#include "fields.h"
#include "interruptible.h"
#include "module.h"
#include "nanobind/ndarray.h"
#include "nanobind/stl/optional.h"
#include "nanobind/stl/string.h"
#include "values.h"

namespace skua::python {
namespace {

namespace nb = nanobind;
using nb::literals::operator""_a;

/// Owner first: the matcher's threads end before the runtime does.
struct LightGlueRef {
  OwnerPointer owner;
  std::shared_ptr<LightGlueRuntime> lightglue;
};

struct PyLightGlue {
  std::shared_ptr<LightGlueRef> ref;
  nb::object source;
  LightGlueRuntime* operator->() const noexcept { return ref->lightglue.get(); }
};

/// The sets of one call, with the arrays that they are views of.
class KeypointSets {
 public:
  static constexpr std::size_t kArraysOfASet = 3;
  explicit KeypointSets(std::size_t most) : arrays_(kArraysOfASet * most) {}

  KeypointSet add(nb::handle value) {
    const Fields fields(value, "keypoints", "KeypointSet", Accepted::kAnyAlike);
    KeypointSet set;
    set.keypoints = arrays_.add(fields.attribute("keypoints"), {"array", "keypoints"});
    set.descriptors = arrays_.add(fields.attribute("descriptors"), {"array", "descriptors"});
    const nb::object scores = fields.attribute("scores");
    if (!scores.is_none()) set.scores = arrays_.add(scores, {"array", "scores"});
    const auto size = Fields::items_of(fields.attribute("image_size"), "image_size");
    if (size.size() != set.image_size.size())
      refuse_field("image_size", "width and height", fields.attribute("image_size"));
    for (std::size_t i = 0; i < size.size(); ++i) read(size[i], "image_size", set.image_size[i]);
    return set;
  }

 private:
  BorrowedArrays arrays_;
};

template <typename Element>
nb::object array_of(std::vector<Element> values, std::initializer_list<std::size_t> shape, DType dtype) {
  auto kept = std::make_unique<std::vector<Element>>(std::move(values));
  const nb::capsule owner(kept.get(),
                          [](void* memory) noexcept { delete static_cast<std::vector<Element>*>(memory); });
  TensorView view;
  view.data = kept.release()->data();
  view.dtype = dtype;
  std::vector<std::int64_t> dims(shape.begin(), shape.end());
  view.shape = *Shape::from(dims);
  return array_over(view, owner, true);
}

nb::object answer_of(CorrespondenceSet set, nb::object error) {
  const std::size_t count = set.indices.size();
  return type_named("CorrespondenceSet")(
      "indices"_a = array_of(std::move(set.indices), {count, 2}, DType::kInt64),
      "scores"_a = array_of(std::move(set.scores), {count}, DType::kFloat32), "error"_a = error);
}

/// Runs compose no text; here there is time for one.
Error with_text(Error error) {
  if (error.message.empty()) error.message = "matching: " + std::string(sentence_of(error.reason));
  return error;
}

nb::object match(const PyLightGlue& self, nb::handle a, nb::handle b, nb::handle frame,
                 nb::handle deadline_ns) {
  check_process();
  KeypointSets sets(2);
  const KeypointSet first = sets.add(a), second = sets.add(b);
  CorrespondenceSet found;
  const InferOptions options = run_options(frame, deadline_ns);
  Status status = without_gil([&] { return self->match(first, second, found, options); });
  if (!status.ok()) raise_error(with_text(std::move(status).error()));
  return answer_of(std::move(found), nb::none());
}

nb::object match_batch(const PyLightGlue& self, nb::handle as, nb::handle bs, nb::handle frame,
                       nb::handle deadline_ns) {
  check_process();
  const auto first = Fields::items_of(as, "as_"), second = Fields::items_of(bs, "bs");
  KeypointSets sets(first.size() + second.size());
  std::vector<KeypointSet> a, b;
  for (const nb::object& set : first) a.push_back(sets.add(set));
  for (const nb::object& set : second) b.push_back(sets.add(set));
  std::vector<CorrespondenceSet> found(a.size());
  std::vector<Status> status(a.size());
  const InferOptions options = run_options(frame, deadline_ns);
  Status all = without_gil([&] { return self->match_batch(a, b, found, status, options); });
  if (!all.ok()) raise_error(with_text(std::move(all).error()));
  nb::list answers;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const nb::object error = status[i].ok() ? nb::none() : exception_of(with_text(status[i].error()));
    answers.append(answer_of(std::move(found[i]), error));
  }
  return answers;
}

nb::object create(nb::object runtime, nb::handle engine, nb::handle lanes, std::size_t warm_up_pairs,
                  int warm_up_rounds) {
  const auto& source = given_as<const PyRuntime>(runtime, "runtime", "a skua.InferenceRuntime");
  check_open(*source.owner);
  LightGlueOptions options;
  options.warm_up_pairs = warm_up_pairs;
  options.warm_up_rounds = warm_up_rounds;
  for (const nb::object& lane : Fields::items_of(lanes, "lanes")) {
    options.lanes.push_back(lane_of(lane, "lanes").ref->lane);
  }
  const EngineHandle handle = engine_of(engine, "engine").copy();
  using Made = Result<std::unique_ptr<LightGlueRuntime>>;
  std::shared_ptr<LightGlueRuntime> lightglue = unwrap(interruptible(
      [&]() -> Made { return LightGlueRuntime::create(source.owner->runtime, handle, options); },
      [](Made& made) { made = std::unique_ptr<LightGlueRuntime>(); }));
  return wrap_lightglue(std::move(lightglue), source.owner, std::move(runtime));
}

nb::object timings_of(const PyLightGlue& self) {
  nb::dict timings;
  for (const BatchTiming& timing : self->batch_timings())
    timings[to_python(to_string(timing.mode))] = timing.median_ns;
  return timings;
}

void define_matching(nb::class_<PyLightGlue>& type) {
  type.def_static(
      "create", &create, "runtime"_a.none(), "engine"_a.none(), "lanes"_a.none(), nb::kw_only(),
      "warm_up_pairs"_a = 10, "warm_up_rounds"_a = 5,
      nb::sig("def create(runtime: InferenceRuntime, engine: EngineHandle, lanes: "
              "typing.Sequence[Lane], *, warm_up_pairs: int = 10, warm_up_rounds: int = 5) -> "
              "LightGlueRuntime"),
      "Checks the engine against the contract, binds every lane, and measures which way of running a "
      "batch is the fastest here.");
  type.def(
      "match", &match, "a"_a.none(), "b"_a.none(), nb::kw_only(), "frame"_a = nb::none(),
      "deadline_ns"_a = nb::none(),
      nb::sig("def match(self, a: skua.types.KeypointSet, b: skua.types.KeypointSet, *, frame: int | None = "
              "None, deadline_ns: int | None = None) -> skua.types.CorrespondenceSet"),
      "Matches one pair. A call that comes while another is running is refused: InferenceError (lane_busy).");
  type.def(
      "match_batch", &match_batch, "as_"_a.none(), "bs"_a.none(), nb::kw_only(), "frame"_a = nb::none(),
      "deadline_ns"_a = nb::none(),
      nb::sig(
          "def match_batch(self, as_: typing.Sequence[skua.types.KeypointSet], bs: "
          "typing.Sequence[skua.types.KeypointSet], *, frame: int | None = None, deadline_ns: int | None = "
          "None) -> list[skua.types.CorrespondenceSet]"),
      "Matches as_[i] with bs[i] for every i. A pair that failed is empty and has its `error`; the others "
      "stand.");
}

}  // namespace

nb::object wrap_lightglue(std::shared_ptr<LightGlueRuntime> lightglue, const OwnerPointer& owner,
                          nb::object source) {
  return nb::cast(PyLightGlue{make_kept<LightGlueRef>(owner, std::move(lightglue)), std::move(source)});
}

void bind_lightglue(nb::module_& module) {
  nb::class_<PyLightGlue> type(
      module, "LightGlueRuntime",
      "Matches the keypoints of two images on one engine of the shared runtime. It belongs "
      "to one thread at a time and refuses a second.");
  define_matching(type);
  type.def(
      "descriptor_dim", [](const PyLightGlue& self) { return self->descriptor_dim(); },
      "D: values per descriptor.");
  type.def_prop_ro(
      "descriptor_dtype",
      [](const PyLightGlue& self) {
        return type_named("DType")(to_python(to_string(self->descriptor_dtype())));
      },
      nb::sig("def descriptor_dtype(self) -> skua.types.DType"));
  type.def_prop_ro(
      "fixed_keypoint_count", [](const PyLightGlue& self) { return self->fixed_keypoint_count(); },
      "N of an engine that takes exactly so many keypoints; 0: any number within the profile.");
  type.def_prop_ro(
      "max_matches", [](const PyLightGlue& self) { return self->max_matches(); }, "The largest M.");
  type.def_prop_ro(
      "batch_mode", [](const PyLightGlue& self) { return std::string(to_string(self->batch_mode())); },
      "one_lane, lanes or batched: what was measured to be the fastest.");
  type.def_prop_ro("batch_timings_ns", &timings_of, nb::sig("def batch_timings_ns(self) -> dict[str, int]"),
                   "Median of one batch for each mode; 0: not possible.");
  type.def_prop_ro(
      "last_inference_ns", [](const PyLightGlue& self) { return self->last_inference_ns(); },
      "Of the last call: time inside the runtime's runs.");
  type.def_prop_ro(
      "source", [](const PyLightGlue& self) { return self.source; },
      nb::sig("def source(self) -> InferenceRuntime"),
      "The runtime that it runs on: the very object, `source is pre_constructed['c7_inference']`.");
}

}  // namespace skua::python
