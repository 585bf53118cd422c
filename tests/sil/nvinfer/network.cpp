#include "network.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace sil::infer {
namespace {

using nvinfer1::DataType;
using nvinfer1::Dims;
using nvinfer1::LayerType;

template <typename T>
T* item(const std::vector<T*>& list, int32_t index) {
  return index >= 0 && static_cast<std::size_t>(index) < list.size() ? list[static_cast<std::size_t>(index)]
                                                                     : nullptr;
}

}  // namespace

void Tensor::setName(char const* new_name) noexcept {
  SIL_ENTER("ITensor::setName");
  name = new_name;
}

char const* Tensor::getName() const noexcept {
  SIL_ENTER("ITensor::getName", nullptr);
  return name.c_str();
}

void Tensor::setDimensions(Dims const& dimensions) noexcept {
  SIL_ENTER("ITensor::setDimensions");
  dims = dimensions;
}

Dims Tensor::getDimensions() const noexcept {
  SIL_ENTER("ITensor::getDimensions", Dims{-1, {}});
  return dims;
}

void Tensor::setType(DataType new_type) noexcept {
  SIL_ENTER("ITensor::setType");
  type = new_type;
}

DataType Tensor::getType() const noexcept {
  SIL_ENTER("ITensor::getType", DataType::kFLOAT);
  return type;
}

bool Tensor::setDynamicRange(float min, float max) noexcept {
  SIL_ENTER("ITensor::setDynamicRange", false);
  if (min > max) return false;
  range = std::max(std::abs(min), std::abs(max));
  return true;
}

nvinfer1::TensorLocation Tensor::getLocation() const noexcept {
  return is_shape && is_input ? nvinfer1::TensorLocation::kHOST : nvinfer1::TensorLocation::kDEVICE;
}

bool Tensor::isShapeTensor() const noexcept {
  SIL_ENTER("ITensor::isShapeTensor", false);
  return is_shape;
}

char const* Tensor::getDimensionName(int32_t index) const noexcept {
  if (index < 0 || static_cast<std::size_t>(index) >= symbols.size()) return nullptr;
  const std::string& symbol = symbols[static_cast<std::size_t>(index)];
  return symbol.empty() ? nullptr : symbol.c_str();
}

bool Tensor::isNetworkOutput() const noexcept {
  SIL_ENTER("ITensor::isNetworkOutput", false);
  return is_output;
}

char const* Layer::getMetadata() const noexcept {
  SIL_ENTER("ILayer::getMetadata", nullptr);
  return metadata_.c_str();
}

LayerType Layer::getType() const noexcept {
  static const std::map<std::string, LayerType> kTypes = {{"Conv", LayerType::kCONVOLUTION},
                                                          {"Cast", LayerType::kCAST},
                                                          {"Relu", LayerType::kACTIVATION},
                                                          {"Sigmoid", LayerType::kACTIVATION},
                                                          {"MaxPool", LayerType::kPOOLING},
                                                          {"AveragePool", LayerType::kPOOLING},
                                                          {"Softmax", LayerType::kSOFTMAX},
                                                          {"Concat", LayerType::kCONCATENATION},
                                                          {"Reshape", LayerType::kSHUFFLE},
                                                          {"Transpose", LayerType::kSHUFFLE},
                                                          {"Squeeze", LayerType::kSHUFFLE},
                                                          {"Unsqueeze", LayerType::kSHUFFLE},
                                                          {"Flatten", LayerType::kSHUFFLE},
                                                          {"ReduceMean", LayerType::kREDUCE},
                                                          {"ReduceSum", LayerType::kREDUCE},
                                                          {"TopK", LayerType::kTOPK},
                                                          {"Gather", LayerType::kGATHER},
                                                          {"MatMul", LayerType::kMATRIX_MULTIPLY},
                                                          {"Gemm", LayerType::kMATRIX_MULTIPLY},
                                                          {"Constant", LayerType::kCONSTANT},
                                                          {"Identity", LayerType::kIDENTITY},
                                                          {"Slice", LayerType::kSLICE},
                                                          {"Shape", LayerType::kSHAPE},
                                                          {"Resize", LayerType::kRESIZE},
                                                          {"Where", LayerType::kSELECT},
                                                          {"QuantizeLinear", LayerType::kQUANTIZE},
                                                          {"NonZero", LayerType::kNON_ZERO},
                                                          {"DequantizeLinear", LayerType::kDEQUANTIZE},
                                                          {"GridSample", LayerType::kGRID_SAMPLE},
                                                          {"NonMaxSuppression", LayerType::kNMS},
                                                          {"Sqrt", LayerType::kUNARY},
                                                          {"LayerNormalization", LayerType::kNORMALIZATION}};
  SIL_ENTER("ILayer::getType", LayerType::kELEMENTWISE);
  const auto found = kTypes.find(op);
  return found == kTypes.end() ? LayerType::kELEMENTWISE : found->second;
}

char const* Layer::getName() const noexcept {
  SIL_ENTER("ILayer::getName", nullptr);
  return name.c_str();
}

nvinfer1::ITensor* Layer::getInput(int32_t index) const noexcept {
  SIL_ENTER("ILayer::getInput", nullptr);
  return item(inputs, index);
}

nvinfer1::ITensor* Layer::getOutput(int32_t index) const noexcept {
  SIL_ENTER("ILayer::getOutput", nullptr);
  return item(outputs, index);
}

void Layer::setPrecision(DataType dataType) noexcept {
  SIL_ENTER("ILayer::setPrecision");
  precision = dataType;
}

DataType Layer::getPrecision() const noexcept { return precision.value_or(DataType::kFLOAT); }

void Layer::setOutputType(int32_t index, DataType dataType) noexcept {
  SIL_ENTER("ILayer::setOutputType");
  if (item(outputs, index) == nullptr) return;
  output_types.resize(outputs.size());
  output_types[static_cast<std::size_t>(index)] = dataType;
}

DataType Layer::getOutputType(int32_t index) const noexcept {
  const Tensor* const output = item(outputs, index);
  if (output == nullptr) return DataType::kFLOAT;
  return outputTypeIsSet(index) ? *output_types[static_cast<std::size_t>(index)] : output->type;
}

bool Layer::outputTypeIsSet(int32_t index) const noexcept {
  return index >= 0 && static_cast<std::size_t>(index) < output_types.size() &&
         output_types[static_cast<std::size_t>(index)].has_value();
}

void Layer::resetOutputType(int32_t index) noexcept {
  if (outputTypeIsSet(index)) output_types[static_cast<std::size_t>(index)].reset();
}

Network::Network(std::shared_ptr<BuilderShare> share, nvinfer1::NetworkDefinitionCreationFlags flags)
    : sink(share->sink),
      name("Unnamed Network " + std::to_string(share->networks++)),
      child_(std::move(share)),
      flags_(flags) {}

void Network::markOutput(nvinfer1::ITensor& tensor) noexcept {
  SIL_ENTER_TELLING(sink, "INetworkDefinition::markOutput");
  auto& marked = static_cast<Tensor&>(tensor);
  if (std::exchange(marked.is_output, true)) return;
  outputs.push_back(&marked);
}

void Network::unmarkOutput(nvinfer1::ITensor& tensor) noexcept {
  SIL_ENTER_TELLING(sink, "INetworkDefinition::unmarkOutput");
  auto& unmarked = static_cast<Tensor&>(tensor);
  unmarked.is_output = false;
  outputs.erase(std::remove(outputs.begin(), outputs.end(), &unmarked), outputs.end());
}

int32_t Network::getNbLayers() const noexcept {
  SIL_ENTER_TELLING(sink, "INetworkDefinition::getNbLayers", 0);
  return static_cast<int32_t>(layers.size());
}

nvinfer1::ILayer* Network::getLayer(int32_t index) const noexcept {
  SIL_ENTER_TELLING(sink, "INetworkDefinition::getLayer", nullptr);
  if (index < 0 || static_cast<std::size_t>(index) >= layers.size()) return nullptr;
  return const_cast<Layer*>(&layers[static_cast<std::size_t>(index)]);
}

int32_t Network::getNbInputs() const noexcept {
  SIL_ENTER_TELLING(sink, "INetworkDefinition::getNbInputs", 0);
  return static_cast<int32_t>(inputs.size());
}

nvinfer1::ITensor* Network::getInput(int32_t index) const noexcept {
  SIL_ENTER_TELLING(sink, "INetworkDefinition::getInput", nullptr);
  return item(inputs, index);
}

int32_t Network::getNbOutputs() const noexcept {
  SIL_ENTER_TELLING(sink, "INetworkDefinition::getNbOutputs", 0);
  return static_cast<int32_t>(outputs.size());
}

nvinfer1::ITensor* Network::getOutput(int32_t index) const noexcept {
  SIL_ENTER_TELLING(sink, "INetworkDefinition::getOutput", nullptr);
  return item(outputs, index);
}

void Network::setName(char const* new_name) noexcept {
  SIL_ENTER_TELLING(sink, "INetworkDefinition::setName");
  name = new_name == nullptr ? "" : new_name;
}

char const* Network::getName() const noexcept {
  SIL_ENTER_TELLING(sink, "INetworkDefinition::getName", nullptr);
  return name.c_str();
}

bool Network::getFlag(nvinfer1::NetworkDefinitionCreationFlag flag) const noexcept {
  return (flags_ >> static_cast<unsigned>(flag) & 1U) != 0;
}

Tensor& Network::tensor(const std::string& onnx_name) {
  Tensor*& known = by_onnx_name_[onnx_name];
  if (known != nullptr) return *known;
  known = &tensors.emplace_back();
  known->name = onnx_name;
  known->onnx_name = onnx_name;
  known->dims.nbDims = -1;
  return *known;
}

}  // namespace sil::infer
