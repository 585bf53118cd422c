// skua.BoundInference: an engine bound to a lane, with NumPy arrays over the lane's own memory.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "handles.h"

namespace skua::python {

/// An array over the lane's memory, as long as that is where and how large it was.
struct CachedArray {
  void* data = nullptr;
  Shape shape;
  nanobind::object array;

  const nanobind::object& over(const TensorView& view, nanobind::handle keeper, bool is_writable);
};

/// The outputs of a bound inference, by name: read-only arrays, as of the last successful run. They keep
/// engine and lane alive, not the object they come from: a cycle would wait for the garbage collector.
class PyBoundOutputs {
 public:
  PyBoundOutputs(std::shared_ptr<BoundRef> ref, nanobind::object keeper)
      : ref_(std::move(ref)), keeper_(std::move(keeper)), cached_(ref_->info.outputs.size()) {}
  /// Raises KeyError, and InferenceError where there is no result.
  nanobind::object at(const std::string& name);
  std::size_t size() const noexcept { return cached_.size(); }
  nanobind::tuple names() const;
  /// Copies one output into memory of the caller's; see bind_bound.
  void copy_into(const std::string& name, nanobind::handle array);

 private:
  std::optional<std::size_t> index_of(const std::string& name) const;
  TensorView view_of(std::size_t index) const;
  nanobind::object array_of(std::size_t index);

  std::shared_ptr<BoundRef> ref_;
  nanobind::object keeper_;
  std::vector<CachedArray> cached_;
};

class PyBound {
 public:
  explicit PyBound(std::shared_ptr<BoundRef> ref);
  nanobind::object inputs();
  nanobind::object outputs() const { return outputs_; }
  void run(nanobind::handle frame, nanobind::handle deadline_ns);
  void set_shape(const std::string& name, nanobind::handle shape);
  void copy_into(const std::string& name, nanobind::handle array);

 private:
  /// The first input whose shape on the lane is not the one that was set here: an infer() on this lane, or
  /// another object that is bound to it, has changed it.
  std::optional<std::size_t> foreign_shape() const noexcept;
  void refresh_inputs();

  std::shared_ptr<BoundRef> ref_;
  nanobind::object keeper_;    ///< the arrays' owner: a capsule that holds `ref_`
  std::vector<Shape> shapes_;  ///< of the inputs, as they were set here
  std::vector<CachedArray> cached_;
  nanobind::dict inputs_;
  nanobind::object outputs_;
};

PyBound bind(const PyRuntime& runtime, const PyEngineHandle& engine, const PyLane& lane);

}  // namespace skua::python
