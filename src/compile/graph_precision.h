// Whether a source graph is what a precision says. Precision is a property of the graph: nothing here
// converts.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "onnx/onnx_model.h"
#include "skua/build_config.h"

namespace skua::compile {

/// fp32: every float tensor is float32 (half or double at most at the graph's edge, behind a Cast), nothing
/// quantised. fp16: weights and arithmetic are half; float32 only where an operator admits nothing else,
/// where `keep_fp32` names the node, or at the graph's edge behind a Cast. mixed: the same, and nodes that
/// `keep_fp32` names compute in float32. int8: check_int8_graph. EngineBuildError, precision_not_supported,
/// naming the first offenders and the remedy.
Status check_graph_precision(const OnnxModel& model, Precision precision,
                             const std::vector<std::string>& keep_fp32);

/// Bytes of the weights of an artifact by element type, for the proof: "float16" -> 531000.
std::map<std::string, std::uint64_t> weight_bytes_by_type(const OnnxModel& model);

/// EngineBuildError when the optimiser has widened half weights of `source` in `artifact`.
Status check_weights_still_half(const OnnxModel& source, const OnnxModel& artifact);

/// Whether a node quantises, dequantises, or computes with quantised values.
bool is_quantised(const OnnxNode& node);

/// Whether a graph has quantised nodes; whether it has half weights.
bool is_quantised(const OnnxModel& model);
bool is_half(const OnnxModel& model);

/// `*` stands for any text, `?` for one character.
bool matches_pattern(std::string_view pattern, std::string_view text) noexcept;

}  // namespace skua::compile
