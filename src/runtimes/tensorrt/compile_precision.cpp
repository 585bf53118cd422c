#include "runtimes/tensorrt/compile_precision.h"

#include <algorithm>
#include <array>
#include <map>

#include "compile/compilation.h"
#include "core/json_strict.h"
#include "core/text.h"
#include "runtimes/tensorrt/compile_steps.h"
#include "runtimes/tensorrt/trt_errors.h"
#include "runtimes/tensorrt/trt_logger.h"

namespace skua::tensorrt {
namespace {

using compile::build_error;

constexpr JsonLimits kLimits{.max_bytes = 256U << 20U, .max_depth = 32};

Error unreadable(const std::string& found) {
  return build_error(
      Reason::kPrecisionNotSupported,
      "the precision of the layers cannot be proven: expected TensorRT's inspector to give each "
      "layer's types, found " +
          found + "; report it with the TensorRT release");
}

std::string text_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool has_word(const std::string& text, std::string_view word) { return text.find(word) != std::string::npos; }

/// "Row major linear FP16", "Half": TensorRT has several spellings.
bool is_half(const std::string& type) {
  return has_word(type, "FP16") || has_word(type, "Half") || has_word(type, "kHALF");
}
bool is_float(const std::string& type) {
  return is_half(type) || has_word(type, "FP32") || has_word(type, "Float") || has_word(type, "kFLOAT");
}

/// "Int8", "INT8", "kINT8", but not "UInt8".
bool is_int8(const std::string& type) {
  const auto at = std::min(type.find("Int8"), type.find("INT8"));
  return at != std::string::npos && (at == 0 || (type[at - 1] != 'U' && type[at - 1] != 'u'));
}

struct Types {
  bool has_half = false, has_float = false, has_int8 = false, has_any = false;
  void add(const std::string& type) {
    has_any = has_any || !type.empty();
    has_half = has_half || is_half(type);
    has_float = has_float || is_float(type);
    has_int8 = has_int8 || is_int8(type);
  }
  bool is_narrow() const { return has_half || has_int8; }
};

/// Without the ports that are one of `edges`.
void add_ports(const Json& layer, const char* side, const std::vector<std::string>& edges, Types& types) {
  const auto ports = layer.find(side);
  if (ports == layer.end() || !ports->is_array()) return;
  for (const Json& port : *ports) {
    if (!port.is_object()) continue;
    if (std::find(edges.begin(), edges.end(), text_at(port, "Name")) != edges.end()) continue;
    types.add(text_at(port, "Format/Datatype"));
    types.add(text_at(port, "Datatype"));
  }
}

/// Layers that move or rename data, without computing: a half copy of a float tensor proves nothing.
bool is_plumbing(const std::string& type) {
  constexpr std::array<std::string_view, 11> kTypes = {
      "Reformat", "NoOp",     "Constant",   "Cast",           "Identity",        "Shuffle",
      "Reshape",  "Quantize", "Dequantize", "QuantizeLinear", "DequantizeLinear"};
  return std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

Types types_of(const Json& layer, const std::vector<std::string>& edges = {}) {
  Types types;
  add_ports(layer, "Inputs", {}, types);
  add_ports(layer, "Outputs", edges, types);
  const auto weights = layer.find("Weights");
  if (weights != layer.end() && weights->is_object()) types.add(text_at(*weights, "Type"));
  return types;
}

/// What it reads decides: a layer with an int8 output alone may have narrowed what it computed in float.
bool computes_in_int8(const Json& layer) {
  Types types;
  add_ports(layer, "Inputs", {}, types);
  const auto weights = layer.find("Weights");
  if (weights != layer.end() && weights->is_object()) types.add(text_at(*weights, "Type"));
  return types.has_int8;
}

/// The text up to `end`, which is cut off `text` with it.
std::string cut(std::string& text, const std::string& end) {
  const auto at = text.find(end);
  const std::string head = text.substr(0, at);
  text.erase(0, at == std::string::npos ? at : at + end.size());
  return head;
}

/// The layers that a fused one is made of: "a + b" by its name, "[ONNX Layer: a]" by its metadata.
std::vector<std::string> parts_of(const Json& layer) {
  std::vector<std::string> parts;
  for (std::string name = text_at(layer, "Name"); !name.empty();) parts.push_back(cut(name, " + "));
  std::string metadata = text_at(layer, "Metadata");
  for (cut(metadata, "[ONNX Layer: "); !metadata.empty(); cut(metadata, "[ONNX Layer: "))
    parts.push_back(cut(metadata, "]"));
  return parts;
}

Result<Json> read_inspector(std::string_view text) {
  auto json = parse_json(text, kLimits);
  if (!json.ok() || !json->is_object()) return unreadable("no JSON object");
  const auto layers = json->find("Layers");
  if (layers == json->end() || !layers->is_array()) return unreadable("no list of layers");
  return *std::move(json);
}

/// Inputs and outputs of the engine.
std::vector<std::string> edges_of(const Json& inspected) {
  std::vector<std::string> names;
  for (const char* const key : {"Bindings", "I/O Tensors"}) {
    const auto found = inspected.find(key);
    if (found == inspected.end() || !found->is_array()) continue;
    for (const Json& name : *found) {
      if (name.is_string()) names.push_back(name.get<std::string>());
    }
  }
  return names;
}

}  // namespace

Result<LayerPrecisions> layer_precisions(std::string_view inspector_json) {
  SKUA_ASSIGN_OR_RETURN(const Json json, read_inspector(inspector_json));
  LayerPrecisions found;
  bool has_types = false;
  for (const Json& layer : json.at("Layers")) {
    if (!layer.is_object()) continue;  // a name alone: built without the detail
    const Types types = types_of(layer);
    has_types = has_types || types.has_any;
    const bool computes = types.has_float || computes_in_int8(layer);
    if (!computes || is_plumbing(text_at(layer, "LayerType"))) continue;
    ++found.layers;
    if (computes_in_int8(layer)) {
      ++found.int8;
    } else if (types.has_half) {
      ++found.half;
    }
  }
  if (!has_types) return unreadable("layer names alone");
  return found;
}

Status check_half(const LayerPrecisions& found, Precision precision) {
  if (found.half > 0) return {};
  return build_error(
      Reason::kPrecisionNotSupported,
      "precision " + std::string(to_string(precision)) +
          ": expected at least one layer in half precision, found none of " + std::to_string(found.layers) +
          "; the device has no faster half kernels for this network: build fp32 for reference, or "
          "shorten keep_fp32");
}

Status check_int8(const LayerPrecisions& found) {
  if (found.int8 > 0) return {};
  return build_error(Reason::kPrecisionNotSupported,
                     "precision int8: expected at least one layer in int8, found none of " +
                         std::to_string(found.layers) +
                         "; the device has no faster int8 kernels for this network: build fp16, or shorten "
                         "keep_fp32");
}

Result<KeptLayers> kept_layers(std::string_view inspector_json, const std::vector<std::string>& names) {
  SKUA_ASSIGN_OR_RETURN(const Json json, read_inspector(inspector_json));
  const std::vector<std::string> edges = edges_of(json);
  std::map<std::string, bool> own, parts;  // whether it is half; two layers may have one name
  for (const Json& layer : json.at("Layers")) {
    if (!layer.is_object()) continue;
    const std::string type = text_at(layer, "LayerType");
    if (type == "Cast") continue;  // is never kept; one that has a kept layer's name shows nothing of it
    const bool is_half = !is_plumbing(type) && types_of(layer, edges).is_narrow();
    const auto add = [is_half](bool& known) { known = known || is_half; };
    add(own[text_at(layer, "Name")]);
    for (const std::string& part : parts_of(layer)) add(parts[part]);
  }
  KeptLayers found;
  for (const std::string& name : names) {
    const auto itself = own.find(name), part = parts.find(name);
    found.is_any_named = found.is_any_named || itself != own.end() || part != parts.end();
    if (itself != own.end()) {
      (itself->second ? found.half : found.proven).push_back(name);
    } else {
      const bool is_whole = part != parts.end() && !part->second;
      (is_whole ? found.proven : found.hidden).push_back(name);
    }
  }
  return found;
}

Status check_kept(const KeptLayers& found) {
  if (found.half.empty()) return {};
  return build_error(Reason::kPrecisionNotSupported,
                     "keep_fp32: expected these layers in FP32, found half precision or int8 in them: " +
                         join(found.half) + "; build with build_route builder, or report it with the model");
}

namespace {

/// A tool finds layers by the names that it gives them itself, and passes over a name that it does not have.
/// One of ours in its engine shows that the names agree.
Status check_named(const KeptLayers& kept, BuildRoute route) {
  if (route == BuildRoute::kBuilder || kept.is_any_named) return {};
  return build_error(
      Reason::kPrecisionNotSupported,
      "keep_fp32: expected TensorRT's inspector to name at least one of these layers, found none "
      "of them, so that build_route " +
          std::string(to_string(route)) + " may never have met their names: " + join(kept.hidden) +
          "; use build_route builder");
}

Status prove_kept(CompileState& state, std::string_view inspector_json) {
  if (state.options.keep_fp32.empty()) return {};
  SKUA_ASSIGN_OR_RETURN(const KeptLayers kept, kept_layers(inspector_json, state.options.keep_fp32));
  state.record.proof["keep_fp32.read_back"] = join(kept.proven);
  state.record.proof["keep_fp32.not_shown"] = join(kept.hidden);
  SKUA_RETURN_IF_ERROR(check_kept(kept));
  return check_named(kept, state.options.route);
}

}  // namespace

Status prove_precision(CompileState& state) {
  state.record.proof["layers"] = std::to_string(state.plan->facts().layers);
  if (!state.options.is_detailed()) {
    const bool is_tool = state.options.route != BuildRoute::kBuilder;
    state.record.proof["precision"] = std::string("the types of the source graph") +
                                      (is_tool ? "; the tool's own flags are not read back" : "");
    return {};
  }
  const std::unique_ptr<nvinfer1::IEngineInspector> inspector(state.plan->engine().createEngineInspector());
  if (!inspector) return unreadable("no inspector");
  const char* const text = inspector->getEngineInformation(nvinfer1::LayerInformationFormat::kJSON);
  if (text == nullptr) return unreadable("no answer");
  SKUA_ASSIGN_OR_RETURN(const LayerPrecisions found, layer_precisions(text));
  const Precision precision = state.options.precision;
  SKUA_RETURN_IF_ERROR(precision == Precision::kInt8 ? check_int8(found) : check_half(found, precision));
  state.record.proof["precision"] = "layer types read back from the engine";
  state.record.proof["layers.float"] = std::to_string(found.layers);
  state.record.proof["layers.fp16"] = std::to_string(found.half);
  if (precision == Precision::kInt8) state.record.proof["layers.int8"] = std::to_string(found.int8);
  return prove_kept(state, text);
}

}  // namespace skua::tensorrt
