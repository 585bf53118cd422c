// From an ONNX model to a network, step by step in the order in which the real parser fails.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "onnx_edit.h"
#include "onnx_graph.h"
#include "ort_model.h"
#include "parser.h"

namespace sil::infer {

/// Keeps the error and logs it. `node` is null for one that is about no node in particular.
void tell_error(nvinfer1::ILogger& logger, std::deque<ParserError>& errors, nvonnxparser::ErrorCode code,
                const std::string& text, const OnnxNode* node = nullptr, int index = -1);

bool is_supported_operator(const std::string& op);

/// What can be said of a node without importing it. False with the error told.
bool check_node(const OnnxModel& model, std::size_t index, nvinfer1::ILogger& logger,
                std::deque<ParserError>& errors);

/// Marks the inputs whose values decide shapes.
void mark_shape_inputs(const OnnxGraph& graph, Network& network);

/// The bytes of an external weight; false with the reason logged.
bool read_external(const OnnxTensor& tensor, const std::string& folder, nvinfer1::ILogger& logger,
                   std::string& bytes);

/// Whether weights of type double do not fit into FLOAT.
bool is_beyond_float(const OnnxTensor& tensor);

class Import {
 public:
  Import(const OnnxModel& model, std::string folder, Network& network, nvinfer1::ILogger& logger,
         std::deque<ParserError>& errors)
      : model_(model), folder_(std::move(folder)), network_(network), logger_(logger), errors_(errors) {}

  bool run();

 private:
  bool sort_nodes();
  bool place_nodes(std::vector<bool>& is_known);
  bool check_nodes();
  bool import_input(const OnnxValue& input);
  bool import_inputs();
  bool import_weights();
  bool check_node_inputs();
  bool infer_types();
  void refuse_node(const std::string& message);
  void import_layers(std::size_t count);
  bool import_outputs();
  void warn_of_names();
  std::vector<std::string> output_names() const;
  bool is_produced(const std::string& name) const;
  void warn(const std::string& text) { logger_.log(Severity::kWARNING, text.c_str()); }
  bool fails(nvonnxparser::ErrorCode code, const std::string& text, const OnnxNode* node = nullptr,
             int index = -1);

  const OnnxModel& model_;
  const std::string folder_;
  Network& network_;
  nvinfer1::ILogger& logger_;
  std::deque<ParserError>& errors_;
  std::vector<std::size_t> order_;  // of the nodes
  std::map<std::string, std::string> external_;
};

}  // namespace sil::infer
