// Arrays of the caller's as Skua's views: NumPy and whatever else has the buffer protocol, else DLPack.
// Nothing is copied or converted; what does not fit as it is, is refused.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "errors.h"
#include "nanobind/ndarray.h"
#include "skua/inference_runtime.h"

namespace skua::python {

/// What an array is for. Texts are made of it when the array is refused, and not before.
struct ArrayRole {
  std::string_view what;  ///< "input", "output"
  std::string_view name;
  const InferenceRuntime* runtime = nullptr;  ///< where there is one, to say what `engine` expects
  const EngineHandle* engine = nullptr;
};

/// Keeps the arrays of a call alive and in place. Made and destroyed with the GIL, which may be released in
/// between.
class BorrowedArrays {
 public:
  /// `most`: how many arrays will be added at most.
  explicit BorrowedArrays(std::size_t most) { buffers_.reserve(most); }
  BorrowedArrays(const BorrowedArrays&) = delete;
  BorrowedArrays& operator=(const BorrowedArrays&) = delete;
  ~BorrowedArrays();

  /// A view of row-major, contiguous, aligned host memory. Raises InvalidArgumentError (dtype_mismatch,
  /// shape_mismatch, device_mismatch, invalid_argument) for anything else.
  TensorView add(nanobind::handle array, const ArrayRole& role);
  /// The same for an array that will be written to.
  TensorView add_writable(nanobind::handle array, const ArrayRole& role);

 private:
  /// Null where there is none; `cause` is then what the array says of that.
  const Py_buffer* take_buffer(nanobind::handle array, int flags, nanobind::object& cause);
  /// `cause`: why it has no buffer, where it says so.
  TensorView from_dlpack(nanobind::handle array, const ArrayRole& role, nanobind::handle cause);

  std::vector<Py_buffer> buffers_;  ///< never moved: a buffer may point into itself
  std::vector<nanobind::ndarray<nanobind::ro>> imported_;
};

/// `copy=True`: an array of the dtype, C-contiguous and aligned, made of whatever numpy.asarray takes. What
/// would lose more than precision (another kind of number, whole numbers that do not fit) is refused.
nanobind::object converted(nanobind::handle value, DType dtype, const ArrayRole& role);

/// What is expected of an array, as a text: "float16 1x3x384x384"; empty where nobody can say.
std::string expected_text(const ArrayRole& role);
/// "input 'x' of ultravpr".
std::string role_text(const ArrayRole& role);

}  // namespace skua::python
