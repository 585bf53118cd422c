#include "parser.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "import.h"

namespace sil::infer {

using nvonnxparser::ErrorCode;

bool Parser::fails(ErrorCode code, const std::string& text) {
  tell_error(logger_, errors_, code, text);
  return false;
}

bool Parser::parse_bytes(std::string_view bytes, const std::string& folder) {
  if (std::exchange(has_parsed_, true)) {
    return fails(ErrorCode::kMODEL_DESERIALIZE_FAILED, "A model was previously parsed!");
  }
  OnnxModel model;
  if (!read_onnx(bytes, model)) {
    return fails(ErrorCode::kMODEL_DESERIALIZE_FAILED, "Failed to parse the ONNX model.");
  }
  return Import(model, folder, *network_, logger_, errors_).run();
}

bool Parser::parse(void const* model, size_t size, const char* path) noexcept {
  if (const auto fault = sil::injected_fault("IParser::parse")) {
    return fails(static_cast<ErrorCode>(*fault), "this failure was ordered by a test of sil");
  }
  const std::string folder = path == nullptr ? "" : std::filesystem::path(path).parent_path().string();
  return parse_bytes({static_cast<const char*>(model), size}, folder);
}

bool Parser::parseFromFile(const char* path, int) noexcept {
  if (const auto fault = sil::injected_fault("IParser::parseFromFile")) {
    return fails(static_cast<ErrorCode>(*fault), "this failure was ordered by a test of sil");
  }
  if (path == nullptr) return fails(ErrorCode::kINVALID_VALUE, "Input file cannot be empty.");
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) {
    return fails(ErrorCode::kINVALID_VALUE,
                 std::string("Input file cannot be found, or is not a regular file: ") + path);
  }
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  return parse_bytes(bytes, std::filesystem::path(path).parent_path().string());
}

bool Parser::supportsOperator(const char* op_name) const noexcept {
  return op_name != nullptr && is_supported_operator(op_name);
}

int Parser::getNbErrors() const noexcept {
  SIL_ENTER("IParser::getNbErrors", 0);
  return static_cast<int>(errors_.size());
}

nvonnxparser::IParserError const* Parser::getError(int index) const noexcept {
  SIL_ENTER("IParser::getError", nullptr);
  if (index < 0 || static_cast<std::size_t>(index) >= errors_.size()) return nullptr;
  return &errors_[static_cast<std::size_t>(index)];
}

char const* const* Parser::getUsedVCPluginLibraries(int64_t& count) const noexcept {
  count = 0;
  return nullptr;
}

// Any number is taken: it is shifted as the processor shifts, modulo 32.
void Parser::setFlag(nvonnxparser::OnnxParserFlag flag) noexcept {
  SIL_ENTER("IParser::setFlag");
  flags_ |= 1U << (static_cast<unsigned>(flag) % 32U);
}

void Parser::clearFlag(nvonnxparser::OnnxParserFlag flag) noexcept {
  flags_ &= ~(1U << (static_cast<unsigned>(flag) % 32U));
}

bool Parser::getFlag(nvonnxparser::OnnxParserFlag flag) const noexcept {
  return (flags_ >> (static_cast<unsigned>(flag) % 32U) & 1U) != 0;
}

nvinfer1::ITensor const* Parser::getLayerOutputTensor(char const* name, int64_t i) noexcept {
  for (const Layer& layer : network_->layers) {
    if (name != nullptr && layer.name == name) return layer.getOutput(static_cast<int32_t>(i));
  }
  return nullptr;
}

bool Parser::supportsModelV2(void const* model, size_t size, char const*) noexcept {
  SIL_ENTER("IParser::supportsModelV2", false);
  subgraphs_.clear();
  is_supported_ = false;
  OnnxModel read;
  if (!read_onnx({static_cast<const char*>(model), size}, read)) {
    return fails(ErrorCode::kMODEL_DESERIALIZE_FAILED, "Failed to parse the ONNX model.");
  }
  is_supported_ = true;
  bool continues = false;
  for (std::size_t i = 0; i < read.graph.nodes.size(); ++i) {
    const bool is_fine = check_node(read, i, logger_, errors_);
    if (is_fine && !continues) subgraphs_.emplace_back();
    if (is_fine) subgraphs_.back().push_back(static_cast<int64_t>(i));
    continues = is_fine;
    is_supported_ = is_supported_ && is_fine;
  }
  return is_supported_;
}

int64_t Parser::getNbSubgraphs() noexcept {
  SIL_ENTER("IParser::getNbSubgraphs", 0);
  return static_cast<int64_t>(subgraphs_.size());
}

// One bad node anywhere makes every subgraph "not supported", the good ones too.
bool Parser::isSubgraphSupported(int64_t const index) noexcept {
  SIL_ENTER("IParser::isSubgraphSupported", false);
  return index >= 0 && static_cast<std::size_t>(index) < subgraphs_.size() && is_supported_;
}

int64_t* Parser::getSubgraphNodes(int64_t const index, int64_t& length) noexcept {
  length = 0;
  SIL_ENTER("IParser::getSubgraphNodes", nullptr);
  if (index < 0 || static_cast<std::size_t>(index) >= subgraphs_.size()) return nullptr;
  std::vector<int64_t>& nodes = subgraphs_[static_cast<std::size_t>(index)];
  length = static_cast<int64_t>(nodes.size());
  return nodes.data();
}

}  // namespace sil::infer

// Neither the version nor the network is looked at.
extern "C" void* createNvOnnxParser_INTERNAL(void* network, void* logger, int) noexcept {
  if (sil::injected_fault("createParser")) return nullptr;
  // The interface's pointer, not the object's: they may differ.
  auto* const definition = static_cast<nvinfer1::INetworkDefinition*>(network);
  return static_cast<nvonnxparser::IParser*>(new sil::infer::Parser(
      static_cast<sil::infer::Network*>(definition), *static_cast<nvinfer1::ILogger*>(logger)));
}

extern "C" int getNvOnnxParserVersion() noexcept { return NV_ONNX_PARSER_VERSION; }
