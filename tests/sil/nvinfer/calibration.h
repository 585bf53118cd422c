// What the builder needs for INT8: a scale of each activation, out of a calibrator, its cache, or ranges that
// were set by hand.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "builder_config.h"
#include "network.h"
#include "ort_model.h"

namespace sil::infer {

using Scales = std::map<std::string, float>;  ///< by the tensor's name

/// Whether the ranges stand in the graph: then no calibrator is asked.
bool has_quantised_layers(const Network& network);

/// What depends on an input's values and is of floating point, inputs first, then in the order of the layers.
std::vector<const Tensor*> activations_of(const Network& network);

/// Empty without kINT8 and for a network whose ranges stand in the graph. A tensor that is left out is warned
/// of and no more. False with the error told.
bool find_scales(const ErrorSink& sink, const Network& network, const BuilderConfig& config, Scales& scales);

/// The largest absolute values that the network's activations have on one batch, at the sizes of the
/// calibration profile. The values of the inputs are read where `bindings` say, in the order of the inputs.
class BatchRun {
 public:
  BatchRun(const Network& network, const BuilderConfig& config);
  /// "" or why it cannot run at all.
  std::string open();
  /// "" or what went wrong; `largest` grows.
  std::string run(const std::vector<void*>& bindings, std::map<std::string, float>& largest);

 private:
  std::vector<std::int64_t> sizes_of(const Tensor& input) const;

  const Network& network_;
  const BuilderConfig& config_;
  std::vector<const Tensor*> inner_;  // activations that are no inputs
  std::unique_ptr<OrtModel> model_;
};

}  // namespace sil::infer
