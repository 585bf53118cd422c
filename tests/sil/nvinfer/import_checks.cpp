#include <algorithm>
#include <cfloat>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "import.h"

namespace sil::infer {
namespace {

using nvonnxparser::ErrorCode;

const std::set<std::string>& operators() {
  static const std::set<std::string>* const all = new std::set<std::string>{"Abs",
                                                                            "Acos",
                                                                            "Acosh",
                                                                            "Add",
                                                                            "And",
                                                                            "ArgMax",
                                                                            "ArgMin",
                                                                            "Asin",
                                                                            "Asinh",
                                                                            "Atan",
                                                                            "Atanh",
                                                                            "AveragePool",
                                                                            "BatchNormalization",
                                                                            "Cast",
                                                                            "CastLike",
                                                                            "Ceil",
                                                                            "Celu",
                                                                            "Clip",
                                                                            "Concat",
                                                                            "Constant",
                                                                            "ConstantOfShape",
                                                                            "Conv",
                                                                            "ConvTranspose",
                                                                            "Cos",
                                                                            "Cosh",
                                                                            "CumSum",
                                                                            "DepthToSpace",
                                                                            "DequantizeLinear",
                                                                            "Div",
                                                                            "Dropout",
                                                                            "Einsum",
                                                                            "Elu",
                                                                            "Equal",
                                                                            "Erf",
                                                                            "Exp",
                                                                            "Expand",
                                                                            "EyeLike",
                                                                            "Flatten",
                                                                            "Floor",
                                                                            "Gather",
                                                                            "GatherElements",
                                                                            "GatherND",
                                                                            "Gelu",
                                                                            "Gemm",
                                                                            "GlobalAveragePool",
                                                                            "GlobalLpPool",
                                                                            "GlobalMaxPool",
                                                                            "Greater",
                                                                            "GreaterOrEqual",
                                                                            "GridSample",
                                                                            "GroupNormalization",
                                                                            "GRU",
                                                                            "HardSigmoid",
                                                                            "HardSwish",
                                                                            "Hardmax",
                                                                            "Identity",
                                                                            "If",
                                                                            "ImageScaler",
                                                                            "InstanceNormalization",
                                                                            "IsInf",
                                                                            "IsNaN",
                                                                            "LayerNormalization",
                                                                            "LeakyRelu",
                                                                            "Less",
                                                                            "LessOrEqual",
                                                                            "Log",
                                                                            "LogSoftmax",
                                                                            "Loop",
                                                                            "LpNormalization",
                                                                            "LpPool",
                                                                            "LRN",
                                                                            "LSTM",
                                                                            "MatMul",
                                                                            "Max",
                                                                            "MaxPool",
                                                                            "Mean",
                                                                            "MeanVarianceNormalization",
                                                                            "Min",
                                                                            "Mod",
                                                                            "Mul",
                                                                            "Multinomial",
                                                                            "Neg",
                                                                            "NonMaxSuppression",
                                                                            "NonZero",
                                                                            "Not",
                                                                            "OneHot",
                                                                            "Or",
                                                                            "Pad",
                                                                            "ParametricSoftplus",
                                                                            "Pow",
                                                                            "PRelu",
                                                                            "QuantizeLinear",
                                                                            "RandomNormal",
                                                                            "RandomNormalLike",
                                                                            "RandomUniform",
                                                                            "RandomUniformLike",
                                                                            "Range",
                                                                            "Reciprocal",
                                                                            "ReduceL1",
                                                                            "ReduceL2",
                                                                            "ReduceLogSum",
                                                                            "ReduceLogSumExp",
                                                                            "ReduceMax",
                                                                            "ReduceMean",
                                                                            "ReduceMin",
                                                                            "ReduceProd",
                                                                            "ReduceSum",
                                                                            "ReduceSumSquare",
                                                                            "Relu",
                                                                            "Reshape",
                                                                            "Resize",
                                                                            "ReverseSequence",
                                                                            "RNN",
                                                                            "RoiAlign",
                                                                            "Round",
                                                                            "Scan",
                                                                            "ScaledTanh",
                                                                            "Scatter",
                                                                            "ScatterElements",
                                                                            "ScatterND",
                                                                            "Selu",
                                                                            "Shape",
                                                                            "Shrink",
                                                                            "Sigmoid",
                                                                            "Sign",
                                                                            "Sin",
                                                                            "Sinh",
                                                                            "Size",
                                                                            "Slice",
                                                                            "Softmax",
                                                                            "Softplus",
                                                                            "Softsign",
                                                                            "SpaceToDepth",
                                                                            "Split",
                                                                            "Sqrt",
                                                                            "Squeeze",
                                                                            "Sub",
                                                                            "Sum",
                                                                            "Tan",
                                                                            "Tanh",
                                                                            "ThresholdedRelu",
                                                                            "Tile",
                                                                            "TopK",
                                                                            "Transpose",
                                                                            "Trilu",
                                                                            "Unsqueeze",
                                                                            "Upsample",
                                                                            "Where",
                                                                            "Xor"};
  return *all;
}

// Where shapes come from: the operands whose values a layer needs to know its output's size.
std::vector<std::size_t> shape_operands(const std::string& op) {
  if (op == "Reshape" || op == "Expand" || op == "TopK" || op == "Tile" || op == "Pad") return {1};
  if (op == "ConstantOfShape") return {0};
  if (op == "Slice") return {1, 2, 3, 4};
  if (op == "Resize") return {2, 3};
  if (op == "Range") return {0, 1, 2};
  return {};
}

bool is_all_zero(const OnnxTensor& tensor) {
  return std::all_of(tensor.raw.begin(), tensor.raw.end(), [](char byte) { return byte == 0; });
}

// What quantisation tools write by default and the real parser refuses. "" when there is nothing to refuse.
std::string quantisation_fault(const OnnxGraph& graph, const OnnxNode& node, nvinfer1::ILogger& logger) {
  if (node.op != "QuantizeLinear" && node.op != "DequantizeLinear") return "";
  const OnnxTensor* const input = node.inputs.empty() ? nullptr : graph.constant(node.inputs[0]);
  if (node.op == "DequantizeLinear" && input != nullptr && input->type == kOnnxInt32) {
    return node.name + ": input has type Int32 but must have type FP8, FP4, Int4, Int8, or UInt8";
  }
  const OnnxTensor* const zero = node.inputs.size() < 3 ? nullptr : graph.constant(node.inputs[2]);
  if (zero == nullptr) return "";
  if (!is_all_zero(*zero)) return "Non-zero zero point is not supported.";
  if (zero->type == kOnnxUint8) {
    logger.log(Severity::kWARNING,
               (node.name + ": UINT8 with a zero point of 0 is converted to INT8").c_str());
  }
  return "";
}

std::string padding_fault(const OnnxNode& node) {
  const OnnxAttribute* const pads = node.op == "Conv" ? node.find("pads") : nullptr;
  if (pads == nullptr) return "";
  const auto is_negative = [](std::int64_t pad) { return pad < 0; };
  if (std::none_of(pads->integers.begin(), pads->integers.end(), is_negative)) return "";
  return "Invalid Node - " + node.name +
         "\nIConvolutionLayer::setPrePadding: Error Code 3: API Usage Error (Parameter check failed, "
         "condition: no padding is negative)";
}

}  // namespace

bool is_supported_operator(const std::string& op) { return operators().count(op) != 0; }

void tell_error(nvinfer1::ILogger& logger, std::deque<ParserError>& errors, ErrorCode code,
                const std::string& text, const OnnxNode* node, int index) {
  ParserError& error = errors.emplace_back();
  error.code_ = code;
  error.text = text;
  error.file_name = "sil.cpp";
  error.function = node == nullptr ? "parse" : "parseNode";
  error.node_index = index;
  const auto say = [&logger](const std::string& line) { logger.log(Severity::kERROR, line.c_str()); };
  if (node != nullptr) {
    error.node_name = node->name;
    error.node_operator = node->op;
    const std::string output = node->outputs.empty() ? "" : node->outputs[0];
    say("at node " + std::to_string(index) + ", " + node->op + ", which makes " + output);
    say("of the name " + node->name + "\nand the operator " + node->op);
  }
  say("error " + std::to_string(static_cast<int>(code)) + " in " + error.function + ":\n" + text);
}

bool check_node(const OnnxModel& model, std::size_t index, nvinfer1::ILogger& logger,
                std::deque<ParserError>& errors) {
  const OnnxNode& node = model.graph.nodes[index];
  const auto fails = [&](ErrorCode code, const std::string& text) {
    tell_error(logger, errors, code, text, &node, static_cast<int>(index));
    return false;
  };
  const bool is_standard = node.domain.empty() || node.domain == "ai.onnx";
  if (node.op == "QLinearConv") return fails(ErrorCode::kUNSUPPORTED_NODE, "false");
  if (!is_standard || !is_supported_operator(node.op)) {
    return fails(ErrorCode::kINVALID_NODE,
                 "creator && \"Plugin not found, are the plugin name, version, and namespace correct?\"");
  }
  for (const std::string& fault : {quantisation_fault(model.graph, node, logger), padding_fault(node)}) {
    if (!fault.empty()) return fails(ErrorCode::kINVALID_NODE, fault);
  }
  return true;
}

void mark_shape_inputs(const OnnxGraph& graph, Network& network) {
  std::set<std::string> deciding;
  for (std::size_t back = graph.nodes.size(); back-- > 0;) {
    const OnnxNode& node = graph.nodes[back];
    for (const std::size_t operand : shape_operands(node.op)) {
      if (operand < node.inputs.size()) deciding.insert(node.inputs[operand]);
    }
    const auto decides = [&deciding](const std::string& name) { return deciding.count(name) != 0; };
    // A tensor's size is known without its values: what is behind a Shape does not decide.
    if (node.op == "Shape" || std::none_of(node.outputs.begin(), node.outputs.end(), decides)) continue;
    deciding.insert(node.inputs.begin(), node.inputs.end());
  }
  for (Tensor* input : network.inputs) {
    const bool is_integer =
        input->type == nvinfer1::DataType::kINT64 || input->type == nvinfer1::DataType::kINT32;
    input->is_shape = is_integer && input->dims.nbDims <= 1 && deciding.count(input->onnx_name) != 0;
  }
}

bool is_beyond_float(const OnnxTensor& tensor) {
  if (tensor.type != kOnnxDouble) return false;
  for (std::size_t at = 0; at + sizeof(double) <= tensor.raw.size(); at += sizeof(double)) {
    double value = 0;
    std::memcpy(&value, tensor.raw.data() + at, sizeof value);
    if (value > FLT_MAX || value < -FLT_MAX) return true;
  }
  return false;
}

bool read_external(const OnnxTensor& tensor, const std::string& folder, nvinfer1::ILogger& logger,
                   std::string& bytes) {
  const auto fails = [&logger](const std::string& text) {
    logger.log(Severity::kERROR, text.c_str());
    return false;
  };
  const auto field = [&tensor](const char* key) {
    const auto found = tensor.external.find(key);
    return found == tensor.external.end() ? std::string() : found->second;
  };
  const std::string location = field("location");
  if (location.find("../") != std::string::npos) {
    return fails("Relative paths to parent (../) are not allowed in ONNX external weights!");
  }
  const std::string path = folder.empty() ? location : folder + "/" + location;  // absolute ones too
  std::ifstream file(path, std::ios::binary);
  if (!file) return fails("Failed to open file: " + path);
  const std::string whole{std::istreambuf_iterator<char>(file), {}};
  const std::string offset_text = field("offset"), length_text = field("length");
  const std::size_t offset = offset_text.empty() ? 0 : std::stoull(offset_text);
  const std::size_t length = length_text.empty() ? whole.size() - offset : std::stoull(length_text);
  if (offset > whole.size() || length > whole.size() - offset) {
    return fails("ONNX external weights offset/length out of range for file: " + path +
                 " (offset=" + std::to_string(offset) + ", length=" + std::to_string(length) +
                 ", file size=" + std::to_string(whole.size()) + ")");
  }
  bytes = whole.substr(offset, length);
  return true;
}

}  // namespace sil::infer
