// Skua's tensors as NumPy arrays, without a copy. Everything here needs the GIL.
#pragma once

#include "nanobind/nanobind.h"
#include "skua/tensor.h"

namespace skua::python {

/// An array over `view`, which `owner` keeps alive.
nanobind::object array_over(const TensorView& view, nanobind::handle owner, bool is_writable);

/// An array that owns the tensor's memory.
nanobind::object array_owning(Tensor tensor);

}  // namespace skua::python
