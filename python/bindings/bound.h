// skua.BoundInference: an engine bound to a lane, with NumPy arrays over the lane's own memory.
#pragma once

#include <optional>
#include <vector>

#include "handles.h"

namespace skua::python {

/// The outputs of a bound inference, by name: read-only arrays, as of the last successful run. They keep
/// engine and lane alive, not the object they come from: a cycle would wait for the garbage collector.
class PyBoundOutputs {
 public:
  PyBoundOutputs(std::shared_ptr<BoundRef> ref, nanobind::object keeper, std::vector<std::string> names);
  /// Raises InferenceError where there is no result.
  nanobind::object at(const std::string& name);
  std::vector<std::string> const& names() const noexcept { return names_; }

 private:
  struct Cached {
    void* data = nullptr;
    Shape shape;
    nanobind::object array;
  };
  nanobind::object array_of(std::size_t index);

  std::shared_ptr<BoundRef> ref_;
  nanobind::object keeper_;
  std::vector<std::string> names_;
  std::vector<Cached> cached_;
};

struct PyBound {
  std::shared_ptr<BoundRef> ref;
  nanobind::object keeper;  ///< the arrays' owner: a capsule that holds `ref`
  nanobind::dict inputs;
  nanobind::object outputs;

  void run(std::optional<std::uint64_t> frame, std::optional<std::int64_t> deadline_ns);
};

PyBound bind(const PyRuntime& runtime, const PyEngineHandle& engine, const PyLane& lane);

}  // namespace skua::python
