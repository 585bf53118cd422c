#include "errors.h"

#include <array>
#include <new>

#include "nanobind/stl/string.h"

namespace skua::python {
namespace {

namespace nb = nanobind;

constexpr std::size_t kCodes = static_cast<std::size_t>(ErrorCode::kInternal) + 1;

/// Borrowed for the life of the process: skua.errors is never unloaded.
std::array<PyObject*, kCodes>& classes() {
  static std::array<PyObject*, kCodes> table{};
  return table;
}

nb::object text_of(const Error& error) {
  const std::string_view text =
      error.message.empty() ? sentence_of(error.reason) : std::string_view(error.message);
  // A message may quote bytes from a file.
  return nb::steal(
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "backslashreplace"));
}

void set_error(const Error& error) {
  const nb::object exception = exception_of(error);
  PyErr_SetObject(exception.type().ptr(), exception.ptr());
}

void set_error(ErrorCode code, Reason reason, std::string message) {
  set_error(make_error(code, reason, std::move(message)));
}

void translate(const std::exception_ptr& thrown, void*) {
  try {
    std::rethrow_exception(thrown);
  } catch (const SkuaError& error) {
    set_error(error.error());
  } catch (const std::bad_alloc&) {
    set_error(ErrorCode::kOutOfMemory, Reason::kOutOfMemory, "no memory is left for this call");
  } catch (const nb::python_error&) {
    throw;  // nanobind's own, as the next
  } catch (const nb::builtin_exception&) {
    throw;
  } catch (const nb::cast_error&) {
    set_error(
        ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
        "an argument, or an answer of an object that was given, is of another kind than this call takes");
  } catch (const std::exception& error) {
    set_error(ErrorCode::kInternal, Reason::kInternal,
              std::string("an exception that nobody foresaw reached Python: ") + error.what());
  }
}

}  // namespace

void register_errors() {
  const nb::module_ errors = nb::module_::import_("skua.errors");
  for (std::size_t i = 0; i < kCodes; ++i) {
    const std::string name(error_class_name(static_cast<ErrorCode>(i)));
    classes()[i] = nb::object(errors.attr(name.c_str())).release().ptr();
  }
  nb::register_exception_translator(translate);
}

nb::object exception_of(const Error& error) {
  const nb::handle type(classes()[static_cast<std::size_t>(error.code)]);
  nb::object exception = type(text_of(error), nb::arg("reason") = std::string(to_string(error.reason)),
                              nb::arg("native_code") = error.native_code);
  if (error.cause) PyException_SetCause(exception.ptr(), exception_of(*error.cause).release().ptr());
  return exception;
}

void raise_error(const Error& error, nb::handle cause) {
  const nb::object exception = exception_of(error);
  if (cause.is_valid()) PyException_SetCause(exception.ptr(), nb::borrow(cause).release().ptr());
  PyErr_SetObject(exception.type().ptr(), exception.ptr());
  throw nb::python_error();
}

nb::object take_refusal() {
  if (PyErr_Occurred() == nullptr) return {};
  const bool is_answer =
      PyErr_ExceptionMatches(PyExc_TypeError) != 0 || PyErr_ExceptionMatches(PyExc_ValueError) != 0 ||
      PyErr_ExceptionMatches(PyExc_BufferError) != 0 || PyErr_ExceptionMatches(PyExc_AttributeError) != 0;
  nb::python_error raised;
  if (!is_answer) throw raised;
  return nb::borrow(raised.value());
}

void raise_argument(Reason reason, std::string message, nb::handle cause) {
  raise_error(make_error(ErrorCode::kInvalidArgument, reason, std::move(message)), cause);
}

}  // namespace skua::python
