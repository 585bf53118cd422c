// What int8 and mixed cost: an artifact's outputs beside those of its float32 source, sample by sample.
// docs/design/compile.md defines the figures and says why their bounds are what they are; skua quantize
// judges by the same (python/skua_precision/accuracy.py).
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "compile/output_values.h"
#include "skua/build_config.h"
#include "skua/tensor.h"

namespace skua::compile {

/// One output over all samples: of the worst sample, unless it says otherwise.
struct OutputAccuracy {
  std::string name;
  std::uint64_t compared = 0;   ///< finite values, or keypoints, of all samples
  double relative_error = 0.0;  ///< largest, over values of at least a hundredth of a sample's largest
  double cosine = 1.0;          ///< least; 1: the same direction
  double relative_l2 = 0.0;     ///< length of the difference, of that of the output
  double mismatched = 0.0;      ///< no floats: share that differs, where either is not the usual value
  double agreement = 1.0;       ///< keypoints: least share that is found again
};

class AccuracyJudge {
 public:
  /// For outputs of these names.
  explicit AccuracyJudge(const std::vector<TensorSpec>& outputs);
  /// One sample: what the source gives, and what the artifact gives, in host memory. An output that one
  /// lacks, or that has another shape or type there, counts as wholly different.
  void add(const TensorMap& expected, const TensorMap& found);
  /// After the last sample.
  std::vector<OutputAccuracy> finish() const;

 private:
  struct Output {
    OutputAccuracy figures;
    std::vector<std::pair<double, double>> lengths;  // of difference and output, each sample
  };
  /// Compares keypoints, puts the rows of those that both have in the place of all, and says what is done.
  std::set<std::string> add_keypoints(Answer& expected, Answer& found);

  std::map<std::string, Output> outputs_;
  std::vector<std::string> order_;
};

/// EngineBuildError, accuracy_too_low: the worst outputs with what is beyond its bound.
Status check_accuracy(const std::vector<OutputAccuracy>& outputs, const AccuracyLimits& limits);

}  // namespace skua::compile
