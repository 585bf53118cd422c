// The samples of a data set as what a network is fed with, one after the other: a data set need not fit into
// memory. docs/formats/data-set.md says what a sample may be.
#pragma once

#include <optional>
#include <vector>

#include "calibration/data_set.h"
#include "calibration/image_samples.h"
#include "skua/tensor.h"

namespace skua::calibration {

/// Reads samples of one data set for one network. Thread-safe: several threads may read at once, each another
/// sample or the same.
class SampleReader {
 public:
  /// `folder` is the data set's, borrowed for as long as this object reads; `set` is what read_data_set gave
  /// for it. `inputs`: names, types and shapes as the network has them; a dimension of -1 takes any size, but
  /// none beyond that of `max_shape`, unless that has no dimensions (unknown). EngineBuildError:
  /// data_set_malformed (preprocess.yaml, or inputs that no image can become), data_set_changed, and the file
  /// system's. Cost: reads preprocess.yaml.
  static Result<SampleReader> open(Folder& folder, const DataSet& set, std::vector<TensorSpec> inputs);

  /// One tensor for each input, under its name and in the order of `inputs`; of its type, of a shape that it
  /// takes, in C order, in host memory that the result owns, and finite.
  /// EngineBuildError, naming the file: data_set_malformed (damaged, another shape or type, empty, not
  /// finite, arrays that are missing or too many), data_set_changed (not the bytes that were hashed), and the
  /// file system's. OutOfMemoryError. Cost: the file and the tensors in memory.
  Result<TensorMap> read(const DataSetFile& sample) const;

 private:
  SampleReader(Folder& folder, std::vector<TensorSpec> inputs, std::optional<ImageSamples> images)
      : folder_(&folder), inputs_(std::move(inputs)), images_(std::move(images)) {}

  Folder* folder_;
  std::vector<TensorSpec> inputs_;
  std::optional<ImageSamples> images_;  ///< nothing for .npz
};

/// One sample in so many judges what calibration made, and calibrates nothing.
inline constexpr std::size_t kHeldOutEvery = 5;

struct Split {
  std::vector<DataSetFile> calibrating, judging;  ///< each in the order of the set, and none empty
};

/// By position among the contents that differ: the same every time, and files of one content are on one side.
/// python/skua_precision/samples.py has the same rule. EngineBuildError, data_set_malformed: fewer than two
/// samples that differ.
Result<Split> split(const DataSet& set);

}  // namespace skua::calibration
