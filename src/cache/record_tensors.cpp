#include "cache/record_tensors.h"

#include <set>

#include "core/profile_check.h"
#include "core/text.h"
#include "skua/build_config.h"

namespace skua {
namespace {

constexpr std::size_t kMaxTensors = 64;

Error malformed(const std::string& path, const std::string& what) {
  return make_error(ErrorCode::kIo, Reason::kMalformed, path + ": " + what);
}

Status check_max_shape(const TensorSpec& tensor, const std::string& path) {
  const Shape &shape = tensor.shape, &most = tensor.max_shape;
  bool covers = shape.rank() == most.rank() && most.is_static();
  for (std::size_t axis = 0; covers && axis < shape.rank(); ++axis) {
    covers = shape[axis] < 0 || most[axis] == shape[axis];
  }
  if (!covers) {
    return malformed(path + ".max_shape", "expected a static shape that covers shape " + shape.to_string() +
                                              ", found " + most.to_string());
  }
  if (most.byte_size(tensor.dtype).ok()) return {};
  return malformed(path + ".max_shape", "expected a shape that fits into memory, found " + most.to_string());
}

Status check_side(const std::vector<TensorSpec>& tensors, const std::string& path) {
  if (tensors.size() > kMaxTensors) {
    return malformed(path, "expected at most 64 tensors, found " + std::to_string(tensors.size()));
  }
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::string where = path + "[" + std::to_string(i) + "]";
    if (!names.insert(tensors[i].name).second) {
      return malformed(where + ".name",
                       "expected different names, found " + quote(tensors[i].name) + " twice");
    }
    SKUA_RETURN_IF_ERROR(check_max_shape(tensors[i], where));
  }
  return {};
}

/// Requires profiles of which there is exactly one for each dynamic input.
Status check_profile_ends(const EngineRecord& record, const std::string& path) {
  for (const OptimizationProfile& profile : record.profiles) {
    for (const TensorSpec& input : record.inputs) {
      if (input.name != profile.input_name || input.max_shape == profile.max) continue;
      return malformed(path, "expected the profile of " + quote(input.name) + " to end at its max_shape " +
                                 input.max_shape.to_string() + ", found max " + profile.max.to_string());
    }
  }
  return {};
}

}  // namespace

Status check_tensors(const EngineRecord& record, const std::string& path) {
  SKUA_RETURN_IF_ERROR(check_side(record.inputs, path + ".inputs"));
  SKUA_RETURN_IF_ERROR(check_side(record.outputs, path + ".outputs"));
  BuildConfig build;  // what may be asked for is what may be recorded
  build.optimization_profiles = record.profiles;
  if (const Status valid = build.validate(); !valid.ok()) {
    return malformed(path + ".profiles", valid.error().message);
  }
  if (const Status fitting = check_profiles(record.profiles, record.inputs); !fitting.ok()) {
    return malformed(path + ".profiles", fitting.error().message);
  }
  return check_profile_ends(record, path + ".profiles");
}

}  // namespace skua
