#include "arrays_out.h"

#include <array>
#include <memory>

#include "nanobind/ndarray.h"

namespace skua::python {
namespace {

namespace nb = nanobind;

nb::dlpack::dtype dlpack_of(DType dtype) noexcept {
  const auto of = [dtype](nb::dlpack::dtype_code code) {
    const auto bits = static_cast<std::uint8_t>(8U * dtype_size(dtype));
    return nb::dlpack::dtype{static_cast<std::uint8_t>(code), bits, 1};
  };
  switch (dtype) {
    case DType::kFloat16:
    case DType::kFloat32:
    case DType::kFloat64:
      return of(nb::dlpack::dtype_code::Float);
    case DType::kInt8:
    case DType::kInt16:
    case DType::kInt32:
    case DType::kInt64:
      return of(nb::dlpack::dtype_code::Int);
    case DType::kUInt8:
    case DType::kUInt16:
    case DType::kUInt32:
    case DType::kUInt64:
      return of(nb::dlpack::dtype_code::UInt);
    case DType::kBool:
      break;
  }
  return of(nb::dlpack::dtype_code::Bool);
}

template <typename Array>
nb::object make_array(const TensorView& view, nb::handle owner) {
  std::array<std::size_t, Shape::kMaxRank> dims{};
  for (std::size_t i = 0; i < view.shape.rank(); ++i) dims[i] = static_cast<std::size_t>(view.shape[i]);
  const Array array(view.data, view.shape.rank(), dims.data(), owner, nullptr, dlpack_of(view.dtype),
                    nb::device::cpu::value, 0, 'C');
  return nb::cast(array, nb::rv_policy::reference);
}

}  // namespace

nb::object array_over(const TensorView& view, nb::handle owner, bool is_writable) {
  return is_writable ? make_array<nb::ndarray<nb::numpy>>(view, owner)
                     : make_array<nb::ndarray<nb::numpy, nb::ro>>(view, owner);
}

nb::object array_owning(Tensor tensor) {
  auto kept = std::make_unique<Tensor>(std::move(tensor));
  const TensorView view = kept->view();
  const nb::capsule owner(kept.get(), [](void* memory) noexcept { delete static_cast<Tensor*>(memory); });
  static_cast<void>(kept.release());  // the capsule's now
  return array_over(view, owner, true);
}

}  // namespace skua::python
