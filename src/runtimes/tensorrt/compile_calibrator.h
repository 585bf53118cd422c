// INT8 ranges for TensorRT up to 10: a calibrator over samples, or over a cache that was judged before.
// TensorRT takes a calibration that ends early, a cache that it does not like and tensors without a scale in
// silence, and gives a plan all the same. Each of them ends the build here.
#pragma once

#include <NvInfer.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "calibration/cache_text.h"
#include "calibration/calibration_samples.h"
#include "inference/compile_job.h"
#include "runtimes/tensorrt/cuda_handles.h"
#include "runtimes/tensorrt/trt_recorder.h"
#include "skua/build_config.h"

namespace skua::tensorrt {

/// What int8 is built with. Neither samples nor cache: the ranges stand in the graph (Q/DQ), or there are
/// none and the build is refused. With a cache no sample is read.
struct CalibrationJob {
  calibration::Algorithm algorithm = calibration::Algorithm::kEntropy2;
  std::unique_ptr<calibration::CalibrationSamples> samples;
  std::optional<std::string> cache;  ///< of the network, the data set and the release: judged by the caller
  /// Set by the build: the text that the plan's ranges are from. Publishing it is the caller's.
  std::optional<std::string> used;

  bool has_ranges() const { return samples != nullptr || cache.has_value(); }
};

/// The tensors that need a scale: what depends on the values of an input and is of floating point. Constants
/// and sizes do not. In the order of the network, inputs first.
std::vector<std::string> activation_tensors(const nvinfer1::INetworkDefinition& network);

/// Whether the cache can be used for these tensors: strictly read, of this algorithm and of the TensorRT that
/// Skua was compiled against, with a scale for each. CalibrationCacheError: malformed, too_large (as
/// parse_cache_text), calibration_incomplete with the tensors that lack a scale.
Status check_cache(std::string_view text, calibration::Algorithm algorithm,
                   const std::vector<std::string>& activations);

/// One input as it is calibrated.
struct CalibrationInput {
  std::string name;
  DType dtype = DType::kFloat32;
  Shape shape;  ///< static: the opt of its profile, or the network's own
};

struct CalibratorSetup {
  calibration::Algorithm algorithm = calibration::Algorithm::kEntropy2;
  std::vector<CalibrationInput> inputs;  ///< all of the network, in its order
  std::vector<std::string> activations;  ///< as activation_tensors()
  std::optional<std::string> cache;
  calibration::CalibrationSamples* samples = nullptr;  ///< required without a cache
  CompileProgress* progress = nullptr;                 ///< required
  std::function<Status()> check_stop;                  ///< asked before each sample; its error ends the build
};

/// Serves one build; the builder's configuration and the samples must not outlive each other's use of it: end
/// the build first. TensorRT calls it from the thread that builds. Nothing is thrown into TensorRT.
class Calibrator {
 public:
  /// Checks the cache (check_cache), or that there is a sample, and takes the device memory of one sample
  /// (all that it ever takes). CalibrationCacheError; EngineBuildError, data_set_malformed, without a sample;
  /// OutOfMemoryError.
  static Result<std::unique_ptr<Calibrator>> make(std::shared_ptr<DeviceState> device, CalibratorSetup setup);

  /// Gives itself to the configuration, with a calibration profile at opt where there are profiles, and looks
  /// whether it was taken. EngineBuildError.
  Status attach(nvinfer1::IBuilder& builder, nvinfer1::IBuilderConfig& config,
                const std::vector<OptimizationProfile>& profiles, const ErrorRecorder& recorder);

  /// The first error of any sample: it ends the build, whatever TensorRT has made of the samples before.
  const Status& status() const noexcept { return status_; }

  /// After a build that gave a plan: the text that its scales are from. status(); EngineBuildError,
  /// calibration_incomplete, when not every sample was used, or TensorRT did not take the cache and
  /// calibrated on; CalibrationCacheError when TensorRT wrote a text that check_cache refuses.
  Result<std::string> finish() const;

  // What TensorRT's interface does, from inside.
  bool get_batch(void* bindings[], const char* const names[], std::int32_t count) noexcept;
  const void* read_cache(std::size_t& length) noexcept;
  void write_cache(const void* data, std::size_t length) noexcept;

 private:
  explicit Calibrator(CalibratorSetup setup);
  Result<bool> place_next(void* bindings[], const char* const names[], std::int32_t count);
  Status place(const TensorMap& sample);
  std::size_t index_of(std::string_view input) const noexcept;

  CalibratorSetup setup_;
  std::size_t total_ = 0, given_ = 0;
  std::vector<CudaMemory> memory_;  ///< of the inputs, in their order
  std::string written_;
  bool is_cache_read_ = false, is_batch_asked_ = false;
  Status status_;
  std::unique_ptr<nvinfer1::IVersionedInterface> interface_;  ///< an IInt8Calibrator
};

}  // namespace skua::tensorrt
