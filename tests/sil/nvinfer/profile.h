// An optimization profile: it takes nearly everything, and is judged later.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "messages.h"

namespace sil::infer {

/// min, opt, max.
struct ProfileEntry {
  std::array<std::optional<nvinfer1::Dims>, 3> dims;
  std::array<std::optional<std::vector<int32_t>>, 3> values;
};
using ProfileEntries = std::map<std::string, ProfileEntry>;

class Profile final : public nvinfer1::IOptimizationProfile {
 public:
  explicit Profile(const ErrorSink& sink) : sink_(sink) {}
  bool setDimensions(char const* name, nvinfer1::OptProfileSelector select,
                     nvinfer1::Dims const& dims) noexcept override;
  nvinfer1::Dims getDimensions(char const* name, nvinfer1::OptProfileSelector select) const noexcept override;
  bool setShapeValues(char const* name, nvinfer1::OptProfileSelector select, int32_t const* values,
                      int32_t count) noexcept override;
  int32_t getNbShapeValues(char const* name) const noexcept override;
  int32_t const* getShapeValues(char const* name,
                                nvinfer1::OptProfileSelector select) const noexcept override;
  bool setExtraMemoryTarget(float target) noexcept override;
  float getExtraMemoryTarget() const noexcept override { return target_; }
  bool isValid() const noexcept override;

  /// isValid() from inside.
  bool check() const;
  const ProfileEntries& entries() const { return entries_; }

 private:
  ErrorSink sink_;
  ProfileEntries entries_;
  float target_ = 1.0F;
};

}  // namespace sil::infer
