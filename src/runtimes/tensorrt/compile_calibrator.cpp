#include "runtimes/tensorrt/compile_calibrator.h"

#include <algorithm>
#include <new>
#include <set>
#include <utility>

#include "compile/compilation.h"
#include "core/text.h"
#include "runtimes/tensorrt/trt_errors.h"
#include "runtimes/tensorrt/trt_library.h"
#include "runtimes/tensorrt/trt_types.h"

// Deprecated since 10.1, gone in 11: for a float32 network on 10 there is no other way to int8.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace skua::tensorrt {
namespace {

using compile::build_error;

Error cache_error(Reason reason, std::string message) {
  return make_error(ErrorCode::kCalibrationCache, reason, std::move(message));
}

bool is_scaled(const nvinfer1::ITensor& tensor) {
  const nvinfer1::DataType type = tensor.getType();
  return (type == nvinfer1::DataType::kFLOAT || type == nvinfer1::DataType::kHALF) &&
         tensor.isExecutionTensor();
}

/// What depends on the values of an input, as far as it has been found.
class Reach {
 public:
  void add(const nvinfer1::ITensor* tensor) {
    if (tensor == nullptr || !tensors_.insert(tensor).second || !is_scaled(*tensor)) return;
    names_.emplace_back(tensor->getName());
  }
  void pass(const nvinfer1::ILayer& layer) {
    if (layer.getType() == nvinfer1::LayerType::kSHAPE) return;
    bool is_reached = false;
    for (std::int32_t i = 0; i < layer.getNbInputs(); ++i)
      is_reached = is_reached || tensors_.count(layer.getInput(i)) != 0;
    for (std::int32_t i = 0; i < layer.getNbOutputs() && is_reached; ++i) add(layer.getOutput(i));
  }
  std::vector<std::string> take() { return std::move(names_); }

 private:
  std::set<const nvinfer1::ITensor*> tensors_;
  std::vector<std::string> names_;
};

/// Some of many names.
std::string some(std::vector<std::string> names) {
  constexpr std::size_t kShown = 5;
  const std::size_t count = names.size();
  names.resize(std::min(count, kShown));
  return std::to_string(count) + " (" + join(names) + (count > kShown ? ", ...)" : ")");
}

Status check_coverage(const calibration::CacheText& cache, const std::vector<std::string>& activations) {
  std::set<std::string_view> known;
  for (const calibration::TensorScale& scale : cache.scales) known.insert(scale.tensor);
  std::vector<std::string> missing;
  for (const std::string& name : activations) {
    if (known.count(name) == 0) missing.push_back(quote(name));
  }
  if (missing.empty()) return {};
  return cache_error(Reason::kCalibrationIncomplete,
                     "calibration: expected a scale for each of the network's " +
                         std::to_string(activations.size()) + " activation tensors, found none for " +
                         some(std::move(missing)) +
                         "; TensorRT would leave their layers out of int8 without an error: calibrate anew");
}

#if NV_TENSORRT_MAJOR < 11
/// TensorRT's view of a calibrator, by the algorithm that its class stands for.
template <typename Base>
class Interface final : public Base {
 public:
  explicit Interface(Calibrator& calibrator) : calibrator_(calibrator) {}
  std::int32_t getBatchSize() const noexcept override { return 1; }
  bool getBatch(void* bindings[], char const* names[], std::int32_t count) noexcept override {
    return calibrator_.get_batch(bindings, names, count);
  }
  void const* readCalibrationCache(std::size_t& length) noexcept override {
    return calibrator_.read_cache(length);
  }
  void writeCalibrationCache(void const* data, std::size_t length) noexcept override {
    calibrator_.write_cache(data, length);
  }

 private:
  Calibrator& calibrator_;
};

std::unique_ptr<nvinfer1::IVersionedInterface> make_interface(Calibrator& calibrator,
                                                              calibration::Algorithm algorithm) {
  using MinMax = Interface<nvinfer1::IInt8MinMaxCalibrator>;
  using Entropy2 = Interface<nvinfer1::IInt8EntropyCalibrator2>;
  if (algorithm == calibration::Algorithm::kMinMax) return std::make_unique<MinMax>(calibrator);
  return std::make_unique<Entropy2>(calibrator);
}

/// At opt on all sides, which is what TensorRT would make of them.
Result<nvinfer1::IOptimizationProfile*> calibration_profile(nvinfer1::IBuilder& builder,
                                                            const std::vector<OptimizationProfile>& profiles,
                                                            const ErrorRecorder& recorder) {
  using nvinfer1::OptProfileSelector;
  nvinfer1::IOptimizationProfile* const made = builder.createOptimizationProfile();  // the builder's own
  if (made == nullptr) return translate(TrtContext::kCompile, recorder, "making a calibration profile", "");
  for (const OptimizationProfile& profile : profiles) {
    for (const auto side : {OptProfileSelector::kMIN, OptProfileSelector::kOPT, OptProfileSelector::kMAX})
      static_cast<void>(made->setDimensions(profile.input_name.c_str(), side, dims_of(profile.opt)));
  }
  return made;
}
#endif

std::string found_text(const Tensor* tensor) {
  if (tensor == nullptr) return "no such array";
  return std::string(to_string(tensor->view().dtype)) + " " + tensor->view().shape.to_string();
}

}  // namespace

std::vector<std::string> activation_tensors(const nvinfer1::INetworkDefinition& network) {
  Reach reach;
  for (std::int32_t i = 0; i < network.getNbInputs(); ++i) reach.add(network.getInput(i));
  for (std::int32_t i = 0; i < network.getNbLayers(); ++i) {
    if (const nvinfer1::ILayer* const layer = network.getLayer(i)) reach.pass(*layer);
  }
  return reach.take();
}

Status check_cache(std::string_view text, calibration::Algorithm algorithm,
                   const std::vector<std::string>& activations) {
  SKUA_ASSIGN_OR_RETURN(const calibration::CacheText cache, calibration::parse_cache_text(text));
  if (cache.algorithm != algorithm || cache.library_version != static_cast<std::uint32_t>(kCompiledVersion)) {
    return cache_error(Reason::kMalformed, "calibration cache: expected " +
                                               std::string(calibration::to_string(algorithm)) +
                                               " of TensorRT " + version_text(kCompiledVersion) + ", found " +
                                               std::string(calibration::to_string(cache.algorithm)) + " of " +
                                               std::to_string(cache.library_version) + "; calibrate anew");
  }
  return check_coverage(cache, activations);
}

Calibrator::Calibrator(CalibratorSetup setup) : setup_(std::move(setup)) {
  if (!setup_.cache && setup_.samples != nullptr) total_ = setup_.samples->count();
}

Result<std::unique_ptr<Calibrator>> Calibrator::make(std::shared_ptr<DeviceState> device,
                                                     CalibratorSetup setup) {
  std::unique_ptr<Calibrator> made(new Calibrator(std::move(setup)));
#if NV_TENSORRT_MAJOR < 11
  made->interface_ = make_interface(*made, made->setup_.algorithm);
#endif
  const CalibratorSetup& own = made->setup_;
  if (own.cache) {
    SKUA_RETURN_IF_ERROR(check_cache(*own.cache, own.algorithm, own.activations));
    return made;
  }
  if (made->total_ == 0)
    return build_error(Reason::kDataSetMalformed,
                       "calibration: expected at least one sample, found none; give a data set");
  for (const CalibrationInput& input : own.inputs) {
    SKUA_ASSIGN_OR_RETURN(const std::size_t bytes, input.shape.byte_size(input.dtype));
    SKUA_ASSIGN_OR_RETURN(CudaMemory memory, CudaMemory::device(device, bytes, TrtContext::kCompile));
    made->memory_.push_back(std::move(memory));
  }
  return made;
}

Status Calibrator::attach([[maybe_unused]] nvinfer1::IBuilder& builder,
                          [[maybe_unused]] nvinfer1::IBuilderConfig& config,
                          [[maybe_unused]] const std::vector<OptimizationProfile>& profiles,
                          [[maybe_unused]] const ErrorRecorder& recorder) {
#if NV_TENSORRT_MAJOR < 11
  auto* const calibrator = static_cast<nvinfer1::IInt8Calibrator*>(interface_.get());
  config.setInt8Calibrator(calibrator);
  bool is_taken = config.getInt8Calibrator() == calibrator;
  if (!profiles.empty()) {
    SKUA_ASSIGN_OR_RETURN(const auto* profile, calibration_profile(builder, profiles, recorder));
    is_taken = config.setCalibrationProfile(profile) && config.getCalibrationProfile() != nullptr && is_taken;
  }
  if (is_taken) return {};
#endif
  return build_error(Reason::kInternal,
                     "TensorRT's builder has not taken the calibrator: " + recorder.text() +
                         "; this release of Skua does not fit this TensorRT: report it");
}

std::size_t Calibrator::index_of(std::string_view input) const noexcept {
  const auto found = std::find_if(setup_.inputs.begin(), setup_.inputs.end(),
                                  [input](const CalibrationInput& each) { return each.name == input; });
  return static_cast<std::size_t>(found - setup_.inputs.begin());
}

Status Calibrator::place(const TensorMap& sample) {
  const std::string number = "calibration sample " + std::to_string(given_ + 1);
  for (std::size_t i = 0; i < setup_.inputs.size(); ++i) {
    const CalibrationInput& input = setup_.inputs[i];
    const Tensor* const tensor = sample.find(input.name);
    if (tensor == nullptr || tensor->view().dtype != input.dtype || tensor->view().shape != input.shape)
      return build_error(Reason::kDataSetMalformed,
                         number + ": expected " + quote(input.name) + " as " +
                             std::string(to_string(input.dtype)) + " " + input.shape.to_string() +
                             ", found " + found_text(tensor) + "; correct the sample, or the profile's opt");
    SKUA_RETURN_IF_ERROR(check(cudaMemcpy(memory_[i].device(), tensor->view().data,
                                          tensor->view().size_bytes(), cudaMemcpyHostToDevice),
                               TrtContext::kCompile, number));
  }
  if (sample.size() == setup_.inputs.size()) return {};
  return build_error(Reason::kDataSetMalformed, number + ": expected one array for each of the network's " +
                                                    std::to_string(setup_.inputs.size()) + " inputs, found " +
                                                    std::to_string(sample.size()) +
                                                    "; leave out what is no input");
}

Result<bool> Calibrator::place_next(void* bindings[], const char* const names[], std::int32_t count) {
  if (setup_.cache || given_ == total_) return false;
  if (setup_.check_stop) SKUA_RETURN_IF_ERROR(setup_.check_stop());
  setup_.progress->step("calibrating: sample " + std::to_string(given_ + 1) + " of " +
                        std::to_string(total_));
  SKUA_ASSIGN_OR_RETURN(const TensorMap sample, setup_.samples->next());
  SKUA_RETURN_IF_ERROR(place(sample));
  for (std::int32_t i = 0; i < count; ++i) {
    const std::size_t index = names[i] == nullptr ? memory_.size() : index_of(names[i]);
    if (index >= memory_.size())
      return build_error(Reason::kInternal,
                         "calibration: TensorRT asks for an input that the network does "
                         "not have; report it with the model");
    bindings[i] = memory_[index].device();
  }
  ++given_;
  return true;
}

// After an error there is nothing more: TensorRT takes that for the end of the samples.
bool Calibrator::get_batch(void* bindings[], const char* const names[], std::int32_t count) noexcept {
  is_batch_asked_ = true;
  if (!status_.ok()) return false;
  try {
    Result<bool> placed = place_next(bindings, names, count);
    if (placed.ok()) return *placed;
    status_ = std::move(placed).error();
  } catch (const std::bad_alloc&) {
    status_ = no_host_memory("calibrating");
  } catch (...) {
    status_ = build_error(Reason::kInternal, "calibrating");  // too short a text to take memory
  }
  return false;
}

const void* Calibrator::read_cache(std::size_t& length) noexcept {
  is_cache_read_ = true;
  length = setup_.cache ? setup_.cache->size() : 0;
  return setup_.cache ? setup_.cache->data() : nullptr;
}

// TensorRT writes a cache back that it has read. What is too long is refused with its first bytes over the
// limit: nothing larger is kept.
void Calibrator::write_cache(const void* data, std::size_t length) noexcept {
  try {
    const std::size_t kept = data == nullptr ? 0 : std::min(length, calibration::kMaxCacheBytes + 1);
    written_.assign(static_cast<const char*>(data), kept);
  } catch (const std::bad_alloc&) {
    if (status_.ok()) status_ = no_host_memory("calibrating");
  }
}

Result<std::string> Calibrator::finish() const {
  SKUA_RETURN_IF_ERROR(status_);
  if (setup_.cache) {
    if (is_cache_read_ && !is_batch_asked_) return *setup_.cache;
    return build_error(Reason::kCalibrationIncomplete,
                       "calibration: expected TensorRT to take its scales from the cache, found that it did "
                       "not; calibrate anew");
  }
  if (given_ != total_)
    return build_error(Reason::kCalibrationIncomplete,
                       "calibration: expected TensorRT to use all " + std::to_string(total_) +
                           " samples, found that it ended after " + std::to_string(given_) + "; report it");
  SKUA_RETURN_IF_ERROR(check_cache(written_, setup_.algorithm, setup_.activations));
  return written_;
}

}  // namespace skua::tensorrt
