// What a program says of an error at its end: skua.operator_text and skua.exit_status_of.
#include <memory>

#include "core/exit_status.h"
#include "errors.h"
#include "fields.h"
#include "module.h"
#include "nanobind/stl/string.h"
#include "skua/airborne_bootstrap.h"

namespace skua::python {
namespace {

namespace nb = nanobind;
using nb::literals::operator""_a;

bool is_skua_error(nb::handle given) {
  const nb::object base = nb::module_::import_("skua.errors").attr("SkuaError");
  const int is_instance = PyObject_IsInstance(given.ptr(), base.ptr());
  if (is_instance < 0) throw nb::python_error();
  return is_instance == 1;
}

/// By the nearest class of skua.errors that it is an instance of.
ErrorCode code_of(nb::handle error) {
  const nb::module_ errors = nb::module_::import_("skua.errors");
  for (const nb::handle type : nb::borrow<nb::tuple>(error.type().attr("__mro__"))) {
    for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
      const auto code = static_cast<ErrorCode>(i);
      if (type.is(errors.attr(std::string(error_class_name(code)).c_str()))) return code;
    }
  }
  return ErrorCode::kInternal;
}

Reason reason_of(nb::handle error) {
  const auto name = read_as<std::string>(error.attr("reason"), "reason");
#define SKUA_REASON_VALUE(enumerator, text, sentence) Reason::enumerator,
  for (const Reason reason : {SKUA_REASONS(SKUA_REASON_VALUE)}) {
    if (to_string(reason) == name) return reason;
  }
#undef SKUA_REASON_VALUE
  return Reason::kNone;
}

constexpr int kMostCauses = 16;

/// As it was before it became an exception; causes that are not Skua's are left out. Python lets a chain of
/// causes close, so their number has an end.
Error error_of(nb::handle given, int most_causes) {
  if (!is_skua_error(given)) refuse_field("error", "a skua.SkuaError", given);
  Error error =
      make_error(code_of(given), reason_of(given), read_as<std::string>(given.attr("message"), "message"));
  const nb::object cause = given.attr("__cause__");
  if (most_causes > 0 && is_skua_error(cause))
    error.cause = std::make_shared<const Error>(error_of(cause, most_causes - 1));
  return error;
}

}  // namespace

void bind_errors(nb::module_& module) {
  module.def(
      "operator_text", [](nb::handle error) { return operator_text(error_of(error, kMostCauses)); },
      "error"_a, nb::sig("def operator_text(error: skua.errors.SkuaError) -> str"),
      "What an operator reads on stderr where the airborne program cannot start: "
      "\"airborne_bootstrap: <message> [<reason>]\", with the causes behind it.");
  module.def(
      "exit_status_of", [](nb::handle error) { return exit_status_of(error_of(error, 0)); }, "error"_a,
      nb::sig("def exit_status_of(error: skua.errors.SkuaError) -> int"),
      "What a program ends with, as Skua's own do: 1 to 10. 10, device_lost: start the program again.");
}

}  // namespace skua::python
