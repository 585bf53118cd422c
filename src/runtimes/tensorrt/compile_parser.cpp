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

/// An operator sees all of them; beyond this, where nobody reads any more, the operators alone.
constexpr std::size_t kMaxReportBytes = 512U << 10U;

/// Every error once, in the order in which they came.
class ParserReport {
 public:
  void add(nvonnxparser::IParser& parser) {
    for (int i = 0; i < parser.getNbErrors(); ++i) {
      if (const auto* error = parser.getError(i); error != nullptr) add(*error);
    }
  }
  Error as_error(const std::string& log, const std::string& own_reading) const {
    std::string text;
    std::size_t shown = 0;
    for (; shown < lines_.size() && text.size() < kMaxReportBytes; ++shown) {
      text += (shown == 0 ? "" : "; ") + lines_[shown];
    }
    if (shown < lines_.size()) {
      text += "; and " + std::to_string(lines_.size() - shown) +
              " more; operators: " + join(std::vector<std::string>(operators_.begin(), operators_.end()));
    }
    if (lines_.empty()) text = log.empty() ? "no reason given" : log;
    const std::string count = std::to_string(std::max<std::size_t>(lines_.size(), 1));
    Error error = build_error(reason_, "TensorRT's ONNX parser refuses the model, errors: " + count + ": " +
                                           text + own_reading +
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
      operators_.insert(one_line(error.nodeOperator()));
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
  std::set<std::string> operators_;
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
  // Of an order that cannot be TensorRT says no more than that it failed.
  const auto source = parse_onnx(model);
  const std::string order = source.ok() ? order_problem(source->graph) : "";
  return report.as_error(log.text(), order.empty() ? "" : "; " + order);
}

}  // namespace skua::tensorrt
