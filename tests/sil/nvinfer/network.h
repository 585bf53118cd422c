// A network as the parser left it: tensors and layers to look at, and the ONNX model that is built from.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "NvInfer.h"
#include "messages.h"

namespace sil::infer {

/// What a builder and the objects that it made share.
struct BuilderShare {
  explicit BuilderShare(nvinfer1::ILogger& logger, nvinfer1::IBuilder& owner)
      : sink(logger), builder(owner) {}
  ErrorSink sink;
  nvinfer1::IBuilder& builder;
  std::atomic<int> children{0};
  int networks = 0;
};

/// Counts as a child of the builder while it lives.
class BuilderChild {
 public:
  explicit BuilderChild(std::shared_ptr<BuilderShare> share) : share_(std::move(share)) {
    ++share_->children;
  }
  ~BuilderChild() { --share_->children; }
  BuilderChild(const BuilderChild&) = delete;
  BuilderChild& operator=(const BuilderChild&) = delete;
  BuilderShare& share() const { return *share_; }

 private:
  std::shared_ptr<BuilderShare> share_;
};

class Tensor final : public nvinfer1::ITensor {
 public:
  void setName(char const* name) noexcept override;
  char const* getName() const noexcept override;
  void setDimensions(nvinfer1::Dims const& dimensions) noexcept override;
  nvinfer1::Dims getDimensions() const noexcept override;
  void setType(nvinfer1::DataType type) noexcept override;
  nvinfer1::DataType getType() const noexcept override;
  bool setDynamicRange(float min, float max) noexcept override;
  bool dynamicRangeIsSet() const noexcept override { return range.has_value(); }
  bool isNetworkInput() const noexcept override { return is_input; }
  bool isNetworkOutput() const noexcept override;
  nvinfer1::TensorLocation getLocation() const noexcept override;
  void setAllowedFormats(nvinfer1::TensorFormats formats) noexcept override { formats_ = formats; }
  nvinfer1::TensorFormats getAllowedFormats() const noexcept override { return formats_; }
  bool isShapeTensor() const noexcept override;
  bool isExecutionTensor() const noexcept override { return !is_shape; }
  char const* getDimensionName(int32_t index) const noexcept override;

  std::string name;
  std::string onnx_name;  ///< in the model; the network's own may differ
  int onnx_type = 0;
  nvinfer1::DataType type = nvinfer1::DataType::kFLOAT;
  nvinfer1::Dims dims{};
  std::vector<std::string> symbols;
  bool is_input = false;
  bool is_output = false;
  bool is_shape = false;       ///< its values decide shapes
  std::optional<float> range;  ///< set by hand: the largest absolute value

 private:
  nvinfer1::TensorFormats formats_ = 1;
};

class Layer final : public nvinfer1::ILayer {
 public:
  nvinfer1::LayerType getType() const noexcept override;
  void setName(char const* new_name) noexcept override { name = new_name; }
  char const* getName() const noexcept override;
  int32_t getNbInputs() const noexcept override { return static_cast<int32_t>(inputs.size()); }
  nvinfer1::ITensor* getInput(int32_t index) const noexcept override;
  int32_t getNbOutputs() const noexcept override { return static_cast<int32_t>(outputs.size()); }
  nvinfer1::ITensor* getOutput(int32_t index) const noexcept override;
  void setPrecision(nvinfer1::DataType dataType) noexcept override;
  nvinfer1::DataType getPrecision() const noexcept override;
  bool precisionIsSet() const noexcept override { return precision.has_value(); }
  void resetPrecision() noexcept override { precision.reset(); }
  void setOutputType(int32_t index, nvinfer1::DataType dataType) noexcept override;
  nvinfer1::DataType getOutputType(int32_t index) const noexcept override;
  bool outputTypeIsSet(int32_t index) const noexcept override;
  void resetOutputType(int32_t index) noexcept override;
  void setMetadata(char const* text) noexcept override { metadata_ = text; }
  char const* getMetadata() const noexcept override;

  std::string name, op;
  std::vector<Tensor*> inputs, outputs;
  std::optional<nvinfer1::DataType> precision;
  std::vector<std::optional<nvinfer1::DataType>> output_types;

 private:
  std::string metadata_;
};

class Network final : public nvinfer1::INetworkDefinition {
 public:
  Network(std::shared_ptr<BuilderShare> share, nvinfer1::NetworkDefinitionCreationFlags flags);
  void markOutput(nvinfer1::ITensor& tensor) noexcept override;
  void unmarkOutput(nvinfer1::ITensor& tensor) noexcept override;
  int32_t getNbLayers() const noexcept override;
  nvinfer1::ILayer* getLayer(int32_t index) const noexcept override;
  int32_t getNbInputs() const noexcept override;
  nvinfer1::ITensor* getInput(int32_t index) const noexcept override;
  int32_t getNbOutputs() const noexcept override;
  nvinfer1::ITensor* getOutput(int32_t index) const noexcept override;
  void setName(char const* new_name) noexcept override;
  char const* getName() const noexcept override;
  nvinfer1::NetworkDefinitionCreationFlags getFlags() const noexcept override { return flags_; }
  bool getFlag(nvinfer1::NetworkDefinitionCreationFlag flag) const noexcept override;
  void setErrorRecorder(nvinfer1::IErrorRecorder* recorder) noexcept override { sink.set_recorder(recorder); }
  nvinfer1::IErrorRecorder* getErrorRecorder() const noexcept override { return sink.recorder(); }
  nvinfer1::IBuilder& getBuilder() const noexcept override { return child_.share().builder; }

  /// The tensor of this name in the model; made when there is none.
  Tensor& tensor(const std::string& onnx_name);

  ErrorSink sink;
  std::string name;
  std::string model;  ///< what the parser accepted, in a form that ONNX Runtime takes
  std::deque<Tensor> tensors;
  std::deque<Layer> layers;
  std::vector<Tensor*> inputs, outputs;

 private:
  BuilderChild child_;
  nvinfer1::NetworkDefinitionCreationFlags flags_;
  std::map<std::string, Tensor*> by_onnx_name_;
};

}  // namespace sil::infer
