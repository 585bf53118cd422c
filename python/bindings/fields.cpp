#include "fields.h"

#include "nanobind/stl/string.h"
#include "values.h"

namespace skua::python {
namespace {

namespace nb = nanobind;

template <typename T>
void read_number(nb::handle value, const char* field, std::string_view expected, T& into) {
  // Nothing is rounded, and True is no number.
  if (PyBool_Check(value.ptr()) != 0 || !nb::try_cast(value, into)) refuse_field(field, expected, value);
}

}  // namespace

std::string shown(nb::handle value) {
  try {
    return nb::repr(value).c_str();
  } catch (const nb::python_error& error) {
    if (!error.matches(PyExc_Exception) || error.matches(PyExc_MemoryError)) throw;
  }
  return std::string("a ") + nb::type_name(value.type()).c_str() + " that cannot be shown";
}

void refuse_field(const char* field, std::string_view expected, nb::handle found, nb::handle cause) {
  raise_argument(Reason::kInvalidArgument,
                 std::string(field) + ": expected " + std::string(expected) + ", found " + shown(found),
                 cause);
}

nb::object optional_attribute(nb::handle object, const char* name) {
  nb::object attribute = attribute_or_null(object, name);
  if (!attribute.is_valid()) {
    if (PyErr_ExceptionMatches(PyExc_AttributeError) == 0) throw nb::python_error();
    PyErr_Clear();
  }
  return attribute;
}

void read(nb::handle value, const char* field, std::string& into) {
  nb::object text = nb::borrow(value);
  if (PyUnicode_Check(value.ptr()) == 0) {
    if (nb::object of_enumeration = optional_attribute(value, "value")) text = std::move(of_enumeration);
  }
  if (!nb::try_cast(text, into)) refuse_field(field, "a text", value);
}

void read(nb::handle value, const char* field, std::filesystem::path& into) {
  const nb::object path = nb::steal(PyOS_FSPath(value.ptr()));
  nb::object cause = take_refusal();
  const nb::object bytes = path.is_valid() && PyUnicode_Check(path.ptr()) != 0
                               ? nb::steal(PyUnicode_EncodeFSDefault(path.ptr()))
                               : path;
  if (!cause.is_valid()) cause = take_refusal();
  if (!bytes.is_valid()) refuse_field(field, "a path", value, cause);
  into = std::string(PyBytes_AsString(bytes.ptr()), static_cast<std::size_t>(PyBytes_Size(bytes.ptr())));
}

void read(nb::handle value, const char* field, bool& into) {
  if (PyBool_Check(value.ptr()) == 0) refuse_field(field, "True or False", value);
  into = value.ptr() == Py_True;
}

void read(nb::handle value, const char* field, int& into) {
  read_number(value, field, "a whole number", into);
}
void read(nb::handle value, const char* field, std::uint64_t& into) {
  read_number(value, field, "a whole number, not negative and below 2**64", into);
}
void read(nb::handle value, const char* field, std::int64_t& into) {
  read_number(value, field, "a whole number of 64 bits", into);
}
void read(nb::handle value, const char* field, double& into) { read_number(value, field, "a number", into); }

void read(nb::handle value, const char* field, Shape& into) {
  constexpr std::string_view kExpected = "a shape, as a tuple of whole numbers";
  const nb::object tuple = nb::steal(PySequence_Tuple(value.ptr()));
  const nb::object cause = take_refusal();
  if (!tuple.is_valid()) refuse_field(field, kExpected, value, cause);
  std::vector<std::int64_t> dims;
  for (const nb::handle dim : tuple) read_number(dim, field, kExpected, dims.emplace_back());
  auto shape = Shape::from(dims);
  if (!shape.ok()) raise_argument(Reason::kShapeMismatch, std::string(field) + ": " + shape.error().message);
  into = *shape;
}

void read(nb::handle value, const char* field, Sha256& into) {
  const auto digest = Sha256::from_hex(read_as<std::string>(value, field));
  if (!digest.ok()) refuse_field(field, "64 lower-case hex digits", value);
  into = *digest;
}

void read(nb::handle value, const char* field, Precision& into) {
  into = unwrap(precision_from_string(read_as<std::string>(value, field)));
}

void read(nb::handle value, const char* field, DType& into) {
  into = unwrap(dtype_from_string(read_as<std::string>(value, field)));
}

void read(nb::handle value, const char* field, TensorSpec& into) {
  Fields(value, field, "TensorSpec")("name", into.name)("dtype", into.dtype)("shape", into.shape)(
      "max_shape", into.max_shape)("data_dependent", into.data_dependent);
}

void read(nb::handle value, const char* field, OptimizationProfile& into) {
  if (PyTuple_Check(value.ptr()) != 0 && PyTuple_Size(value.ptr()) == 4) {  // as the stack's table has it
    read(nb::object(value[0]), field, into.input_name);
    read(nb::object(value[1]), field, into.min);
    read(nb::object(value[2]), field, into.opt);
    return read(nb::object(value[3]), field, into.max);
  }
  Fields(value, field, "OptimizationProfile", Accepted::kAnyAlike)("input_name", into.input_name)(
      "min", into.min)("opt", into.opt)("max", into.max);
}

void read(nb::handle value, const char* field, HostTuple& into) {
  Fields(value, field, "HostTuple")("sm", into.sm)("jetpack", into.jetpack)("tensorrt", into.tensorrt)(
      "l4t", into.l4t)("module_name", into.module_name)("sm_count", into.sm_count)(
      "tensorrt_build", into.tensorrt_build)("cuda_driver", into.cuda_driver)(
      "cuda_runtime", into.cuda_runtime)("cpu_arch", into.cpu_arch)("cpu_features", into.cpu_features);
}

Fields::Fields(nb::handle object, const char* field, const char* type, Accepted accepted)
    : object_(object), field_(field), type_(type) {
  if (accepted == Accepted::kAnyAlike || PyObject_IsInstance(object.ptr(), type_named(type).ptr()) == 1)
    return;
  const nb::object cause = take_refusal();
  refuse_field(field, std::string("a skua.") + type, object, cause);
}

nb::object Fields::attribute(const char* name) const {
  nb::object found = optional_attribute(object_, name);
  return found.is_valid() ? found : default_of(name);
}

nb::object Fields::default_of(const char* name) const {
  const nb::object field = type_named(type_).attr("__dataclass_fields__")[name];
  const nb::object missing = nb::module_::import_("dataclasses").attr("MISSING");
  if (!field.attr("default").is(missing)) return field.attr("default");
  if (!field.attr("default_factory").is(missing)) return field.attr("default_factory")();
  refuse_without(name);
}

void Fields::refuse_without(const char* name) const {
  const std::string kind = nb::str(object_.type().attr("__name__")).c_str();
  raise_argument(Reason::kInvalidArgument, std::string(field_) + ": expected the attribute '" + name +
                                               "', as a skua." + type_ + " has it; a " + kind + " has none");
}

const Fields& Fields::demand(const char* name) const {
  if (!nb::hasattr(object_, name)) refuse_without(name);
  return *this;
}

std::vector<nb::object> Fields::items_of(nb::handle value, const char* name) {
  const nb::object tuple = nb::steal(PySequence_Tuple(value.ptr()));
  const nb::object cause = take_refusal();
  if (!tuple.is_valid() || PyUnicode_Check(value.ptr()) != 0) refuse_field(name, "a sequence", value, cause);
  std::vector<nb::object> items;
  for (const nb::handle item : tuple) items.push_back(nb::borrow(item));
  return items;
}

std::vector<std::pair<nb::object, nb::object>> mapping_items(nb::handle value, const char* field) {
  const nb::object list =
      nb::steal(PyMapping_Check(value.ptr()) != 0 ? PyMapping_Items(value.ptr()) : nullptr);
  const nb::object cause = take_refusal();
  if (!list.is_valid()) refuse_field(field, "a mapping", value, cause);
  std::vector<std::pair<nb::object, nb::object>> items;
  for (const nb::handle item : list) {
    const bool is_pair = PyTuple_Check(item.ptr()) != 0 && PyTuple_Size(item.ptr()) == 2;
    if (!is_pair) refuse_field(field, "a mapping, whose items are pairs", value);
    items.emplace_back(nb::object(item[0]), nb::object(item[1]));
  }
  return items;
}

std::vector<std::pair<std::string, nb::object>> Fields::pairs_of(nb::handle value, const char* name) {
  std::vector<std::pair<std::string, nb::object>> pairs;
  for (auto& [key, item] : mapping_items(value, name))
    pairs.emplace_back(read_as<std::string>(key, name), std::move(item));
  return pairs;
}

}  // namespace skua::python
