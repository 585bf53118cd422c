#include "calibration.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <set>
#include <sstream>

namespace sil::infer {
namespace {

using nvinfer1::CalibrationAlgoType;
using nvinfer1::DataType;

constexpr const char* kBuilding = "IBuilder::buildSerializedNetwork";
constexpr const char* kNoScales =
    "Calibration failure occurred with no scaling factors detected. This could be due to no int8 calibrator "
    "or insufficient custom scales for network layers.";

bool is_activation(const Tensor& tensor) {
  return !tensor.is_shape && (tensor.type == DataType::kFLOAT || tensor.type == DataType::kHALF);
}

/// Those that Skua uses; nullptr for another.
const char* name_of(CalibrationAlgoType algorithm) {
  if (algorithm == CalibrationAlgoType::kENTROPY_CALIBRATION_2) return "EntropyCalibration2";
  return algorithm == CalibrationAlgoType::kMINMAX_CALIBRATION ? "MinMaxCalibration" : nullptr;
}

std::string hexadecimal(float scale) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &scale, sizeof bits);
  char text[9];
  std::snprintf(text, sizeof text, "%08x", bits);
  return text;
}

/// One build's talk with its calibrator.
class Talk {
 public:
  Talk(const ErrorSink& sink, const Network& network, const BuilderConfig& config)
      : sink_(sink), network_(network), config_(config), calibrator_(*config.calibrator()) {}
  bool run(Scales& scales);

 private:
  bool fails(int code, const std::string& text, const std::string& category = "") const {
    sink_.error(code, kBuilding, text, category);
    return false;
  }
  bool read_cache(Scales& scales) const;
  bool calibrate(Scales& scales) const;
  bool run_batches(BatchRun& batch, std::map<std::string, float>& largest) const;
  void write_cache(const Scales& scales) const;

  const ErrorSink& sink_;
  const Network& network_;
  const BuilderConfig& config_;
  nvinfer1::IInt8Calibrator& calibrator_;
  std::string header_;
};

// What was read is written again, as was reported of the real one (NVIDIA/TensorRT issue 546).
bool Talk::run(Scales& scales) {
  const char* const name = name_of(calibrator_.getAlgorithm());
  if (name == nullptr) return fails(10, "sil has no such calibration algorithm");
  header_ = "TRT-" + std::to_string(NV_TENSORRT_VERSION) + "-" + name;
  if (!read_cache(scales) && !calibrate(scales)) return false;
  write_cache(scales);
  return true;
}

// Beyond the first line nothing is checked: what cannot be read is left out.
bool Talk::read_cache(Scales& scales) const {
  std::size_t length = 0;
  const void* const data = calibrator_.readCalibrationCache(length);
  if (data == nullptr || length == 0) return false;
  std::istringstream text(std::string(static_cast<const char*>(data), length));
  std::string line;
  std::getline(text, line);
  if (line != header_) {
    sink_.log(Severity::kWARNING,
              "Calibration table does not match calibrator algorithm type: found " + line + ".");
    return false;
  }
  while (std::getline(text, line)) {
    const std::size_t colon = line.rfind(": ");
    std::uint32_t bits = 0;
    if (colon == std::string::npos ||
        std::from_chars(line.data() + colon + 2, line.data() + line.size(), bits, 16).ec != std::errc())
      continue;
    std::memcpy(&scales[line.substr(0, colon)], &bits, sizeof bits);
  }
  sink_.log(Severity::kINFO, "Generated calibration scales using calibration cache.");
  return true;
}

bool Talk::run_batches(BatchRun& batch, std::map<std::string, float>& largest) const {
  std::vector<const char*> names;
  for (const Tensor* input : network_.inputs) names.push_back(input->name.c_str());
  const int limit = sil::calibration_limit();
  for (int count = 0; limit < 0 || count < limit; ++count) {
    SIL_ENTER_TELLING(sink_, "IInt8Calibrator::getBatch", false);
    std::vector<void*> bindings(names.size(), nullptr);
    if (!calibrator_.getBatch(bindings.data(), names.data(), static_cast<int32_t>(names.size()))) break;
    const std::string error = batch.run(bindings, largest);
    if (!error.empty()) return fails(1, error, "Cuda Runtime");
    sink_.log(Severity::kINFO, "  Calibrated batch " + std::to_string(count) + " in 0 seconds.");
  }
  return true;
}

bool Talk::calibrate(Scales& scales) const {
  if (config_.calibration_profile() == nullptr && !config_.profiles().empty()) {
    sink_.log(Severity::kWARNING, "Calibration Profile is not defined. Running calibration with Profile 0");
  }
  sink_.log(Severity::kINFO, "Starting Calibration.");
  BatchRun batch(network_, config_);
  if (const std::string error = batch.open(); !error.empty()) return fails(4, error);
  std::map<std::string, float> largest;
  if (!run_batches(batch, largest)) return false;
  if (largest.empty()) return fails(4, kNoScales, "Internal Error");
  for (const auto& [name, value] : largest) scales[name] = value / 127;
  return true;
}

void Talk::write_cache(const Scales& scales) const {
  std::string text = header_ + "\n";
  for (const Tensor* tensor : activations_of(network_)) {
    const auto found = scales.find(tensor->name);
    if (found != scales.end()) text += found->first + ": " + hexadecimal(found->second) + "\n";
  }
  calibrator_.writeCalibrationCache(text.data(), text.size());
}

bool ranges_by_hand(const ErrorSink& sink, const Network& network, Scales& scales) {
  sink.log(Severity::kWARNING,
           "Calibrator is not being used. Users must provide dynamic range for all tensors that are not "
           "Int32 or Bool.");
  for (const Tensor* tensor : activations_of(network)) {
    if (tensor->range) scales[tensor->name] = *tensor->range / 127;
  }
  if (scales.empty()) sink.error(4, kBuilding, kNoScales, "Internal Error");
  return !scales.empty();
}

}  // namespace

bool has_quantised_layers(const Network& network) {
  return std::any_of(network.layers.begin(), network.layers.end(), [](const Layer& layer) {
    return layer.op == "QuantizeLinear" || layer.op == "DequantizeLinear";
  });
}

// Sizes are no activations, nor what is computed from them or from constants alone.
std::vector<const Tensor*> activations_of(const Network& network) {
  std::set<const Tensor*> known(network.inputs.begin(), network.inputs.end());
  std::vector<const Tensor*> found(network.inputs.begin(), network.inputs.end());
  for (const Layer& layer : network.layers) {
    const bool is_fed = std::any_of(layer.inputs.begin(), layer.inputs.end(),
                                    [&known](const Tensor* input) { return known.count(input) != 0; });
    if (!is_fed || layer.op == "Shape") continue;
    for (const Tensor* output : layer.outputs) {
      if (known.insert(output).second) found.push_back(output);
    }
  }
  found.erase(std::remove_if(found.begin(), found.end(), [](const Tensor* t) { return !is_activation(*t); }),
              found.end());
  return found;
}

bool find_scales(const ErrorSink& sink, const Network& network, const BuilderConfig& config, Scales& scales) {
  if (!config.has(nvinfer1::BuilderFlag::kINT8)) return true;
  if (has_quantised_layers(network)) {
    if (config.calibrator() != nullptr)
      sink.log(Severity::kWARNING, "Calibrator won't be used in explicit precision mode.");
    return true;
  }
  const bool is_found = config.calibrator() != nullptr ? Talk(sink, network, config).run(scales)
                                                       : ranges_by_hand(sink, network, scales);
  if (!is_found) return false;
  for (const Tensor* tensor : activations_of(network)) {
    if (scales.count(tensor->name) != 0) continue;
    sink.log(Severity::kWARNING, "Missing scale and zero-point for tensor " + tensor->name +
                                     ", expect fall back to non-int8 implementation for any layer "
                                     "consuming or producing given tensor");
  }
  return true;
}

}  // namespace sil::infer
