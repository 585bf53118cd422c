#include "skua/build_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <tuple>

#include "core/text.h"

namespace skua {
namespace {

constexpr std::size_t kLongestModelName = 64;

Error config_error(std::string message) {
  return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument, std::move(message));
}

Status check_model_name(std::string_view name) {
  if (is_legal_model_name(name)) return {};
  return config_error(
      "model_name " + quote(name) +
      " is not allowed; expected 1 to 64 characters of a-z, 0-9 and _, without a double underscore");
}

/// A field for int8 and mixed alone: a path, or nothing.
Status check_judged_path(const BuildConfig& config, std::string_view field,
                         const std::optional<std::filesystem::path>& path) {
  if (path && path->empty())
    return config_error(std::string(field) + " is an empty path; give the path or leave the field out");
  if (!path || is_judged(config.precision)) return {};
  return config_error(std::string(field) + " is set, but precision " +
                      std::string(to_string(config.precision)) +
                      " is not judged by samples; only int8 and mixed are: leave the field out, or ask for "
                      "one of them");
}

/// How int8's ranges are made.
Status check_ranges(const BuildConfig& config) {
  const BuildConfig defaults;
  if (config.calibration_algorithm != "entropy2" && config.calibration_algorithm != "minmax")
    return config_error("calibration_algorithm is " + quote(config.calibration_algorithm) +
                        "; expected entropy2 or minmax");
  if (config.calibration_cache && config.calibration_cache->empty())
    return config_error("calibration_cache is an empty path; give the path or leave the field out");
  if (config.precision == Precision::kInt8) return {};
  const char* const field = config.calibration_cache ? "calibration_cache"
                            : config.calibration_algorithm != defaults.calibration_algorithm
                                ? "calibration_algorithm"
                            : config.allow_cpu_ranges ? "allow_cpu_ranges"
                                                      : nullptr;
  if (field == nullptr) return {};
  return config_error(std::string(field) + " is set, but precision " +
                      std::string(to_string(config.precision)) +
                      " is not calibrated; only int8 is: leave the field out, or ask for int8");
}

Status check_calibration(const BuildConfig& config) {
  SKUA_RETURN_IF_ERROR(check_judged_path(config, "calibration_dataset", config.calibration_dataset));
  SKUA_RETURN_IF_ERROR(check_judged_path(config, "fp32_source", config.fp32_source));
  SKUA_RETURN_IF_ERROR(check_judged_path(config, "accuracy_dataset", config.accuracy_dataset));
  SKUA_RETURN_IF_ERROR(check_ranges(config));
  if (!is_judged(config.precision) || config.calibration_dataset) return {};
  return config_error("precision " + std::string(to_string(config.precision)) +
                      " needs calibration_dataset, which is not set: its samples are what the artifact is "
                      "judged by; give the data set's folder");
}

Error looser(const std::string& field, double found, const std::string& expected) {
  return config_error("accuracy." + field + " is " + print_double(found) + "; expected " + expected +
                      ": bounds may be tightened, not loosened");
}

Status check_accuracy(const BuildConfig& config) {
  if (config.accuracy == AccuracyLimits() || is_judged(config.precision)) return config.accuracy.validate();
  return config_error("accuracy is set, but precision " + std::string(to_string(config.precision)) +
                      " is not judged by samples; leave the field out");
}

std::string profile_text(const OptimizationProfile& profile) {
  return "optimization profile of " + quote(profile.input_name) + " (min " + profile.min.to_string() +
         ", opt " + profile.opt.to_string() + ", max " + profile.max.to_string() + ")";
}

Status check_axis(const OptimizationProfile& profile, std::size_t axis) {
  const auto min = profile.min[axis], opt = profile.opt[axis], max = profile.max[axis];
  const std::string where = " in axis " + std::to_string(axis);
  if (std::min({min, opt, max}) < 1) {
    return config_error(profile_text(profile) + " has " + std::to_string(std::min({min, opt, max})) + where +
                        "; every dimension must be at least 1");
  }
  if (min > opt || opt > max) {
    return config_error(profile_text(profile) + " is out of order" + where + "; expected min <= opt <= max");
  }
  return {};
}

Status check_profile(const OptimizationProfile& profile) {
  if (profile.input_name.empty()) {
    return config_error("an optimization profile has an empty input name; name the input it is for");
  }
  if (profile.min.rank() != profile.opt.rank() || profile.opt.rank() != profile.max.rank()) {
    return config_error(profile_text(profile) + " mixes ranks; expected one rank for min, opt and max");
  }
  for (std::size_t axis = 0; axis < profile.min.rank(); ++axis)
    SKUA_RETURN_IF_ERROR(check_axis(profile, axis));
  if (!profile.max.byte_size(DType::kFloat64).ok()) {
    return config_error(profile_text(profile) + " has more elements at max than can be addressed; lower max");
  }
  return {};
}

Status check_profiles_alone(const BuildConfig& config) {
  std::set<std::string_view> names;
  for (const OptimizationProfile& profile : config.optimization_profiles) {
    SKUA_RETURN_IF_ERROR(check_profile(profile));
    if (!names.insert(profile.input_name).second) {
      return config_error("two optimization profiles for input " + quote(profile.input_name) +
                          "; expected one for each input");
    }
  }
  return {};
}

Status check_keep_fp32(const BuildConfig& config) {
  std::set<std::string_view> patterns;
  for (const std::string& pattern : config.keep_fp32) {
    if (pattern.empty())
      return config_error("keep_fp32 has an empty pattern; give a node name, * and ? allowed");
    if (!patterns.insert(pattern).second) {
      return config_error("keep_fp32 has the pattern " + quote(pattern) + " twice; give it once");
    }
  }
  return {};
}

Status check_output_shapes(const BuildConfig& config) {
  for (const auto& [name, shape] : config.max_output_shapes) {
    if (name.empty()) return config_error("max_output_shapes has an empty output name; name the output");
    const auto dims = shape.dims();
    const bool is_usable = std::all_of(dims.begin(), dims.end(), [](std::int64_t dim) { return dim >= 1; });
    if (!is_usable || !shape.byte_size(DType::kFloat64).ok()) {
      return config_error("max_output_shapes of " + quote(name) + " is " + shape.to_string() +
                          "; a capacity needs dimensions of at least 1 that fit into memory");
    }
  }
  return {};
}

Status check_tolerance(const std::string& output, const Tolerance& tolerance) {
  const std::string where = "tolerance of output " + quote(output) + ": ";
  const std::array bounds = {std::pair("absolute", tolerance.absolute),
                             std::pair("relative", tolerance.relative)};
  for (const auto& [field, value] : bounds) {
    if (!std::isfinite(value) || value < 0.0) {
      return config_error(where + field + " is " + print_double(value) + "; expected a finite number >= 0");
    }
  }
  const double fraction = tolerance.max_mismatch_fraction;
  if (!(fraction >= 0.0 && fraction <= 1.0)) {
    return config_error(where + "max_mismatch_fraction is " + print_double(fraction) + "; expected 0 to 1");
  }
  return {};
}

Status check_golden(const BuildConfig& config) {
  if (!config.golden) return {};
  if (config.golden->file.empty()) return config_error("golden.file is empty; give the golden vector file");
  if (config.golden->origin.empty()) {
    return config_error("golden.origin is empty; say where the expected values of " +
                        quote(config.golden->file.string(), 4096) + " come from");
  }
  return {};
}

Status check_declared_io(const BuildConfig& config) {
  for (const auto& [input, dtype] : config.input_dtypes) {
    if (input.empty()) return config_error("input_dtypes has an empty input name; name the input");
    if (dtype_size(dtype) == 0) {
      return config_error("input_dtypes of " + quote(input) + " holds the number " +
                          std::to_string(static_cast<int>(dtype)) + "; expected an element type");
    }
  }
  std::set<std::string_view> names;
  for (const std::string& output : config.output_names) {
    if (output.empty()) return config_error("output_names has an empty name; name every output, in order");
    if (!names.insert(output).second) {
      return config_error("output_names has " + quote(output) +
                          " twice; expected a name of its own for each");
    }
  }
  return {};
}

constexpr std::array kRoutes = {BuildRoute::kBuilder, BuildRoute::kTrtexec, BuildRoute::kPolygraphy};
constexpr std::array kPrecisions = {Precision::kFp16, Precision::kInt8, Precision::kMixed, Precision::kFp32};

Status check_enumerators(const BuildConfig& config) {
  if (std::find(kPrecisions.begin(), kPrecisions.end(), config.precision) == kPrecisions.end()) {
    return config_error("precision holds the number " + std::to_string(static_cast<int>(config.precision)) +
                        "; expected fp16, int8, mixed or fp32");
  }
  if (std::find(kRoutes.begin(), kRoutes.end(), config.build_route) == kRoutes.end()) {
    return config_error("build_route holds the number " +
                        std::to_string(static_cast<int>(config.build_route)) +
                        "; expected builder, trtexec or polygraphy");
  }
  return {};
}

}  // namespace

std::string_view to_string(BuildRoute route) noexcept {
  switch (route) {
    case BuildRoute::kBuilder:
      return "builder";
    case BuildRoute::kTrtexec:
      return "trtexec";
    case BuildRoute::kPolygraphy:
      return "polygraphy";
  }
  return "unknown";
}

Result<BuildRoute> build_route_from_string(std::string_view name) {
  for (const BuildRoute route : kRoutes) {
    if (to_string(route) == name) return route;
  }
  return config_error("build_route " + quote(name) + " is unknown; expected builder, trtexec or polygraphy");
}

bool is_judged(Precision precision) noexcept {
  return precision == Precision::kInt8 || precision == Precision::kMixed;
}

Status AccuracyLimits::validate() const {
  const AccuracyLimits bounds;
  const std::array most = {std::tuple("relative_l2", relative_l2, bounds.relative_l2),
                           std::tuple("mismatched", mismatched, bounds.mismatched)};
  for (const auto& [field, value, bound] : most) {
    if (!(value >= 0.0 && value <= bound)) return looser(field, value, "0 to " + print_double(bound));
  }
  if (!(agreement >= bounds.agreement && agreement <= 1.0))
    return looser("agreement", agreement, print_double(bounds.agreement) + " to 1");
  if (relative_error && !(*relative_error >= 0.0 && std::isfinite(*relative_error)))
    return looser("relative_error", *relative_error, "a finite number >= 0");
  if (cosine && !(*cosine >= -1.0 && *cosine <= 1.0)) return looser("cosine", *cosine, "-1 to 1");
  return {};
}

Status BuildConfig::validate() const {
  SKUA_RETURN_IF_ERROR(check_enumerators(*this));
  if (workspace_mb < 1) {
    return config_error("workspace_mb is " + std::to_string(workspace_mb) + "; expected at least 1 (MiB)");
  }
  SKUA_RETURN_IF_ERROR(check_calibration(*this));
  SKUA_RETURN_IF_ERROR(check_accuracy(*this));
  SKUA_RETURN_IF_ERROR(check_profiles_alone(*this));
  if (model_name) SKUA_RETURN_IF_ERROR(check_model_name(*model_name));
  SKUA_RETURN_IF_ERROR(check_keep_fp32(*this));
  SKUA_RETURN_IF_ERROR(check_output_shapes(*this));
  SKUA_RETURN_IF_ERROR(check_golden(*this));
  SKUA_RETURN_IF_ERROR(check_declared_io(*this));
  for (const auto& [output, tolerance] : tolerances) {
    if (output.empty()) return config_error("tolerances has an empty output name; name the output");
    SKUA_RETURN_IF_ERROR(check_tolerance(output, tolerance));
  }
  return {};
}

bool is_legal_model_name(std::string_view name) noexcept {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789_";
  return !name.empty() && name.size() <= kLongestModelName &&
         name.find_first_not_of(kAllowed) == std::string_view::npos &&
         name.find("__") == std::string_view::npos;
}

Result<std::string> effective_model_name(const BuildConfig& config, const std::filesystem::path& model_path) {
  if (config.model_name) {
    SKUA_RETURN_IF_ERROR(check_model_name(*config.model_name));
    return *config.model_name;
  }
  const std::string stem = model_path.stem().string();
  if (is_legal_model_name(stem)) return stem;
  return config_error(
      "the model file's stem " + quote(stem) +
      " is no legal model name (1 to 64 characters of a-z, 0-9 and _, no double underscore); rename the "
      "file or set model_name");
}

}  // namespace skua
