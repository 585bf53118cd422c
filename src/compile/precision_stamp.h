// What skua quantize writes into a model: from what, with which samples and by whom it was made. The graph
// shows what it is; this says where it comes from. docs/reference/cli.md,
// "skua quantize", has its fields (`provenance`).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compile/held_out.h"
#include "onnx/onnx_model.h"
#include "skua/engine_cache_entry.h"

namespace skua::compile {

inline constexpr const char* kPrecisionStamp = "skua.precision";

struct PrecisionStamp {
  Precision precision = Precision::kInt8;
  Sha256 source_sha256;  ///< of the float32 model, as build records name models
  Sha256 dataset_sha256;
  std::uint64_t sample_count = 0;  ///< that calibrated; 0 for mixed
  std::string algorithm;           ///< "none" for mixed
  std::string producer;
  std::vector<std::string> keep_fp32;
};

/// Nothing for a model without a stamp, or with one of another precision than int8 and mixed.
/// EngineBuildError, calibration_mismatch: a stamp that cannot be read.
Result<std::optional<PrecisionStamp>> stamp_of(const OnnxModel& model);

/// Of a model that was made from another one: reads the stamp, holds it to the request and to `samples`, and
/// puts what it says of the making into the record; the model's digest stands where a cache's would.
/// EngineBuildError: calibration_mismatch (no stamp, another precision, data set, number of samples or
/// keep_fp32), reference_unavailable (no fp32_source to compare with).
Result<PrecisionStamp> settle_stamp(Compilation& compilation, const OnnxModel& model,
                                    const BuildSamples& samples);

/// EngineBuildError, calibration_mismatch, unless the reference is of the network that the stamp names.
Status check_source(const PrecisionStamp& stamp, const EngineRecord& reference);

}  // namespace skua::compile
