// Skua's errors as Python exceptions: the class of the same name in skua.errors, with reason, native code and
// cause. Everything here needs the GIL.
#pragma once

#include <string>
#include <utility>

#include "gil.h"
#include "nanobind/nanobind.h"
#include "skua/result.h"

namespace skua::python {

/// Looks up the exception classes, one for each ErrorCode, and sees to it that what C++ throws arrives as one
/// of them. Called once, by the module.
void register_errors();

/// The exception object of `error`, its causes chained as `__cause__`.
nanobind::object exception_of(const Error& error);

/// Throws it. `cause`: a Python exception that it was raised from; null: that of `error`.
[[noreturn]] void raise_error(const Error& error, nanobind::handle cause = {});
[[noreturn]] void raise_argument(Reason reason, std::string message, nanobind::handle cause = {});

/// Takes what Python raised while an object was asked whether it is of a kind; null: nothing was raised. Only
/// TypeError, ValueError, BufferError and AttributeError are answers. Anything else, as a KeyboardInterrupt
/// or a MemoryError, goes on as it is: this throws it.
nanobind::object take_refusal();

template <typename T>
T unwrap(Result<T> result) {
  if (!result.ok()) raise_error(result.error());
  return *std::move(result);
}
inline void unwrap(const Status& status) {
  if (!status.ok()) raise_error(status.error());
}

}  // namespace skua::python
