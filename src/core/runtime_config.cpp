#include "skua/runtime_config.h"

#include "skua_runtimes.h"

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <type_traits>

#include "core/config_fields.h"
#include "core/known_runtimes.h"
#include "core/text.h"
#include "skua/build_config.h"

namespace skua {
namespace {

using Config = RuntimeConfig;

template <std::size_t N>
bool is_one_of(const std::string& text, const std::array<std::string_view, N>& allowed) {
  return std::find(allowed.begin(), allowed.end(), text) != allowed.end();
}

constexpr std::array<std::string_view, 3> kProviders = {"tensorrt", "cuda", "cpu"};
constexpr std::array<std::string_view, 3> kDevices = {"", "cpu", "cuda"};
constexpr std::array<std::string_view, 3> kArithmetics = {"", "widened", "native"};
constexpr std::array<std::string_view, 3> kWaits = {"spin", "block", "poll"};
constexpr std::array<std::string_view, 3> kIoMemories = {"auto", "mapped", "copied"};
constexpr std::array<std::string_view, 6> kThermalSources = {"auto",  "jetson_sysfs", "nvml",
                                                             "linux", "replay",       "null"};
constexpr std::array<std::string_view, 3> kLogSinks = {"stdout", "journald", "none"};
constexpr std::array<std::string_view, 4> kLogLevels = {"DEBUG", "INFO", "WARN", "ERROR"};
constexpr int kMostThreads = 64;
constexpr int kMostMatcherLanes = 8;
constexpr int kLeastBuildMemoryMb = 256;
constexpr int kMostCpus = 1024;
constexpr int kLowestPriority = 19;
constexpr int kLongestSyncMs = 60000;
constexpr std::uint64_t kSmallestRecorder = 1U << 20U;
constexpr double kFastestPollHz = 10.0;

// A slug, so that it can stand in log fields and file names.
bool is_legal_name(std::string_view name) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789_";
  return !name.empty() && name.size() <= 64 && name.find_first_not_of(kAllowed) == std::string_view::npos;
}

bool is_absolute_or_empty(const std::filesystem::path& path) { return path.empty() || path.is_absolute(); }

// "model/tensor,model/tensor"; empty: none.
bool is_tensor_list(std::string_view list) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view item = list.substr(0, comma);
    const std::size_t slash = item.find('/');
    if (slash == std::string_view::npos || slash + 1 == item.size() || !is_legal_name(item.substr(0, slash)))
      return false;
    if (comma == std::string_view::npos) return true;
    list.remove_prefix(comma + 1);
    if (list.empty()) return false;
  }
  return true;
}

const std::array kFields = {
    ConfigField{"runtime", &Config::runtime,
                [](const Config& c) { return find_known_runtime(c.runtime) != nullptr; },
                SKUA_RUNTIME_LABELS},
    ConfigField{"engine_cache_dir", &Config::engine_cache_dir,
                [](const Config& c) { return c.engine_cache_dir.is_absolute(); }, "an absolute path"},
    ConfigField{
        "thermal_poll_hz", &Config::thermal_poll_hz,
        [](const Config& c) { return c.thermal_poll_hz > 0.0 && c.thermal_poll_hz <= kFastestPollHz; },
        "a number above 0 and at most 10"},
    ConfigField{"thermal_source", &Config::thermal_source,
                [](const Config& c) { return is_one_of(c.thermal_source, kThermalSources); },
                "auto, jetson_sysfs, nvml, linux, replay or null"},
    ConfigField{"thermal_replay", &Config::thermal_replay,
                [](const Config& c) { return is_absolute_or_empty(c.thermal_replay); },
                "an absolute path, or the field left out"},
    ConfigField{"thermal_cpu", &Config::thermal_cpu,
                [](const Config& c) { return c.thermal_cpu >= -1 && c.thermal_cpu < kMostCpus; },
                "the number of a core, or -1 for any"},
    ConfigField{"thermal_nice", &Config::thermal_nice,
                [](const Config& c) { return c.thermal_nice >= 0 && c.thermal_nice <= kLowestPriority; },
                "a whole number from 0 to 19"},
    ConfigField{"per_frame_debug_log", &Config::per_frame_debug_log, [](const Config&) { return true; },
                "true or false"},
    ConfigField{"gpu_memory_budget_bytes", &Config::gpu_memory_budget_bytes,
                [](const Config& c) { return c.gpu_memory_budget_bytes > 0; }, "a number of bytes above 0"},
    ConfigField{"trtexec_timeout_s", &Config::trtexec_timeout_s,
                [](const Config& c) { return c.trtexec_timeout_s > 0; }, "a number of seconds above 0"},
    ConfigField{"build_memory_mb", &Config::build_memory_mb,
                [](const Config& c) { return c.build_memory_mb >= kLeastBuildMemoryMb; },
                "a number of MiB, at least 256"},
    ConfigField{"ort_trt_cache_dir", &Config::ort_trt_cache_dir,
                [](const Config& c) { return is_absolute_or_empty(c.ort_trt_cache_dir); },
                "an absolute path, or the field left out for a folder under engine_cache_dir"},
    ConfigField{"ort_disallow_cpu_fallback", &Config::ort_disallow_cpu_fallback,
                [](const Config& c) { return c.ort_disallow_cpu_fallback; },
                "true: Skua never runs a network on another provider than the configured one; to run on the "
                "CPU, say so "
                "with execution_provider: cpu"},
    ConfigField{"flight_sets_dir", &Config::flight_sets_dir,
                [](const Config& c) { return c.flight_sets_dir.is_absolute(); }, "an absolute path"},
    ConfigField{"state_dir", &Config::state_dir, [](const Config& c) { return c.state_dir.is_absolute(); },
                "an absolute path"},
    ConfigField{"flight_set_limit_bytes", &Config::flight_set_limit_bytes,
                [](const Config& c) { return c.flight_set_limit_bytes > 0; }, "a number of bytes above 0"},
    ConfigField{"trusted_key", &Config::trusted_key,
                [](const Config& c) { return is_absolute_or_empty(c.trusted_key); },
                "the absolute path of a public key, or the field left out where nothing is loaded"},
    ConfigField{"next_trusted_key", &Config::next_trusted_key,
                [](const Config& c) { return is_absolute_or_empty(c.next_trusted_key); },
                "the absolute path of a public key, or the field left out for none"},
    ConfigField{"release_sequence_step", &Config::release_sequence_step,
                [](const Config& c) { return c.release_sequence_step > 0; }, "a whole number above 0"},
    ConfigField{"is_clock_trusted", &Config::is_clock_trusted, [](const Config&) { return true; },
                "true or false"},
    ConfigField{"lightglue_model", &Config::lightglue_model,
                [](const Config& c) { return is_legal_model_name(c.lightglue_model); },
                "a model's logical name: 1 to 64 characters of a-z, 0-9 and _, no double underscore"},
    ConfigField{
        "lightglue_lanes", &Config::lightglue_lanes,
        [](const Config& c) { return c.lightglue_lanes >= 1 && c.lightglue_lanes <= kMostMatcherLanes; },
        "a whole number from 1 to 8"},
    ConfigField{"log_sink", &Config::log_sink,
                [](const Config& c) { return is_one_of(c.log_sink, kLogSinks); }, "stdout, journald or none"},
    ConfigField{"log_level", &Config::log_level,
                [](const Config& c) { return is_one_of(c.log_level, kLogLevels); },
                "DEBUG, INFO, WARN or ERROR"},
    ConfigField{"recorder_dir", &Config::recorder_dir,
                [](const Config& c) { return is_absolute_or_empty(c.recorder_dir); },
                "an absolute path, or the field left out for no flight recorder"},
    ConfigField{"recorder_limit_bytes", &Config::recorder_limit_bytes,
                [](const Config& c) { return c.recorder_limit_bytes >= kSmallestRecorder; },
                "a number of bytes, at least 1048576"},
    ConfigField{
        "recorder_sync_ms", &Config::recorder_sync_ms,
        [](const Config& c) { return c.recorder_sync_ms >= 0 && c.recorder_sync_ms <= kLongestSyncMs; },
        "a number of milliseconds from 0 to 60000"},
    ConfigField{"intra_op_threads", &Config::intra_op_threads,
                [](const Config& c) { return c.intra_op_threads >= 1 && c.intra_op_threads <= kMostThreads; },
                "a whole number from 1 to 64"},
    ConfigField{"execution_provider", &Config::execution_provider,
                [](const Config& c) { return is_one_of(c.execution_provider, kProviders); },
                "tensorrt, cuda or cpu"},
    ConfigField{"onnxruntime_library", &Config::onnxruntime_library,
                [](const Config& c) { return is_absolute_or_empty(c.onnxruntime_library); },
                "an absolute path, or the field left out for the library fixed when Skua was built"},
    ConfigField{"device", &Config::device, [](const Config& c) { return is_one_of(c.device, kDevices); },
                "cpu or cuda, or the field left out for what libtorch was built for"},
    ConfigField{"arithmetic", &Config::arithmetic,
                [](const Config& c) { return is_one_of(c.arithmetic, kArithmetics); },
                "widened or native, or the field left out for the device's own"},
    ConfigField{"torch_library", &Config::torch_library,
                [](const Config& c) { return is_absolute_or_empty(c.torch_library); },
                "an absolute path, or the field left out for the library fixed when Skua was built"},
    ConfigField{"tensorrt_wait", &Config::tensorrt_wait,
                [](const Config& c) { return is_one_of(c.tensorrt_wait, kWaits); }, "spin, block or poll"},
    ConfigField{"tensorrt_io_memory", &Config::tensorrt_io_memory,
                [](const Config& c) { return is_one_of(c.tensorrt_io_memory, kIoMemories); },
                "auto, mapped or copied"},
    ConfigField{"tensorrt_copied_tensors", &Config::tensorrt_copied_tensors,
                [](const Config& c) { return is_tensor_list(c.tensorrt_copied_tensors); },
                "a comma list of MODEL/TENSOR, or the field left out for none"},
    ConfigField{"tensorrt_cuda_graphs", &Config::tensorrt_cuda_graphs, [](const Config&) { return true; },
                "true or false"},
    ConfigField{"trtexec", &Config::trtexec, [](const Config& c) { return c.trtexec.is_absolute(); },
                "an absolute path"},
    ConfigField{"polygraphy", &Config::polygraphy,
                [](const Config& c) { return is_absolute_or_empty(c.polygraphy); },
                "an absolute path, or the field left out for none"},
};

Error config_error(std::string message) {
  return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument, std::move(message));
}

Error field_error(const ConfigField& field, std::string_view found) {
  return config_error(std::string(field.name) + " is " + quote(found, 4096) + "; expected " +
                      std::string(field.expected));
}

bool read_value(std::string_view text, std::string& into) { return into = text, true; }
bool read_value(std::string_view text, std::filesystem::path& into) {
  return into = std::filesystem::path(text), text.find('\0') == std::string_view::npos;
}
bool read_value(std::string_view text, bool& into) {
  into = text == "true";
  return into || text == "false";
}
bool read_value(std::string_view text, double& into) {
  const auto value = parse_double(text);
  into = value.value_or(0.0);
  return value.has_value();
}
bool read_value(std::string_view text, std::uint64_t& into) {
  const auto value = parse_uint64(text);
  into = value.value_or(0);
  return value.has_value();
}
bool read_value(std::string_view text, int& into) {
  const auto value = parse_int64(text);
  if (!value || *value < std::numeric_limits<int>::min() || *value > std::numeric_limits<int>::max())
    return false;
  into = static_cast<int>(*value);
  return true;
}

std::string print_value(const std::string& value) { return value; }
std::string print_value(const std::filesystem::path& value) { return value.string(); }
std::string print_value(bool value) { return value ? "true" : "false"; }
std::string print_value(double value) { return print_double(value); }
std::string print_value(std::uint64_t value) { return std::to_string(value); }
std::string print_value(int value) { return std::to_string(value); }

std::string print_field(const RuntimeConfig& config, const ConfigField& field) {
  return std::visit([&](auto member) { return print_value(config.*member); }, field.member);
}

Status check_replay(const RuntimeConfig& config) {
  const bool is_replay = config.thermal_source == "replay";
  if (is_replay == !config.thermal_replay.empty()) return {};
  return config_error(
      is_replay
          ? "thermal_source is 'replay' and thermal_replay is left out; name the recorded file"
          : "thermal_replay is " + quote(config.thermal_replay.string(), 4096) + " and thermal_source is " +
                quote(config.thermal_source) + "; a recording is read only with thermal_source: replay");
}

Status check_lanes(const RuntimeConfig& config) {
  std::set<std::string_view> names = {"default"};
  for (const LaneDeclaration& lane : config.lanes) {
    if (!is_legal_name(lane.consumer)) {
      return config_error("lanes: consumer " + quote(lane.consumer) +
                          " is not allowed; expected 1 to 64 characters of a-z, 0-9 and _");
    }
    if (!lane.engine.empty() && !is_legal_model_name(lane.engine)) {
      return config_error("lanes: engine " + quote(lane.engine) + " of " + quote(lane.consumer) +
                          " is not allowed; expected a model's logical name");
    }
    if (!names.insert(lane.consumer).second) {
      return config_error("lanes: consumer " + quote(lane.consumer) +
                          " is declared twice; name each once, and not 'default', which always exists");
    }
  }
  return {};
}

}  // namespace

std::span<const ConfigField> config_fields() noexcept { return kFields; }

Status check_field(const RuntimeConfig& config, const ConfigField& field) {
  if (field.is_allowed(config)) return {};
  return field_error(field, print_field(config, field));
}

Status RuntimeConfig::validate() const {
  for (const ConfigField& field : kFields) SKUA_RETURN_IF_ERROR(check_field(*this, field));
  SKUA_RETURN_IF_ERROR(check_replay(*this));
  return check_lanes(*this);
}

Status set_field(RuntimeConfig& config, std::string_view key, std::string_view value) {
  std::vector<std::string_view> known;
  for (const ConfigField& field : kFields) {
    known.push_back(field.name);
    if (field.name != key) continue;
    RuntimeConfig changed = config;
    const bool is_read =
        std::visit([&](auto member) { return read_value(value, changed.*member); }, field.member);
    if (!is_read || !field.is_allowed(changed)) return field_error(field, value);
    config = std::move(changed);
    return {};
  }
  return config_error("configuration key " + quote(key) + " is unknown; expected one of " + join(known));
}

std::vector<std::pair<std::string, std::string>> fields_of(const RuntimeConfig& config) {
  std::vector<std::pair<std::string, std::string>> fields;
  for (const ConfigField& field : kFields) fields.emplace_back(field.name, print_field(config, field));
  return fields;
}

}  // namespace skua
