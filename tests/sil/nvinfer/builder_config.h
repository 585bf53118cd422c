// The builder's configuration: much is clamped or ignored without a word.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "network.h"
#include "profile.h"
#include "timing_cache.h"

namespace sil::infer {

class BuilderConfig final : public nvinfer1::IBuilderConfig {
 public:
  explicit BuilderConfig(std::shared_ptr<BuilderShare> share)
      : sink_(share->sink), child_(std::move(share)) {}
  void setAvgTimingIterations(int32_t count) noexcept override;
  int32_t getAvgTimingIterations() const noexcept override;
  void setEngineCapability(nvinfer1::EngineCapability capability) noexcept override;
  nvinfer1::EngineCapability getEngineCapability() const noexcept override;
  void setInt8Calibrator(nvinfer1::IInt8Calibrator* calibrator) noexcept override;
  nvinfer1::IInt8Calibrator* getInt8Calibrator() const noexcept override;
  void setFlags(nvinfer1::BuilderFlags flags) noexcept override;
  nvinfer1::BuilderFlags getFlags() const noexcept override;
  void clearFlag(nvinfer1::BuilderFlag flag) noexcept override;
  void setFlag(nvinfer1::BuilderFlag flag) noexcept override;
  bool getFlag(nvinfer1::BuilderFlag flag) const noexcept override;
  void setDLACore(int32_t) noexcept override {}  // there is none
  int32_t getDLACore() const noexcept override { return -1; }
  void setDefaultDeviceType(nvinfer1::DeviceType type) noexcept override;
  nvinfer1::DeviceType getDefaultDeviceType() const noexcept override;
  void reset() noexcept override;
  void setProfileStream(const cudaStream_t stream) noexcept override { profile_stream_ = stream; }
  cudaStream_t getProfileStream() const noexcept override { return profile_stream_; }
  int32_t addOptimizationProfile(nvinfer1::IOptimizationProfile const* profile) noexcept override;
  int32_t getNbOptimizationProfiles() const noexcept override;
  void setProfilingVerbosity(nvinfer1::ProfilingVerbosity verbosity) noexcept override;
  nvinfer1::ProfilingVerbosity getProfilingVerbosity() const noexcept override;
  bool setCalibrationProfile(nvinfer1::IOptimizationProfile const* profile) noexcept override;
  nvinfer1::IOptimizationProfile const* getCalibrationProfile() noexcept override;
  bool setTacticSources(nvinfer1::TacticSources sources) noexcept override;
  nvinfer1::TacticSources getTacticSources() const noexcept override { return tactic_sources_; }
  nvinfer1::ITimingCache* createTimingCache(void const* blob, std::size_t size) const noexcept override;
  bool setTimingCache(nvinfer1::ITimingCache const& cache, bool ignoreMismatch) noexcept override;
  nvinfer1::ITimingCache const* getTimingCache() const noexcept override;
  void setMemoryPoolLimit(nvinfer1::MemoryPoolType pool, std::size_t bytes) noexcept override;
  std::size_t getMemoryPoolLimit(nvinfer1::MemoryPoolType pool) const noexcept override;
  void setPreviewFeature(nvinfer1::PreviewFeature feature, bool enable) noexcept override;
  bool getPreviewFeature(nvinfer1::PreviewFeature feature) const noexcept override;
  void setBuilderOptimizationLevel(int32_t level) noexcept override;
  int32_t getBuilderOptimizationLevel() noexcept override;
  void setHardwareCompatibilityLevel(nvinfer1::HardwareCompatibilityLevel level) noexcept override;
  nvinfer1::HardwareCompatibilityLevel getHardwareCompatibilityLevel() const noexcept override;
  void setPluginsToSerialize(char const* const* paths, int32_t count) noexcept override;
  char const* getPluginToSerialize(int32_t index) const noexcept override;
  int32_t getNbPluginsToSerialize() const noexcept override;
  void setMaxAuxStreams(int32_t count) noexcept override;
  int32_t getMaxAuxStreams() const noexcept override;
  void setProgressMonitor(nvinfer1::IProgressMonitor* monitor) noexcept override;
  nvinfer1::IProgressMonitor* getProgressMonitor() const noexcept override { return monitor_; }
  void setRuntimePlatform(nvinfer1::RuntimePlatform platform) noexcept override;
  nvinfer1::RuntimePlatform getRuntimePlatform() const noexcept override;

  // What the builder asks: no calls of the interface, which tests count and make fail.
  nvinfer1::HardwareCompatibilityLevel compatibility() const { return compatibility_; }
  bool has(nvinfer1::BuilderFlag flag) const { return (flags_ >> static_cast<unsigned>(flag) & 1U) != 0; }
  std::size_t pool(nvinfer1::MemoryPoolType type) const { return pools_[static_cast<std::size_t>(type)]; }
  const std::vector<ProfileEntries>& profiles() const { return profiles_; }
  TimingCache* timing_cache() const { return cache_.get(); }
  int level() const { return level_; }
  int aux_streams() const { return aux_streams_; }
  nvinfer1::EngineCapability capability() const { return capability_; }
  nvinfer1::ProfilingVerbosity verbosity() const { return verbosity_; }
  nvinfer1::IProgressMonitor* monitor() const { return monitor_; }
  nvinfer1::IInt8Calibrator* calibrator() const { return calibrator_; }
  /// What calibration runs with, at kOPT; nullptr: nothing was set.
  const Profile* calibration_profile() const { return calibration_profile_; }

 private:
  ErrorSink sink_;
  BuilderChild child_;
  nvinfer1::BuilderFlags flags_ = 1U << static_cast<unsigned>(nvinfer1::BuilderFlag::kTF32);
  std::array<std::size_t, 6> pools_ = kDefaultPools;
  std::vector<ProfileEntries> profiles_;
  std::shared_ptr<TimingCache> cache_;
  std::vector<std::string> plugins_;
  nvinfer1::IInt8Calibrator* calibrator_ = nullptr;
  const Profile* calibration_profile_ = nullptr;
  nvinfer1::IProgressMonitor* monitor_ = nullptr;
  cudaStream_t profile_stream_ = nullptr;
  nvinfer1::EngineCapability capability_ = nvinfer1::EngineCapability::kSTANDARD;
  nvinfer1::DeviceType device_type_ = nvinfer1::DeviceType::kGPU;
  nvinfer1::ProfilingVerbosity verbosity_ = nvinfer1::ProfilingVerbosity::kLAYER_NAMES_ONLY;
  nvinfer1::HardwareCompatibilityLevel compatibility_ = nvinfer1::HardwareCompatibilityLevel::kNONE;
  nvinfer1::TacticSources tactic_sources_ = 24;
  std::uint32_t preview_features_ = 0;
  int32_t timing_iterations_ = 1;
  int32_t level_ = 3;
  int32_t aux_streams_ = -1;

  /// Workspace, three pools of a DLA, tactic DRAM, tactic shared memory.
  static constexpr std::array<std::size_t, 6> kDefaultPools = {68719476736, 0, 0, 0, 68719476736, 1U << 30U};
};

}  // namespace sil::infer
