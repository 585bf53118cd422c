#include "values.h"

#include <map>

#include "nanobind/stl/optional.h"
#include "nanobind/stl/string.h"

namespace skua::python {
namespace {

namespace nb = nanobind;

nb::handle& types_module() {
  static nb::handle module;
  return module;
}

nb::object text(std::string_view value) { return nb::str(value.data(), value.size()); }
nb::object member(const char* type, std::string_view value) { return type_named(type)(text(value)); }

[[noreturn]] void refuse(const char* field, std::string_view expected, nb::handle found) {
  raise_argument(Reason::kInvalidArgument, std::string(field) + ": expected " + std::string(expected) +
                                               ", found " + nb::repr(found).c_str());
}

template <typename T>
T value_from(nb::handle value, const char* field, std::string_view expected) {
  T result{};
  if (!nb::try_cast(value, result)) refuse(field, expected, value);
  return result;
}

template <typename T>
T field_from(nb::handle object, const char* field, std::string_view expected) {
  return value_from<T>(nb::object(object.attr(field)), field, expected);
}

}  // namespace

void register_types() { types_module() = nb::module_::import_("skua.types").release(); }
nb::object type_named(const char* name) { return types_module().attr(name); }

nb::object to_python(Precision precision) { return member("Precision", to_string(precision)); }

nb::object to_python(const Shape& shape) {
  nb::list dims;
  for (const std::int64_t dim : shape.dims()) dims.append(dim);
  return nb::tuple(dims);
}

nb::object to_python(const Sha256& digest) { return text(digest.hex()); }

nb::object to_python(const TensorSpec& spec) {
  using nb::literals::operator""_a;
  return type_named("TensorSpec")("name"_a = spec.name, "dtype"_a = member("DType", to_string(spec.dtype)),
                                  "shape"_a = to_python(spec.shape),
                                  "max_shape"_a = to_python(spec.max_shape),
                                  "data_dependent"_a = spec.data_dependent);
}

nb::object to_python(const OptimizationProfile& profile) {
  using nb::literals::operator""_a;
  return type_named("OptimizationProfile")("input_name"_a = profile.input_name,
                                           "min"_a = to_python(profile.min), "opt"_a = to_python(profile.opt),
                                           "max"_a = to_python(profile.max));
}

nb::object to_python(const HostTuple& host) {
  using nb::literals::operator""_a;
  return type_named("HostTuple")("sm"_a = host.sm, "jetpack"_a = host.jetpack, "tensorrt"_a = host.tensorrt,
                                 "l4t"_a = host.l4t, "module_name"_a = host.module_name,
                                 "sm_count"_a = host.sm_count, "tensorrt_build"_a = host.tensorrt_build,
                                 "cuda_driver"_a = host.cuda_driver, "cuda_runtime"_a = host.cuda_runtime,
                                 "cpu_arch"_a = host.cpu_arch, "cpu_features"_a = host.cpu_features);
}

nb::object to_python(const EngineInfo& info) {
  using nb::literals::operator""_a;
  return type_named("EngineInfo")(
      "model"_a = info.model, "runtime_label"_a = info.runtime_label, "device"_a = info.device,
      "provider"_a = info.provider, "arithmetic"_a = info.arithmetic, "sdk_version"_a = info.sdk_version,
      "precision"_a = to_python(info.precision), "engine_sha256"_a = to_python(info.engine_sha256),
      "resident_bytes"_a = info.resident_bytes, "inputs"_a = tuple_of(info.inputs),
      "outputs"_a = tuple_of(info.outputs), "profiles"_a = tuple_of(info.profiles));
}

nb::object to_python(const EngineLoadTimes& times) {
  using nb::literals::operator""_a;
  return type_named("EngineLoadTimes")("model"_a = times.model, "size_bytes"_a = times.size_bytes,
                                       "verify_ns"_a = times.verify_ns,
                                       "deserialize_ns"_a = times.deserialize_ns,
                                       "warm_up_ns"_a = times.warm_up_ns, "golden_ns"_a = times.golden_ns);
}

nb::object to_python(const ThermalState& state) {
  using nb::literals::operator""_a;
  return type_named("ThermalState")("cpu_temp_c"_a = state.cpu_temp_c, "gpu_temp_c"_a = state.gpu_temp_c,
                                    "thermal_throttle_active"_a = state.thermal_throttle_active,
                                    "measured_clock_mhz"_a = state.measured_clock_mhz,
                                    "measured_at_ns"_a = state.measured_at_ns,
                                    "is_telemetry_available"_a = state.is_telemetry_available);
}

std::string text_from(nb::handle value, const char* field) {
  const nb::object plain = nb::hasattr(value, "value") ? nb::object(value.attr("value")) : nb::borrow(value);
  return value_from<std::string>(plain, field, "a text");
}

std::filesystem::path path_from(nb::handle value, const char* field) {
  const nb::object path = nb::steal(PyOS_FSPath(value.ptr()));
  if (!path.is_valid()) {
    PyErr_Clear();
    refuse(field, "a path", value);
  }
  return value_from<std::string>(path, field, "a path");
}

Shape shape_from(nb::handle value, const char* field) {
  std::vector<std::int64_t> dims;
  const nb::object sequence = nb::steal(PySequence_Tuple(value.ptr()));
  if (!sequence.is_valid()) {
    PyErr_Clear();
    refuse(field, "a tuple of whole numbers", value);
  }
  for (const nb::handle dim : sequence) dims.push_back(value_from<std::int64_t>(dim, field, "whole numbers"));
  return unwrap(Shape::from(dims));
}

HostTuple host_from(nb::handle value) {
  HostTuple host;
  host.sm = field_from<int>(value, "sm", "a whole number");
  host.sm_count = field_from<int>(value, "sm_count", "a whole number");
  const std::pair<const char*, std::string HostTuple::*> texts[] = {
      {"jetpack", &HostTuple::jetpack},
      {"tensorrt", &HostTuple::tensorrt},
      {"l4t", &HostTuple::l4t},
      {"module_name", &HostTuple::module_name},
      {"tensorrt_build", &HostTuple::tensorrt_build},
      {"cuda_driver", &HostTuple::cuda_driver},
      {"cuda_runtime", &HostTuple::cuda_runtime},
      {"cpu_arch", &HostTuple::cpu_arch},
      {"cpu_features", &HostTuple::cpu_features}};
  for (const auto& [name, into] : texts) host.*into = field_from<std::string>(value, name, "a text");
  return host;
}

GatePolicy policy_from(nb::handle value) {
  GatePolicy policy;
  for (const nb::handle key : nb::object(value.attr("trusted_keys"))) {
    const PublicKey* trusted = nullptr;
    if (!nb::try_cast(key, trusted) || trusted == nullptr)
      refuse("trusted_keys", "keys of PublicKey.from_pem", key);
    policy.trusted_keys.push_back(*trusted);
  }
  policy.allow_unsigned = field_from<bool>(value, "allow_unsigned", "True or False");
  const std::map<std::string, ExpiryRule> rules = {
      {"refuse", ExpiryRule::kRefuse}, {"warn", ExpiryRule::kWarn}, {"not_judged", ExpiryRule::kNotJudged}};
  const nb::object expiry = value.attr("expiry");
  const auto rule = rules.find(text_from(expiry, "expiry"));
  if (rule == rules.end()) refuse("expiry", "refuse, warn or not_judged", expiry);
  policy.expiry = rule->second;
  using Sequence = std::optional<std::uint64_t>;
  policy.minimum_release_sequence = field_from<Sequence>(value, "minimum_release_sequence", "a whole number");
  policy.maximum_release_sequence = field_from<Sequence>(value, "maximum_release_sequence", "a whole number");
  policy.flight_set_limit_bytes =
      field_from<std::uint64_t>(value, "flight_set_limit_bytes", "a number of bytes");
  return policy;
}

namespace {

/// As the configuration file would have it.
std::string field_text(nb::handle value, const char* field) {
  if (PyBool_Check(value.ptr()) != 0) return value.ptr() == Py_True ? "true" : "false";
  if (PyLong_Check(value.ptr()) != 0 || PyFloat_Check(value.ptr()) != 0) return nb::repr(value).c_str();
  if (PyUnicode_Check(value.ptr()) != 0) return text_from(value, field);
  return path_from(value, field).string();
}

void add_lanes(RuntimeConfig& config, nb::handle lanes) {
  for (const nb::handle lane : nb::object(nb::borrow(lanes))) {
    config.lanes.push_back({text_from(nb::object(lane.attr("consumer")), "lanes: consumer"),
                            text_from(nb::object(lane.attr("engine")), "lanes: engine")});
  }
}

}  // namespace

RuntimeConfig config_from(nb::handle fields) {
  RuntimeConfig config;
  for (const auto& [key, value] : nb::cast<nb::dict>(fields)) {
    const std::string name = text_from(key, "configuration key");
    if (name == "lanes") {
      add_lanes(config, value);
      continue;
    }
    unwrap(set_field(config, name, field_text(value, name.c_str())));
  }
  return config;
}

}  // namespace skua::python
