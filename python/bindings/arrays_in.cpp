#include "arrays_in.h"

#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <span>

#include "fields.h"
#include "nanobind/stl/pair.h"
#include "nanobind/stl/string.h"
#include "values.h"

namespace skua::python {
namespace {

namespace nb = nanobind;

static_assert(std::endian::native == std::endian::little, "format_dtype takes '<' for the native order");

std::string_view format_of(const Py_buffer& buffer) {
  return buffer.format != nullptr ? std::string_view(buffer.format) : std::string_view("B");
}

std::optional<DType> sized(std::size_t size, std::array<std::optional<DType>, 4> types) {
  return size == 1   ? types[0]
         : size == 2 ? types[1]
         : size == 4 ? types[2]
         : size == 8 ? types[3]
                     : std::nullopt;
}

/// The element type of a format of the struct module; nothing for what no network takes.
std::optional<DType> format_dtype(std::string_view format, std::size_t size) {
  constexpr std::string_view kNativeOrders = "@=<";
  if (!format.empty() && kNativeOrders.find(format.front()) != kNativeOrders.npos) format.remove_prefix(1);
  if (format.size() != 1) return std::nullopt;
  const auto is_of = [&](std::string_view kinds) { return kinds.find(format.front()) != kinds.npos; };
  if (is_of("efd")) return sized(size, {std::nullopt, DType::kFloat16, DType::kFloat32, DType::kFloat64});
  if (is_of("bhilqn")) return sized(size, {DType::kInt8, DType::kInt16, DType::kInt32, DType::kInt64});
  if (is_of("BHILQN")) return sized(size, {DType::kUInt8, DType::kUInt16, DType::kUInt32, DType::kUInt64});
  if (is_of("?") && size == 1) return DType::kBool;
  return std::nullopt;
}

std::optional<DType> dlpack_dtype(const nb::dlpack::dtype& type) {
  if (type.lanes != 1) return std::nullopt;
  const std::size_t size = type.bits / 8U;
  using Code = nb::dlpack::dtype_code;
  const auto code = static_cast<Code>(type.code);
  const char* kind = code == Code::Float ? "f" : code == Code::Int ? "b" : code == Code::UInt ? "B" : "";
  return format_dtype(code == Code::Bool ? "?" : kind, size);
}

bool is_aligned(const void* data, DType dtype) {
  return reinterpret_cast<std::uintptr_t>(data) % dtype_size(dtype) == 0;
}

std::string wanted(const ArrayRole& role, std::string_view layout) {
  const std::string expected = expected_text(role);
  return role_text(role) + ": expected " + std::string(layout) + (expected.empty() ? "" : " of " + expected);
}

[[noreturn]] void refuse_elements(const ArrayRole& role, const std::string& found) {
  raise_argument(Reason::kDtypeMismatch, wanted(role, "an array") + ", found elements of kind '" + found +
                                             "', which no network takes; convert it, as by "
                                             "array.astype(numpy.float32)");
}

[[noreturn]] void refuse_order(const ArrayRole& role) {
  raise_argument(Reason::kInvalidArgument, wanted(role, "a C-contiguous array") +
                                               ", found another memory order or a view with gaps; nothing is "
                                               "copied silently: pass numpy.ascontiguousarray(array)");
}

[[noreturn]] void refuse_address(const ArrayRole& role, DType dtype) {
  raise_argument(Reason::kInvalidArgument, wanted(role, "an array") + " aligned to its elements (" +
                                               std::to_string(dtype_size(dtype)) +
                                               " bytes), found an address that is not; pass array.copy()");
}

Shape shape_of(const std::int64_t* dims, std::size_t rank, const ArrayRole& role) {
  auto shape = Shape::from(std::span(dims, rank));
  if (shape.ok()) return *shape;
  raise_argument(Reason::kShapeMismatch, wanted(role, "an array") + ", found " + std::to_string(rank) +
                                             " dimensions; a tensor has at most 8");
}

TensorView view_of(const Py_buffer& buffer, const ArrayRole& role) {
  const std::string_view format = format_of(buffer);
  if (!format.empty() && (format.front() == '>' || format.front() == '!')) {
    raise_argument(Reason::kDtypeMismatch,
                   wanted(role, "an array in this machine's byte order") + ", found big-endian elements ('" +
                       std::string(format) +
                       "'); convert it, as by array.astype(array.dtype.newbyteorder('='))");
  }
  const auto dtype = format_dtype(format, static_cast<std::size_t>(buffer.itemsize));
  if (!dtype) refuse_elements(role, std::string(format));
  if (PyBuffer_IsContiguous(&buffer, 'C') == 0) refuse_order(role);
  if (!is_aligned(buffer.buf, *dtype)) refuse_address(role, *dtype);
  TensorView view;
  view.data = buffer.buf;
  view.dtype = *dtype;
  static_assert(sizeof(Py_ssize_t) == sizeof(std::int64_t));
  std::array<std::int64_t, 64> dims{};  // what the buffer protocol has at most
  const auto rank = static_cast<std::size_t>(buffer.ndim);
  for (std::size_t i = 0; i < rank; ++i) dims[i] = buffer.shape[i];
  view.shape = shape_of(dims.data(), rank, role);
  return view;
}

bool is_contiguous(const nb::ndarray<nb::ro>& array) {
  std::int64_t expected = 1;
  for (std::size_t i = array.ndim(); i-- > 0;) {
    const auto dim = static_cast<std::int64_t>(array.shape(i));
    if (dim == 0) return true;
    if (dim != 1 && array.stride(i) != expected) return false;
    expected *= dim;
  }
  return true;
}

/// Raised from what the producer itself says, where it says anything.
[[noreturn]] void refuse_producer(nb::handle array, const ArrayRole& role, nb::handle cause,
                                  std::string_view what = "cannot be exported") {
  const std::string type(nb::type_name(array.type()).c_str());
  std::string said;
  if (cause.is_valid()) said = ", which " + std::string(what) + ": " + nb::str(cause).c_str();
  raise_argument(Reason::kDtypeMismatch,
                 wanted(role, "a NumPy array, or one that exports DLPack") + ", found " + type + said +
                     "; pass numpy.asarray(...) of it in the dtype that the engine takes",
                 cause);
}

/// Called while `error` is handled. Producers say by exceptions of any kind that they cannot; what is none of
/// theirs goes on.
[[noreturn]] void refuse_raised(nb::handle array, const ArrayRole& role, const nb::python_error& error,
                                std::string_view what = "cannot be exported") {
  if (!error.matches(PyExc_Exception) || error.matches(PyExc_MemoryError)) throw;
  refuse_producer(array, role, nb::object(nb::borrow(error.value())), what);
}

/// numpy's masked arrays export what lies under the mask. Asked of few: a plain array derives of nothing.
void refuse_masked(nb::handle array, const ArrayRole& role) {
  if (Py_TYPE(array.ptr())->tp_base == &PyBaseObject_Type) return;
  const nb::object name = nb::str("numpy.ma");
  const nb::object masked = nb::steal(PyImport_GetModule(name.ptr()));
  if (!masked.is_valid()) {
    if (PyErr_Occurred() != nullptr) throw nb::python_error();
    return;  // never imported: there are none
  }
  if (!nb::isinstance(array, masked.attr("MaskedArray"))) return;
  raise_argument(Reason::kDtypeMismatch, wanted(role, "an array") +
                                             ", found a masked one, whose mask no network takes; pass what "
                                             "shall stand in its place, as array.filled(0)");
}

void check_device(int device_type, const ArrayRole& role) {
  if (device_type == nb::device::cpu::value || device_type == nb::device::cuda_host::value) return;
  raise_argument(Reason::kDeviceMismatch,
                 wanted(role, "an array in host memory") + ", found one on a device (DLPack device type " +
                     std::to_string(device_type) +
                     "); every runtime takes its inputs in host memory, which the GPU of a Jetson shares: "
                     "copy it to the host first");
}

/// Where a producer says that its memory is: asked before anything is exported.
void check_device(nb::handle array, const ArrayRole& role) {
  const nb::object ask = optional_attribute(array, "__dlpack_device__");
  if (!ask.is_valid()) return;
  nb::object said;
  try {
    said = ask();
  } catch (const nb::python_error& error) {
    refuse_raised(array, role, error);
  }
  std::pair<int, int> device;
  if (!nb::try_cast(said, device)) {
    raise_argument(Reason::kInvalidArgument,
                   wanted(role, "an array") + ", found " + nb::type_name(array.type()).c_str() +
                       ", whose __dlpack_device__() answers " + nb::repr(said).c_str() +
                       " and not a device type and number; pass numpy.asarray(...) of it");
  }
  check_device(device.first, role);
}

/// The producer's capsule. Asked for a version, it may say that the memory is read-only, which is all we
/// need; producers that know no versions are asked without.
nb::object capsule_of(nb::handle array, const ArrayRole& role, nb::handle cause) {
  const nb::object exporter = optional_attribute(array, "__dlpack__");
  if (!exporter.is_valid()) refuse_producer(array, role, cause);
  try {
    return exporter(nb::arg("max_version") = nb::make_tuple(1, 1));
  } catch (const nb::python_error& error) {
    if (!error.matches(PyExc_TypeError)) refuse_raised(array, role, error);
  }
  try {
    return exporter();
  } catch (const nb::python_error& error) {
    refuse_raised(array, role, error);
  }
}

}  // namespace

std::string role_text(const ArrayRole& role) {
  std::string text = std::string(role.what) + " '" + std::string(role.name) + "'";
  if (role.runtime == nullptr) return text;
  const auto info = role.runtime->info(*role.engine);
  return info.ok() ? text + " of " + info->model : text;
}

std::string expected_text(const ArrayRole& role) {
  if (role.runtime == nullptr) return {};
  const auto info = role.runtime->info(*role.engine);
  if (!info.ok()) return {};
  for (const TensorSpec& spec : role.what == "output" ? info->outputs : info->inputs) {
    if (spec.name == role.name) return std::string(to_string(spec.dtype)) + " " + spec.shape.to_string();
  }
  return {};
}

BorrowedArrays::~BorrowedArrays() {
  for (Py_buffer& buffer : buffers_) PyBuffer_Release(&buffer);
}

const Py_buffer* BorrowedArrays::take_buffer(nb::handle array, int flags, nb::object& cause) {
  if (PyObject_CheckBuffer(array.ptr()) == 0) return nullptr;
  Py_buffer& buffer = buffers_.emplace_back();
  if (PyObject_GetBuffer(array.ptr(), &buffer, flags) == 0) return &buffer;
  buffers_.pop_back();
  cause = take_refusal();
  return nullptr;
}

TensorView BorrowedArrays::add(nb::handle array, const ArrayRole& role) {
  refuse_masked(array, role);
  nb::object cause;
  const Py_buffer* buffer = take_buffer(array, PyBUF_FORMAT | PyBUF_STRIDES, cause);
  return buffer != nullptr ? view_of(*buffer, role) : from_dlpack(array, role, cause);
}

TensorView BorrowedArrays::add_writable(nb::handle array, const ArrayRole& role) {
  nb::object cause;
  const Py_buffer* buffer = take_buffer(array, PyBUF_FORMAT | PyBUF_STRIDES | PyBUF_WRITABLE, cause);
  if (buffer != nullptr) return view_of(*buffer, role);
  raise_argument(Reason::kInvalidArgument,
                 wanted(role, "a writable array in host memory") +
                     ", found one that is read-only or has no buffer; pass a NumPy array of your own",
                 cause);
}

/// NumPy's "same_kind" makes floats of whole numbers, which rounds large ones, and infinity of what is too
/// large.
void check_kept(const nb::object& ready, const nb::object& found, const ArrayRole& role) {
  const auto kind_of = [](const nb::object& array) {
    const std::string kind = nb::cast<std::string>(array.attr("dtype").attr("kind"));
    return kind == "u" ? std::string("i") : kind;
  };
  const auto dtype_of = [](const nb::object& array) {
    return std::string(nb::str(nb::handle(nb::object(array.attr("dtype")))).c_str());
  };
  if (kind_of(ready) != kind_of(found)) {
    raise_argument(Reason::kDtypeMismatch,
                   wanted(role, "an array") + ", found " + dtype_of(found) +
                       ", another kind of number; copy=True changes precision and order alone");
  }
  const nb::module_ numpy = nb::module_::import_("numpy");
  const nb::object is_equal = numpy.attr("array_equal");
  const bool is_kept =
      kind_of(ready) == "f"
          ? nb::cast<bool>(is_equal(numpy.attr("isfinite")(ready), numpy.attr("isfinite")(found)))
          : nb::cast<bool>(is_equal(ready, found));
  if (is_kept) return;
  raise_argument(Reason::kDtypeMismatch,
                 wanted(role, "an array") + ", found values that " + dtype_of(ready) + " cannot hold");
}

nb::object converted(nb::handle value, DType dtype, const ArrayRole& role) {
  refuse_masked(value, role);
  const nb::module_ numpy = nb::module_::import_("numpy");
  const nb::object type = to_python(to_string(dtype));
  nb::object found, ready;
  try {
    found = numpy.attr("asarray")(value);
    ready = found.attr("astype")(type, nb::arg("casting") = "same_kind", nb::arg("copy") = false);
    ready = numpy.attr("require")(ready, nb::none(), "CA");
  } catch (const nb::python_error& error) {
    refuse_raised(value, role, error, "copy=True does not convert");
  }
  check_kept(ready, found, role);
  return ready;
}

TensorView BorrowedArrays::from_dlpack(nb::handle array, const ArrayRole& role, nb::handle cause) {
  check_device(array, role);
  nb::ndarray<nb::ro> imported;
  if (!nb::try_cast(capsule_of(array, role, cause), imported) || !imported.is_valid())
    refuse_producer(array, role, cause);
  check_device(imported.device_type(), role);  // what was exported counts, not what was said
  const auto dtype = dlpack_dtype(imported.dtype());
  if (!dtype)
    refuse_elements(role, "DLPack " + std::to_string(imported.dtype().code) + ":" +
                              std::to_string(imported.dtype().bits));
  if (!is_contiguous(imported)) refuse_order(role);
  if (!is_aligned(imported.data(), *dtype)) refuse_address(role, *dtype);
  TensorView view;
  view.data = const_cast<void*>(imported.data());
  view.dtype = *dtype;
  view.shape = shape_of(imported.shape_ptr(), imported.ndim(), role);
  imported_.push_back(std::move(imported));
  return view;
}

}  // namespace skua::python
