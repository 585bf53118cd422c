#include "engine.h"

namespace sil::infer {
namespace {

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c == '\n' ? ' ' : c;
  }
  return result + "\"";
}

template <typename T, typename Text>
std::string list_text(const std::vector<T>& list, const Text& text_of_one) {
  std::string text = "[";
  for (const T& each : list) text += (text.size() == 1 ? "" : ",") + text_of_one(each);
  return text + "]";
}

std::string port_text(const PlanPort& port) {
  return "{\"Name\":" + quoted(port.name) + ",\"Location\":\"Device\",\"Dimensions\":" + text_of(port.dims) +
         ",\"Format/Datatype\":" + quoted("Row major linear " + port.type) + "}";
}

// Layer names only: a list of strings. In detail: an object for each layer.
std::string layer_text(const PlanLayer& layer, bool is_detailed) {
  if (!is_detailed) return quoted(layer.name);
  return "{\"Name\":" + quoted(layer.name) + ",\"LayerType\":" + quoted(layer.op) +
         ",\"Inputs\":" + list_text(layer.inputs, port_text) +
         ",\"Outputs\":" + list_text(layer.outputs, port_text) +
         ",\"TacticName\":\"sil\",\"StreamId\":0,\"Metadata\":" + quoted("[ONNX Layer: " + layer.name + "]") +
         "}";
}

class Inspector final : public nvinfer1::IEngineInspector {
 public:
  Inspector(const ErrorSink& parent, std::shared_ptr<const EngineCore> core)
      : sink_(parent), core_(std::move(core)) {}
  bool setExecutionContext(nvinfer1::IExecutionContext const* context) noexcept override {
    context_ = context;
    return true;
  }
  nvinfer1::IExecutionContext const* getExecutionContext() const noexcept override { return context_; }
  char const* getLayerInformation(int32_t index, nvinfer1::LayerInformationFormat) const noexcept override;
  char const* getEngineInformation(nvinfer1::LayerInformationFormat format) const noexcept override;
  void setErrorRecorder(nvinfer1::IErrorRecorder* recorder) noexcept override {
    sink_.set_recorder(recorder);
  }
  nvinfer1::IErrorRecorder* getErrorRecorder() const noexcept override { return sink_.recorder(); }

 private:
  bool is_detailed() const { return core_->plan.verbosity == nvinfer1::ProfilingVerbosity::kDETAILED; }

  ErrorSink sink_;
  std::shared_ptr<const EngineCore> core_;
  nvinfer1::IExecutionContext const* context_ = nullptr;
  mutable std::string text_;  // what the last call gave
};

char const* Inspector::getLayerInformation(int32_t index, nvinfer1::LayerInformationFormat) const noexcept {
  SIL_ENTER_TELLING(sink_, "IEngineInspector::getLayerInformation", nullptr);
  if (index < 0 || static_cast<std::size_t>(index) >= core_->plan.layers.size()) return nullptr;
  text_ = layer_text(core_->plan.layers[static_cast<std::size_t>(index)], is_detailed());
  return text_.c_str();
}

char const* Inspector::getEngineInformation(nvinfer1::LayerInformationFormat format) const noexcept {
  SIL_ENTER_TELLING(sink_, "IEngineInspector::getEngineInformation", nullptr);
  const std::string layers = list_text(
      core_->plan.layers, [this](const PlanLayer& layer) { return layer_text(layer, is_detailed()); });
  const std::string bindings =
      list_text(core_->plan.tensors, [](const PlanTensor& t) { return quoted(t.name); });
  const bool has_layers = core_->plan.verbosity != nvinfer1::ProfilingVerbosity::kNONE;
  text_ = "{\"Layers\":" + (has_layers ? layers : "[]") + ",\"Bindings\":" + bindings + "}";
  if (format == nvinfer1::LayerInformationFormat::kONELINE) text_ = "sil engine " + text_;
  return text_.c_str();
}

}  // namespace

nvinfer1::IEngineInspector* make_inspector(const ErrorSink& sink, std::shared_ptr<const EngineCore> core) {
  return new Inspector(sink, std::move(core));
}

}  // namespace sil::infer
