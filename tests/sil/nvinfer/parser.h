// The ONNX parser: what it accepts, what it says and what it changes in silence, as the real one was
// measured.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "NvOnnxParser.h"
#include "network.h"

namespace sil::infer {

class ParserError final : public nvonnxparser::IParserError {
 public:
  nvonnxparser::ErrorCode code() const override { return code_; }
  char const* desc() const override { return text.c_str(); }
  char const* file() const override { return file_name.c_str(); }
  int line() const override { return 1; }
  char const* func() const override { return function.c_str(); }
  int node() const override { return node_index; }
  char const* nodeName() const override { return node_name.c_str(); }
  char const* nodeOperator() const override { return node_operator.c_str(); }
  char const* const* localFunctionStack() const override { return nullptr; }
  int32_t localFunctionStackSize() const override { return 0; }

  nvonnxparser::ErrorCode code_ = nvonnxparser::ErrorCode::kSUCCESS;
  std::string text, file_name, function, node_name, node_operator;
  int node_index = -1;
};

class Parser final : public nvonnxparser::IParser {
 public:
  Parser(Network* network, nvinfer1::ILogger& logger) : network_(network), logger_(logger) {}
  bool parse(void const* model, size_t size, const char* path) noexcept override;
  bool parseFromFile(const char* path, int verbosity) noexcept override;
  bool supportsOperator(const char* op_name) const noexcept override;
  int getNbErrors() const noexcept override;
  nvonnxparser::IParserError const* getError(int index) const noexcept override;
  void clearErrors() noexcept override { errors_.clear(); }
  char const* const* getUsedVCPluginLibraries(int64_t& count) const noexcept override;
  void setFlags(nvonnxparser::OnnxParserFlags flags) noexcept override { flags_ = flags; }
  nvonnxparser::OnnxParserFlags getFlags() const noexcept override { return flags_; }
  void clearFlag(nvonnxparser::OnnxParserFlag flag) noexcept override;
  void setFlag(nvonnxparser::OnnxParserFlag flag) noexcept override;
  bool getFlag(nvonnxparser::OnnxParserFlag flag) const noexcept override;
  nvinfer1::ITensor const* getLayerOutputTensor(char const* name, int64_t i) noexcept override;
  bool supportsModelV2(void const* model, size_t size, char const* path) noexcept override;
  int64_t getNbSubgraphs() noexcept override;
  bool isSubgraphSupported(int64_t const index) noexcept override;
  int64_t* getSubgraphNodes(int64_t const index, int64_t& length) noexcept override;

 private:
  bool parse_bytes(std::string_view bytes, const std::string& folder);
  bool fails(nvonnxparser::ErrorCode code, const std::string& text);

  Network* network_;
  nvinfer1::ILogger& logger_;
  std::deque<ParserError> errors_;
  std::vector<std::vector<int64_t>> subgraphs_;
  bool is_supported_ = false;
  bool has_parsed_ = false;
  nvonnxparser::OnnxParserFlags flags_ = 1;  // kNATIVE_INSTANCENORM
};

}  // namespace sil::infer
