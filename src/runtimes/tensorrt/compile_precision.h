// Which layers of an engine compute in half precision or int8, from what TensorRT's inspector says of them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "skua/host_tuple.h"
#include "skua/result.h"

namespace skua::tensorrt {

struct LayerPrecisions {
  std::size_t layers = 0;  ///< that compute in floating point or int8; copies and reformats do not count
  std::size_t half = 0;    ///< of these, with a half input, output or weight, and not of int8
  std::size_t int8 = 0;    ///< of these, with an int8 input or weight
};

/// Reads the inspector's JSON, in the form of 10.x (one field for format and type) or of 11.x (two).
/// EngineBuildError, precision_not_supported, when it is none or says nothing of types.
Result<LayerPrecisions> layer_precisions(std::string_view inspector_json);

/// Under fp16 and mixed at least one layer must compute in half: else the engine is an fp32 one under another
/// name. EngineBuildError, precision_not_supported.
Status check_half(const LayerPrecisions& found, Precision precision = Precision::kFp16);
/// The same of int8.
Status check_int8(const LayerPrecisions& found);

/// What the inspector shows of the layers that were to stay in FP32.
struct KeptLayers {
  std::vector<std::string> proven;  ///< no half or int8 in inputs, outputs and weights, or nothing computed
  std::vector<std::string> half;    ///< one of these is half or int8
  /// Of the rest nothing is known: no layer has the name, or only a fused one around it with a half at its
  /// edges, which may compute in float all the same.
  std::vector<std::string> hidden;
  bool is_any_named = false;  ///< by itself or as a part: the names are those of the engine's own network
};

/// `names` are layers of the network. A network output keeps the type that the model declares, so it counts
/// for nothing.
Result<KeptLayers> kept_layers(std::string_view inspector_json, const std::vector<std::string>& names);

/// A layer that was kept and is half all the same ends the build. EngineBuildError, precision_not_supported.
Status check_kept(const KeptLayers& found);

}  // namespace skua::tensorrt
