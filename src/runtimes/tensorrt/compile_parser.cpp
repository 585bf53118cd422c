// Parsing, and the parser's errors as one report.
#include <algorithm>
#include <set>

#include "compile/compilation.h"
#include "core/text.h"
#include "runtimes/tensorrt/compile_network.h"
#include "runtimes/tensorrt/trt_errors.h"
#include "runtimes/tensorrt/trt_logger.h"

namespace skua::tensorrt {
namespace {

using compile::build_error;
using ParserError = nvonnxparser::ErrorCode;

constexpr std::size_t kMaxShown = 20;

/// Every error once, in the order in which they came.
class ParserReport {
 public:
  void add(nvonnxparser::IParser& parser) {
    for (int i = 0; i < parser.getNbErrors(); ++i) {
      if (const auto* error = parser.getError(i); error != nullptr) add(*error);
    }
  }
  bool is_empty() const { return lines_.empty(); }
  Error as_error(const std::string& log) const {
    std::string text;
    for (std::size_t i = 0; i < std::min(lines_.size(), kMaxShown); ++i) {
      text += (i == 0 ? "" : "; ") + lines_[i];
    }
    if (lines_.size() > kMaxShown) text += "; and " + std::to_string(lines_.size() - kMaxShown) + " more";
    if (lines_.empty()) text = log.empty() ? "no reason given" : log;
    const std::string count = std::to_string(std::max<std::size_t>(lines_.size(), 1));
    Error error =
        build_error(reason_, "TensorRT's ONNX parser refuses the model, errors: " + count + ": " + text +
                                 "; replace these operators, or export the network in another way");
    error.native_code = native_code_;
    if (reason_ == Reason::kOutOfMemory) error.code = ErrorCode::kOutOfMemory;
    return error;
  }

 private:
  void add(const nvonnxparser::IParserError& error) {
    if (!seen_.emplace(error.node(), one_line(error.desc())).second) return;
    if (lines_.empty()) {
      reason_ = reason_of(error.code());
      native_code_ = static_cast<int>(error.code());
    }
    std::string line;
    if (error.node() >= 0) {
      line = "node " + std::to_string(error.node()) + " " + quote(error.nodeName()) + " (" +
             one_line(error.nodeOperator()) + "): ";
    }
    lines_.push_back(line + one_line(error.desc()));
  }

  static Reason reason_of(ParserError code) {
    switch (code) {
      case ParserError::kMEM_ALLOC_FAILED:
        return Reason::kOutOfMemory;
      case ParserError::kMODEL_DESERIALIZE_FAILED:
      case ParserError::kINVALID_GRAPH:
        return Reason::kModelMalformed;
      case ParserError::kSUCCESS:
      case ParserError::kINTERNAL_ERROR:
      case ParserError::kINVALID_VALUE:
      case ParserError::kINVALID_NODE:
      case ParserError::kUNSUPPORTED_GRAPH:
      case ParserError::kUNSUPPORTED_NODE:
      case ParserError::kUNSUPPORTED_NODE_ATTR:
      case ParserError::kUNSUPPORTED_NODE_INPUT:
      case ParserError::kUNSUPPORTED_NODE_DATATYPE:
      case ParserError::kUNSUPPORTED_NODE_DYNAMIC:
      case ParserError::kUNSUPPORTED_NODE_SHAPE:
      case ParserError::kREFIT_FAILED:
        break;
    }
    return Reason::kModelUnsupported;
  }

  std::set<std::pair<int, std::string>> seen_;
  std::vector<std::string> lines_;
  Reason reason_ = Reason::kModelUnsupported;
  int native_code_ = 0;
};

/// Batches are explicit in every release that we know, and from 11 on every network is strongly typed: there
/// is nothing to ask for.
constexpr nvinfer1::NetworkDefinitionCreationFlags kCreationFlags = 0;

Error cannot_make(const char* what, const ErrorRecorder& recorder, const LogCapture& log) {
  return translate(TrtContext::kDevice, recorder, std::string("making a ") + what, log.text());
}

/// A parser stops at the first value that is wrong; asking a fresh one what it supports finds the rest.
void add_unsupported(nvinfer1::IBuilder& builder, std::span<const std::byte> model, ParserReport& report) {
  const std::unique_ptr<nvinfer1::INetworkDefinition> network(builder.createNetworkV2(kCreationFlags));
  if (!network) return;
  const std::unique_ptr<nvonnxparser::IParser> parser(nvonnxparser::createParser(*network, process_logger()));
  if (!parser) return;
  static_cast<void>(parser->supportsModelV2(model.data(), model.size()));
  report.add(*parser);
}

}  // namespace

Result<ParsedNetwork> parse_network(std::span<const std::byte> model, const std::string& name,
                                    ErrorRecorder& recorder) {
  // An empty block parses as an empty network, and a null pointer ends the process.
  if (model.data() == nullptr || model.empty())
    return build_error(Reason::kModelEmpty, "the model is empty; export it again");
  const LogCapture log;
  ParsedNetwork parsed;
  recorder.clear();
  parsed.builder.reset(nvinfer1::createInferBuilder(process_logger()));
  if (!parsed.builder) return cannot_make("builder", recorder, log);
  parsed.builder->setErrorRecorder(&recorder);
  parsed.network.reset(parsed.builder->createNetworkV2(kCreationFlags));
  if (!parsed.network) return cannot_make("network", recorder, log);
  parsed.network->setName(name.c_str());
  parsed.parser.reset(nvonnxparser::createParser(*parsed.network, process_logger()));
  if (!parsed.parser) return cannot_make("parser", recorder, log);
  if (parsed.parser->parse(model.data(), model.size())) return parsed;
  ParserReport report;
  report.add(*parsed.parser);
  add_unsupported(*parsed.builder, model, report);
  return report.as_error(log.text());
}

}  // namespace skua::tensorrt
