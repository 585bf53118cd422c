// Golden vectors: docs/formats/golden.md. A bounded raw format, read from verified bytes only.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "skua/build_config.h"
#include "skua/tensor.h"

namespace skua {

struct GoldenVectors {
  TensorMap inputs, outputs;
};

/// Error: kEngineDeserialize, golden_malformed, with the offset and what was wrong there.
Result<GoldenVectors> decode_golden(std::span<const std::byte> bytes);
/// Error: InvalidArgumentError for a tensor that the format cannot hold.
Result<std::vector<std::byte>> encode_golden(const TensorMap& inputs, const TensorMap& outputs);

/// How far two outputs are apart.
struct GoldenDifference {
  double max_absolute = 0.0;
  double mismatch_fraction = 0.0;
};
/// Compares one output with its golden value; Error kEngineDeserialize, golden_mismatch, naming `output`, the
/// worst element, and the tolerance. A NaN equals a NaN only.
Result<GoldenDifference> compare_golden(std::string_view output, const TensorView& golden,
                                        const TensorView& found, const Tolerance& tolerance);
/// The tolerance of an output that names none: by precision and dtype (docs/formats/golden.md has the table).
Tolerance default_tolerance(Precision precision, const TensorSpec& output);

}  // namespace skua
