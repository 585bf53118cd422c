#include "builder_config.h"

#include <algorithm>

namespace sil::infer {
namespace {

using nvinfer1::BuilderFlag;

constexpr int kFlagCount = 24;
constexpr int kHighestLevel = 5;

unsigned bit(BuilderFlag flag) { return 1U << static_cast<unsigned>(flag); }

}  // namespace

void BuilderConfig::setFlags(nvinfer1::BuilderFlags flags) noexcept {
  SIL_ENTER_TELLING(sink_, "IBuilderConfig::setFlags");
  flags_ = flags & ((1U << kFlagCount) - 1U);
}

nvinfer1::BuilderFlags BuilderConfig::getFlags() const noexcept {
  SIL_ENTER_TELLING(sink_, "IBuilderConfig::getFlags", 0);
  return flags_;
}

void BuilderConfig::clearFlag(BuilderFlag flag) noexcept {
  SIL_ENTER_TELLING(sink_, "IBuilderConfig::clearFlag");
  if (static_cast<int>(flag) < kFlagCount) flags_ &= ~bit(flag);
}

void BuilderConfig::setFlag(BuilderFlag flag) noexcept {
  constexpr const char* kWhere = "IBuilderConfig::setFlag";
  SIL_ENTER_TELLING(sink_, kWhere);
  const int number = static_cast<int>(flag);
  if (number < 0 || number >= kFlagCount) {
    sink_.error(3, kWhere, "Parameter check failed, condition: there is such a flag");
    return;
  }
  if (flag == BuilderFlag::kEXCLUDE_LEAN_RUNTIME && (flags_ & bit(BuilderFlag::kVERSION_COMPATIBLE)) == 0) {
    sink_.error(3, kWhere, "kEXCLUDE_LEAN_RUNTIME needs kVERSION_COMPATIBLE");
    return;
  }
  flags_ |= bit(flag);
}

bool BuilderConfig::getFlag(BuilderFlag flag) const noexcept {
  SIL_ENTER_TELLING(sink_, "IBuilderConfig::getFlag", false);
  return static_cast<int>(flag) < kFlagCount && (flags_ & bit(flag)) != 0;
}

void BuilderConfig::reset() noexcept {
  flags_ = bit(BuilderFlag::kTF32);
  pools_ = kDefaultPools;
  profiles_.clear();
  cache_.reset();
  level_ = 3;
  monitor_ = nullptr;
  calibrator_ = nullptr;
  calibration_profile_ = nullptr;
}

int32_t BuilderConfig::addOptimizationProfile(nvinfer1::IOptimizationProfile const* profile) noexcept {
  constexpr const char* kWhere = "IBuilderConfig::addOptimizationProfile";
  SIL_ENTER_TELLING(sink_, kWhere, -1);
  if (profile == nullptr) {
    sink_.error(3, kWhere, "Parameter check failed, condition: (profile) != nullptr");
    return -1;
  }
  if (!static_cast<const Profile*>(profile)->check()) {
    sink_.error(3, kWhere, "Parameter check failed, condition: profile->isValid()");
    return -1;
  }
  profiles_.push_back(static_cast<const Profile*>(profile)->entries());
  return static_cast<int32_t>(profiles_.size()) - 1;
}

int32_t BuilderConfig::getNbOptimizationProfiles() const noexcept {
  SIL_ENTER_TELLING(sink_, "IBuilderConfig::getNbOptimizationProfiles", 0);
  return static_cast<int32_t>(profiles_.size());
}

void BuilderConfig::setInt8Calibrator(nvinfer1::IInt8Calibrator* calibrator) noexcept {
  SIL_ENTER_TELLING(sink_, "IBuilderConfig::setInt8Calibrator");
  calibrator_ = calibrator;
}

nvinfer1::IInt8Calibrator* BuilderConfig::getInt8Calibrator() const noexcept {
  SIL_ENTER_TELLING(sink_, "IBuilderConfig::getInt8Calibrator", nullptr);
  return calibrator_;
}

bool BuilderConfig::setCalibrationProfile(nvinfer1::IOptimizationProfile const* profile) noexcept {
  constexpr const char* kWhere = "IBuilderConfig::setCalibrationProfile";
  SIL_ENTER_TELLING(sink_, kWhere, false);
  const auto* const own = static_cast<const Profile*>(profile);
  if (own != nullptr && !own->check()) {
    sink_.error(3, kWhere, "Parameter check failed, condition: profile->isValid()");
    return false;
  }
  calibration_profile_ = own;
  return true;
}

nvinfer1::IOptimizationProfile const* BuilderConfig::getCalibrationProfile() noexcept {
  SIL_ENTER_TELLING(sink_, "IBuilderConfig::getCalibrationProfile", nullptr);
  return calibration_profile_;
}

void BuilderConfig::setProfilingVerbosity(nvinfer1::ProfilingVerbosity verbosity) noexcept {
  SIL_ENTER_TELLING(sink_, "IBuilderConfig::setProfilingVerbosity");
  verbosity_ = verbosity;
}

bool BuilderConfig::setTacticSources(nvinfer1::TacticSources sources) noexcept {
  tactic_sources_ = sources;
  return true;
}

nvinfer1::ITimingCache* BuilderConfig::createTimingCache(void const* blob, std::size_t size) const noexcept {
  constexpr const char* kWhere = "IBuilderConfig::createTimingCache";
  SIL_ENTER_TELLING(sink_, kWhere, nullptr);
  if (blob == nullptr && size > 0) {
    sink_.error(3, kWhere, "Parameter check failed, condition: (blob) != nullptr");
    return nullptr;
  }
  return new TimingCache(sink_, {static_cast<const char*>(blob), blob == nullptr ? 0 : size});
}

// The caller keeps the object; a build adds to it.
bool BuilderConfig::setTimingCache(nvinfer1::ITimingCache const& cache, bool) noexcept {
  SIL_ENTER_TELLING(sink_, "IBuilderConfig::setTimingCache", false);
  auto* const own = const_cast<TimingCache*>(static_cast<const TimingCache*>(&cache));
  cache_ = std::shared_ptr<TimingCache>(own, [](TimingCache*) {});
  return true;
}

nvinfer1::ITimingCache const* BuilderConfig::getTimingCache() const noexcept {
  SIL_ENTER_TELLING(sink_, "IBuilderConfig::getTimingCache", nullptr);
  return cache_.get();
}

void BuilderConfig::setMemoryPoolLimit(nvinfer1::MemoryPoolType pool, std::size_t bytes) noexcept {
  SIL_ENTER_TELLING(sink_, "IBuilderConfig::setMemoryPoolLimit");
  const auto index = static_cast<std::size_t>(pool);
  if (index < pools_.size()) pools_[index] = bytes;
}

std::size_t BuilderConfig::getMemoryPoolLimit(nvinfer1::MemoryPoolType pool) const noexcept {
  SIL_ENTER_TELLING(sink_, "IBuilderConfig::getMemoryPoolLimit", 0);
  const auto index = static_cast<std::size_t>(pool);
  return index < pools_.size() ? pools_[index] : 0;
}

void BuilderConfig::setPreviewFeature(nvinfer1::PreviewFeature feature, bool enable) noexcept {
  const unsigned mask = 1U << static_cast<unsigned>(feature);
  preview_features_ = enable ? preview_features_ | mask : preview_features_ & ~mask;
}

bool BuilderConfig::getPreviewFeature(nvinfer1::PreviewFeature feature) const noexcept {
  return (preview_features_ >> static_cast<unsigned>(feature) & 1U) != 0;
}

void BuilderConfig::setBuilderOptimizationLevel(int32_t level) noexcept {
  constexpr const char* kWhere = "IBuilderConfig::setBuilderOptimizationLevel";
  SIL_ENTER_TELLING(sink_, kWhere);
  if (level < 0) {
    sink_.error(3, kWhere, "Parameter check failed, condition: level >= 0");
    return;
  }
  level_ = std::min(level, kHighestLevel);
}

int32_t BuilderConfig::getBuilderOptimizationLevel() noexcept {
  SIL_ENTER_TELLING(sink_, "IBuilderConfig::getBuilderOptimizationLevel", -1);
  return level_;
}

void BuilderConfig::setHardwareCompatibilityLevel(nvinfer1::HardwareCompatibilityLevel level) noexcept {
  SIL_ENTER_TELLING(sink_, "IBuilderConfig::setHardwareCompatibilityLevel");
  compatibility_ = level;
}

// A line of the gravest severity about nothing, as the real one says it.
nvinfer1::HardwareCompatibilityLevel BuilderConfig::getHardwareCompatibilityLevel() const noexcept {
  SIL_ENTER_TELLING(sink_, "IBuilderConfig::getHardwareCompatibilityLevel",
                    nvinfer1::HardwareCompatibilityLevel::kNONE);
  sink_.log(Severity::kINTERNAL_ERROR, "Thread context has not been set! Using global log stream.");
  return compatibility_;
}

void BuilderConfig::setPluginsToSerialize(char const* const* paths, int32_t count) noexcept {
  plugins_.assign(paths, paths + std::max(count, 0));
}

char const* BuilderConfig::getPluginToSerialize(int32_t index) const noexcept {
  if (index < 0 || static_cast<std::size_t>(index) >= plugins_.size()) return nullptr;
  return plugins_[static_cast<std::size_t>(index)].c_str();
}

void BuilderConfig::setMaxAuxStreams(int32_t count) noexcept {
  SIL_ENTER_TELLING(sink_, "IBuilderConfig::setMaxAuxStreams");
  aux_streams_ = count;
  if (count <= 0) return;
  sink_.log(Severity::kWARNING, "Multi stream is disabled because the stream assignment failed.");
}

void BuilderConfig::setProgressMonitor(nvinfer1::IProgressMonitor* monitor) noexcept {
  SIL_ENTER_TELLING(sink_, "IBuilderConfig::setProgressMonitor");
  monitor_ = monitor;
}

void BuilderConfig::setRuntimePlatform(nvinfer1::RuntimePlatform platform) noexcept {
  constexpr const char* kWhere = "IBuilderConfig::setRuntimePlatform";
  SIL_ENTER_TELLING(sink_, kWhere);
  if (platform == nvinfer1::RuntimePlatform::kSAME_AS_BUILD) return;
  sink_.error(3, kWhere, "Parameter check failed, condition: the platform is supported by this build");
}

nvinfer1::RuntimePlatform BuilderConfig::getRuntimePlatform() const noexcept {
  SIL_ENTER_TELLING(sink_, "IBuilderConfig::getRuntimePlatform", nvinfer1::RuntimePlatform::kSAME_AS_BUILD);
  return nvinfer1::RuntimePlatform::kSAME_AS_BUILD;
}

void BuilderConfig::setAvgTimingIterations(int32_t count) noexcept {
  SIL_ENTER_TELLING(sink_, "IBuilderConfig::setAvgTimingIterations");
  timing_iterations_ = count;
}

int32_t BuilderConfig::getAvgTimingIterations() const noexcept {
  SIL_ENTER_TELLING(sink_, "IBuilderConfig::getAvgTimingIterations", 0);
  return timing_iterations_;
}

void BuilderConfig::setEngineCapability(nvinfer1::EngineCapability capability) noexcept {
  SIL_ENTER_TELLING(sink_, "IBuilderConfig::setEngineCapability");
  capability_ = capability;
}

nvinfer1::EngineCapability BuilderConfig::getEngineCapability() const noexcept {
  SIL_ENTER_TELLING(sink_, "IBuilderConfig::getEngineCapability", nvinfer1::EngineCapability::kSTANDARD);
  return capability_;
}

void BuilderConfig::setDefaultDeviceType(nvinfer1::DeviceType type) noexcept {
  SIL_ENTER_TELLING(sink_, "IBuilderConfig::setDefaultDeviceType");
  device_type_ = type;
}

nvinfer1::DeviceType BuilderConfig::getDefaultDeviceType() const noexcept {
  SIL_ENTER_TELLING(sink_, "IBuilderConfig::getDefaultDeviceType", nvinfer1::DeviceType::kGPU);
  return device_type_;
}

nvinfer1::ProfilingVerbosity BuilderConfig::getProfilingVerbosity() const noexcept {
  SIL_ENTER_TELLING(sink_, "IBuilderConfig::getProfilingVerbosity",
                    nvinfer1::ProfilingVerbosity::kLAYER_NAMES_ONLY);
  return verbosity_;
}

int32_t BuilderConfig::getNbPluginsToSerialize() const noexcept {
  SIL_ENTER_TELLING(sink_, "IBuilderConfig::getNbPluginsToSerialize", 0);
  return static_cast<int32_t>(plugins_.size());
}

int32_t BuilderConfig::getMaxAuxStreams() const noexcept {
  SIL_ENTER_TELLING(sink_, "IBuilderConfig::getMaxAuxStreams", -1);
  return aux_streams_;
}

}  // namespace sil::infer
