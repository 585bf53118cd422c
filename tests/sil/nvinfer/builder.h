// The builder: judges network and profiles, lets ONNX Runtime optimise the model, writes the plan.
#pragma once

#include <memory>
#include <string>

#include "builder_config.h"
#include "calibration.h"
#include "network.h"
#include "plan.h"

namespace sil::infer {

class Builder final : public nvinfer1::IBuilder {
 public:
  explicit Builder(nvinfer1::ILogger& logger) : share_(std::make_shared<BuilderShare>(logger, *this)) {}
  ~Builder() noexcept override;
  bool platformHasFastFp16() const noexcept override { return true; }
  bool platformHasFastInt8() const noexcept override { return true; }
  bool platformHasTf32() const noexcept override { return true; }
  int32_t getMaxDLABatchSize() const noexcept override { return 0; }
  int32_t getNbDLACores() const noexcept override { return 0; }
  void setGpuAllocator(nvinfer1::IGpuAllocator* allocator) noexcept override { allocator_ = allocator; }
  nvinfer1::IBuilderConfig* createBuilderConfig() noexcept override;
  nvinfer1::INetworkDefinition* createNetworkV2(
      nvinfer1::NetworkDefinitionCreationFlags flags) noexcept override;
  nvinfer1::IOptimizationProfile* createOptimizationProfile() noexcept override;
  void setErrorRecorder(nvinfer1::IErrorRecorder* recorder) noexcept override;
  nvinfer1::IErrorRecorder* getErrorRecorder() const noexcept override { return share_->sink.recorder(); }
  void reset() noexcept override { share_->networks = 0; }
  nvinfer1::IHostMemory* buildSerializedNetwork(nvinfer1::INetworkDefinition& network,
                                                nvinfer1::IBuilderConfig& config) noexcept override;
  bool isNetworkSupported(nvinfer1::INetworkDefinition const& network,
                          nvinfer1::IBuilderConfig const& config) const noexcept override;
  nvinfer1::ILogger* getLogger() const noexcept override { return &share_->sink.logger(); }
  bool setMaxThreads(int32_t count) noexcept override;
  int32_t getMaxThreads() const noexcept override { return max_threads_; }

 private:
  std::shared_ptr<BuilderShare> share_;
  std::deque<Profile> profiles_;  // live as long as the builder
  nvinfer1::IGpuAllocator* allocator_ = nullptr;
  int32_t max_threads_ = 1;
};

/// What cannot be built, in the measured order. False with the error told.
bool check_build(const ErrorSink& sink, const Network& network, const BuilderConfig& config);

/// The phases of a build as a progress monitor sees them. False when it cancelled.
bool run_phases(nvinfer1::IProgressMonitor* monitor, std::size_t layers);

/// What the inspector is to say of the layers.
std::vector<PlanLayer> plan_layers(const Network& network, const BuilderConfig& config, const Scales& scales);

/// The plan of a network that passed the checks. False with the error told.
bool make_plan(const ErrorSink& sink, const Network& network, const BuilderConfig& config,
               const Scales& scales, Plan& plan);

}  // namespace sil::infer
