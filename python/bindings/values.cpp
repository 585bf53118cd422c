#include "values.h"

#include "core/config_fields.h"
#include "events/timestamp.h"
#include "nanobind/stl/string.h"

namespace skua::python {
namespace {

namespace nb = nanobind;
using nb::literals::operator""_a;

/// Borrowed for the life of the process.
PyObject*& types_module() {
  static PyObject* module = nullptr;
  return module;
}

nb::object member(const char* type, std::string_view value) { return type_named(type)(to_python(value)); }

}  // namespace

nb::object attribute_or_null(nb::handle object, const char* name) {
  // PyObject_GetAttrString makes a text each time, and Python's cache of attributes keeps thousands of them.
  const nb::object key = nb::steal(PyUnicode_InternFromString(name));
  return nb::steal(key.is_valid() ? PyObject_GetAttr(object.ptr(), key.ptr()) : nullptr);
}

void register_types() { types_module() = nb::module_::import_("skua.types").release().ptr(); }
nb::object type_named(const char* name) {
  nb::object type = attribute_or_null(types_module(), name);
  if (!type.is_valid()) throw nb::python_error();
  return type;
}

nb::object to_python(std::string_view text) {
  // Paths and messages may hold any bytes.
  const auto size = static_cast<Py_ssize_t>(text.size());
  return nb::steal(PyUnicode_DecodeUTF8(text.data(), size, "surrogateescape"));
}
nb::object to_python(const std::string& text) { return to_python(std::string_view(text)); }
nb::object to_python(Precision precision) { return member("Precision", to_string(precision)); }
nb::object to_python(const Sha256& digest) { return to_python(digest.hex()); }

nb::object to_python(const Shape& shape) {
  nb::list dims;
  for (const std::int64_t dim : shape.dims()) dims.append(dim);
  return nb::tuple(dims);
}

nb::object to_python(const TensorSpec& spec) {
  return type_named("TensorSpec")("name"_a = spec.name, "dtype"_a = member("DType", to_string(spec.dtype)),
                                  "shape"_a = to_python(spec.shape),
                                  "max_shape"_a = to_python(spec.max_shape),
                                  "data_dependent"_a = spec.data_dependent);
}

nb::object to_python(const OptimizationProfile& profile) {
  return type_named("OptimizationProfile")("input_name"_a = profile.input_name,
                                           "min"_a = to_python(profile.min), "opt"_a = to_python(profile.opt),
                                           "max"_a = to_python(profile.max));
}

nb::object to_python(const HostTuple& host) {
  return type_named("HostTuple")("sm"_a = host.sm, "jetpack"_a = host.jetpack, "tensorrt"_a = host.tensorrt,
                                 "l4t"_a = host.l4t, "module_name"_a = to_python(host.module_name),
                                 "sm_count"_a = host.sm_count, "tensorrt_build"_a = host.tensorrt_build,
                                 "cuda_driver"_a = host.cuda_driver, "cuda_runtime"_a = host.cuda_runtime,
                                 "cpu_arch"_a = host.cpu_arch, "cpu_features"_a = host.cpu_features);
}

nb::object to_python(const CalibrationProvenance& calibration) {
  return type_named("CalibrationProvenance")(
      "dataset_sha256"_a = to_python(calibration.dataset_sha256), "sample_count"_a = calibration.sample_count,
      "cache_sha256"_a = to_python(calibration.cache_sha256), "algorithm"_a = calibration.algorithm,
      "producer"_a = calibration.producer);
}

nb::object to_python(const EngineCacheEntry& entry) {
  return type_named("EngineCacheEntry")(
      "engine_path"_a = to_python(entry.engine_path.string()), "model"_a = entry.model,
      "runtime_label"_a = entry.runtime_label, "host"_a = to_python(entry.host),
      "precision"_a = to_python(entry.precision), "engine_sha256"_a = to_python(entry.engine_sha256),
      "size_bytes"_a = entry.size_bytes, "device_memory_bytes"_a = entry.device_memory_bytes,
      "model_sha256"_a = to_python(entry.model_sha256),
      "build_config_sha256"_a = to_python(entry.build_config_sha256),
      "calibration"_a = to_python(entry.calibration), "inputs"_a = tuple_of(entry.inputs),
      "outputs"_a = tuple_of(entry.outputs));
}

nb::object to_python(const EngineInfo& info) {
  return type_named("EngineInfo")(
      "model"_a = info.model, "runtime_label"_a = info.runtime_label, "device"_a = info.device,
      "provider"_a = info.provider, "arithmetic"_a = info.arithmetic, "sdk_version"_a = info.sdk_version,
      "precision"_a = to_python(info.precision), "engine_sha256"_a = to_python(info.engine_sha256),
      "resident_bytes"_a = info.resident_bytes, "inputs"_a = tuple_of(info.inputs),
      "outputs"_a = tuple_of(info.outputs), "profiles"_a = tuple_of(info.profiles));
}

nb::object to_python(const EngineLoadTimes& times) {
  return type_named("EngineLoadTimes")("model"_a = times.model, "size_bytes"_a = times.size_bytes,
                                       "verify_ns"_a = times.verify_ns,
                                       "deserialize_ns"_a = times.deserialize_ns,
                                       "warm_up_ns"_a = times.warm_up_ns, "golden_ns"_a = times.golden_ns);
}

nb::object to_python(const ThermalState& state) {
  return type_named("ThermalState")("cpu_temp_c"_a = state.cpu_temp_c, "gpu_temp_c"_a = state.gpu_temp_c,
                                    "thermal_throttle_active"_a = state.thermal_throttle_active,
                                    "measured_clock_mhz"_a = state.measured_clock_mhz,
                                    "measured_at_ns"_a = state.measured_at_ns,
                                    "is_telemetry_available"_a = state.is_telemetry_available);
}

namespace {

nb::object plain(const std::filesystem::path& path) { return to_python(path.string()); }
nb::object plain(const std::string& text) { return to_python(text); }
template <typename Number>
nb::object plain(Number number) {
  return nb::cast(number);
}

nb::object lanes_of(const RuntimeConfig& config) {
  nb::list lanes;
  for (const LaneDeclaration& lane : config.lanes) {
    lanes.append(type_named("LaneDeclaration")(lane.consumer, lane.engine));
  }
  return nb::tuple(lanes);
}

}  // namespace

nb::object to_python(const RuntimeConfig& config) {
  nb::dict fields;
  for (const ConfigField& field : config_fields()) {
    fields[to_python(field.name)] =
        std::visit([&](auto member) { return plain(config.*member); }, field.member);
  }
  fields["lanes"] = lanes_of(config);
  return type_named("RuntimeConfig")(**fields);
}

nb::object to_python(const AirborneConfig& config) {
  nb::object consumers = nb::none();
  if (config.consumers) consumers = tuple_of(*config.consumers);
  return type_named("AirborneConfig")(
      "mode"_a = member("FlightMode", config.mode == FlightMode::kReplay ? "replay" : "live"),
      "has_inference_block"_a = config.has_inference_block, "inference"_a = to_python(config.inference),
      "consumers"_a = consumers);
}

namespace {

struct PlainValue {
  nb::object operator()(std::monostate) const { return nb::none(); }
  nb::object operator()(const std::string& text) const { return to_python(text); }
  template <typename Number>
  nb::object operator()(Number number) const {
    return nb::cast(number);
  }
};

}  // namespace

nb::object to_python(const FlightRecord& record) {
  nb::dict payload;
  for (const auto& [key, value] : record.payload) payload[to_python(key)] = std::visit(PlainValue(), value);
  return type_named("FlightRecord")(
      "schema_version"_a = static_cast<int>(FlightRecord::kSchemaVersion),
      "producer_id"_a = to_python(FlightRecord::kProducer), "ts"_a = iso8601_utc(record.utc_us),
      "monotonic_ns"_a = record.monotonic_ns, "kind"_a = to_python(record.kind), "payload"_a = payload);
}

}  // namespace skua::python
