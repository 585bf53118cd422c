#include "profile.h"

#include <algorithm>

namespace sil::infer {
namespace {

using nvinfer1::Dims;
using nvinfer1::OptProfileSelector;

std::size_t index_of(OptProfileSelector select) { return static_cast<std::size_t>(select); }

bool is_ordered(const ProfileEntry& entry) {
  const auto& [min, opt, max] = entry.dims;
  if (!min && !opt && !max) return true;  // values alone
  if (!min || !opt || !max || min->nbDims != opt->nbDims || opt->nbDims != max->nbDims) return false;
  for (int axis = 0; axis < min->nbDims; ++axis) {
    if (min->d[axis] > opt->d[axis] || opt->d[axis] > max->d[axis]) return false;
  }
  return true;
}

// Whichever of the three are there already must agree.
bool are_values_ordered(const ProfileEntry& entry) {
  const std::vector<int32_t>* last = nullptr;
  for (const auto& values : entry.values) {
    if (!values) continue;
    if (last != nullptr && last->size() != values->size()) return false;
    for (std::size_t i = 0; last != nullptr && i < values->size(); ++i) {
      if ((*last)[i] > (*values)[i]) return false;
    }
    last = &*values;
  }
  return true;
}

}  // namespace

bool Profile::setDimensions(char const* name, OptProfileSelector select, Dims const& dims) noexcept {
  constexpr const char* kWhere = "IOptimizationProfile::setDimensions";
  SIL_ENTER_TELLING(sink_, kWhere, false);
  if (name == nullptr) {
    sink_.error(3, kWhere, "Parameter check failed, condition: (name) != nullptr");
    return false;
  }
  if (dims.nbDims < 0 || dims.nbDims > Dims::MAX_DIMS ||
      std::any_of(dims.d, dims.d + dims.nbDims, [](int64_t d) { return d < 0; })) {
    sink_.error(3, kWhere, "Parameter check failed, condition: no dimension is negative");
    return false;
  }
  entries_[name].dims[index_of(select)] = dims;
  return true;
}

Dims Profile::getDimensions(char const* name, OptProfileSelector select) const noexcept {
  constexpr const char* kWhere = "IOptimizationProfile::getDimensions";
  SIL_ENTER_TELLING(sink_, kWhere, Dims{-1, {}});
  const auto found = name == nullptr ? entries_.end() : entries_.find(name);
  if (found == entries_.end() || !found->second.dims[index_of(select)]) {
    sink_.error(4, kWhere, "Input is not present in this OptimizationProfile");
    return Dims{-1, {}};
  }
  return *found->second.dims[index_of(select)];
}

bool Profile::setShapeValues(char const* name, OptProfileSelector select, int32_t const* values,
                             int32_t count) noexcept {
  constexpr const char* kWhere = "IOptimizationProfile::setShapeValues";
  SIL_ENTER_TELLING(sink_, kWhere, false);
  if (name == nullptr || values == nullptr || count < 0) {
    sink_.error(3, kWhere, "Parameter check failed, condition: (inputName) != nullptr");
    return false;
  }
  ProfileEntry entry = entries_[name];
  entry.values[index_of(select)] = std::vector<int32_t>(values, values + count);
  if (!are_values_ordered(entry)) {
    sink_.error(3, kWhere, "Parameter check failed, condition: shape values satisfy MIN<=OPT<=MAX");
    return false;
  }
  entries_[name] = entry;
  return true;
}

int32_t Profile::getNbShapeValues(char const* name) const noexcept {
  const auto found = name == nullptr ? entries_.end() : entries_.find(name);
  if (found == entries_.end()) return -1;
  for (const auto& values : found->second.values) {
    if (values) return static_cast<int32_t>(values->size());
  }
  return -1;
}

int32_t const* Profile::getShapeValues(char const* name, OptProfileSelector select) const noexcept {
  const auto found = name == nullptr ? entries_.end() : entries_.find(name);
  if (found == entries_.end() || !found->second.values[index_of(select)]) return nullptr;
  return found->second.values[index_of(select)]->data();
}

bool Profile::setExtraMemoryTarget(float target) noexcept {
  if (target < 0.0F || target > 1.0F) return false;
  target_ = target;
  return true;
}

bool Profile::isValid() const noexcept {
  SIL_ENTER_TELLING(sink_, "IOptimizationProfile::isValid", false);
  return check();
}

bool Profile::check() const {
  std::string names;
  for (const auto& [name, entry] : entries_) {
    const bool has_values = entry.values[0] || entry.values[1] || entry.values[2];
    const bool has_all = entry.values[0] && entry.values[1] && entry.values[2];
    if (!is_ordered(entry) || (has_values && !has_all)) names += (names.empty() ? "" : ", ") + name;
  }
  if (names.empty()) return true;
  sink_.error(4, "[profile.cpp::isValid]",
              "Invalid optimization profiles for input tensors " + names +
                  ", please ensure that each has MIN, OPT and MAX of one rank, with MIN<=OPT<=MAX.");
  return false;
}

}  // namespace sil::infer
