// The samples that a builder calibrates with, one after the other. Whoever reads a data set implements it; a
// runtime's compile half asks.
#pragma once

#include <cstddef>

#include "skua/result.h"
#include "skua/tensor.h"

namespace skua::calibration {

/// One pass over a data set, in an order that is the same each time. One thread at a time.
class CalibrationSamples {
 public:
  virtual ~CalibrationSamples() = default;
  /// How many there are, from the beginning; known before the first one is read.
  virtual std::size_t count() const = 0;
  /// The next one: a host tensor for every input of the network, each at the size of the profile's opt.
  /// Requires that fewer than count() were given. May read files and allocate. Any error ends the build with
  /// nothing published: no sample is ever left out.
  virtual Result<TensorMap> next() = 0;
};

}  // namespace skua::calibration
