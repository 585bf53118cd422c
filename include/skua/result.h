// Result<T>: a value or an Error. Inside Skua every fallible function returns one; `value()` is the edge
// where those who prefer exceptions get the typed one.
#pragma once

#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "skua/error.h"

namespace skua {

/// Holds a T or an Error. Move-only when T is. Reading the wrong side is a defect: `value()` throws,
/// `operator*` and `error()` require that the side was tested before.
template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  /// Implicit on purpose: `return tensor;` and `return make_error(...)` are the two ways out of a function.
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Result(Error error)
      : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  /// Whether it holds a value.
  bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }

  /// The value, or the typed exception of the error.
  T& value() & {
    if (!ok()) throw_error(error());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    if (!ok()) throw_error(error());
    return *std::get_if<0>(&state_);
  }
  T value() && {
    if (!ok()) throw_error(std::move(*this).error());
    return std::move(*std::get_if<0>(&state_));
  }

  /// Requires ok().
  T& operator*() & noexcept { return *std::get_if<0>(&state_); }
  const T& operator*() const& noexcept { return *std::get_if<0>(&state_); }
  T&& operator*() && noexcept { return std::move(*std::get_if<0>(&state_)); }
  T* operator->() noexcept { return std::get_if<0>(&state_); }
  const T* operator->() const noexcept { return std::get_if<0>(&state_); }

  /// Requires !ok().
  const Error& error() const& noexcept { return *std::get_if<1>(&state_); }
  Error&& error() && noexcept { return std::move(*std::get_if<1>(&state_)); }

 private:
  std::variant<T, Error> state_;
};

/// Success without a value, or an Error. A default-constructed Status is success; building and moving one
/// that is ok does not allocate.
template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() noexcept = default;
  /// Implicit on purpose, as above.
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  /// Whether it holds no error.
  bool ok() const noexcept { return !error_.has_value(); }
  explicit operator bool() const noexcept { return ok(); }
  /// Nothing, or the typed exception of the error.
  void value() const {
    if (!ok()) throw_error(*error_);
  }
  /// Requires !ok().
  const Error& error() const& noexcept { return *error_; }
  Error&& error() && noexcept { return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace skua

/// Of the macros below.
#define SKUA_CONCAT_INNER(a, b) a##b
/// Of the macros below.
#define SKUA_CONCAT(a, b) SKUA_CONCAT_INNER(a, b)

/// Leaves the function with the error of `expression` (a Status or Result) when it has one.
#define SKUA_RETURN_IF_ERROR(expression)                      \
  do {                                                        \
    if (auto skua_status = (expression); !skua_status.ok()) { \
      return std::move(skua_status).error();                  \
    }                                                         \
  } while (false)

/// `SKUA_ASSIGN_OR_RETURN(auto x, f());` - x is f's value, or the function leaves with f's error.
#define SKUA_ASSIGN_OR_RETURN(lhs, expression) \
  SKUA_ASSIGN_OR_RETURN_IMPL(SKUA_CONCAT(skua_result_, __LINE__), lhs, expression)
/// Of SKUA_ASSIGN_OR_RETURN.
#define SKUA_ASSIGN_OR_RETURN_IMPL(result, lhs, expression) \
  auto result = (expression);                               \
  if (!result.ok()) return std::move(result).error();       \
  lhs = *std::move(result)
