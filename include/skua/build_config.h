// What to build from a model: the input of compile_engine.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "skua/host_tuple.h"
#include "skua/tensor.h"

namespace skua {

/// The range of shapes that one input may have at run time. Inputs that are static in the model need none.
struct OptimizationProfile {
  std::string input_name;
  Shape min, opt, max;
  friend bool operator==(const OptimizationProfile&, const OptimizationProfile&) = default;
};

/// Which tool builds a TensorRT engine. Other runtimes have only kBuilder.
enum class BuildRoute : std::uint8_t { kBuilder, kTrtexec, kPolygraphy };
/// "builder", "trtexec", "polygraphy".
std::string_view to_string(BuildRoute route) noexcept;
/// Reads `to_string`'s form; InvalidArgumentError listing the names for anything else.
Result<BuildRoute> build_route_from_string(std::string_view name);

/// How an output is compared with its golden values.
struct Tolerance {
  double absolute = 1e-4;
  double relative = 1e-3;
  /// Rows may come in another order (top-K keypoints, data-dependent matches): each golden row must have a
  /// partner.
  bool as_set = false;
  /// The share of elements (rows, when `as_set`) that may miss; 0 unless a reason is written down.
  double max_mismatch_fraction = 0.0;
  friend bool operator==(const Tolerance&, const Tolerance&) = default;
};

/// Golden vectors from the user: a golden file (docs/formats/golden.md) and where its values come from.
struct GoldenSource {
  std::filesystem::path file;
  std::string origin;  ///< e.g. "pytorch 2.13.0 eager fp32"
};

/// Whether artifacts of this precision are judged by samples: int8 and mixed.
bool is_judged(Precision precision) noexcept;

/// The most that an int8 or mixed artifact may differ from its float32 source, over samples that calibrated
/// nothing (docs/design/compile.md defines each figure). The defaults are the bounds: they may be tightened,
/// not loosened.
struct AccuracyLimits {
  double relative_l2 = 0.1;  ///< length of an output's difference, of that of the output
  double mismatched = 0.1;   ///< of an output that holds no floats: share of the values that differ
  double agreement = 0.9;    ///< of a detector's keypoints: the least share that is found again
  std::optional<double> relative_error;  ///< largest, of values that are not next to nothing; default: told
  std::optional<double> cosine;          ///< the least; default: told

  /// InvalidArgumentError naming the field, the found and the allowed.
  Status validate() const;
  friend bool operator==(const AccuracyLimits&, const AccuracyLimits&) = default;
};

/// What one artifact is to be: everything but the model and the machine.
struct BuildConfig {
  Precision precision = Precision::kFp16;
  int workspace_mb = 1024;  ///< upper bound of the builder's scratch memory, MiB
  /// Samples that int8 is calibrated with, and that int8 and mixed are judged by; required for both.
  std::optional<std::filesystem::path> calibration_dataset;
  /// What an int8 or mixed artifact is compared with. Default: the model, which then has to be float32.
  std::optional<std::filesystem::path> fp32_source;
  /// Samples that judge in place of those that are held out: calibration data that say nothing of the flight
  /// then cannot judge themselves.
  std::optional<std::filesystem::path> accuracy_dataset;
  AccuracyLimits accuracy;  ///< int8 and mixed only
  // int8 of a float32 network by TensorRT up to 10; elsewhere the ranges stand in the graph.
  std::string calibration_algorithm = "entropy2";  ///< or minmax
  /// A calibration cache that was made elsewhere, with its origin beside it (docs/formats/
  /// calibration-cache.md). It is used if it was made from this model, data set, algorithm and TensorRT, or
  /// the build ends.
  std::optional<std::filesystem::path> calibration_cache;
  /// Whether a cache may hold ranges that were measured on a CPU: this one, or one beside the engine.
  bool allow_cpu_ranges = false;
  std::vector<OptimizationProfile> optimization_profiles;
  std::optional<std::string> model_name;           ///< default: the model file's stem
  std::vector<std::string> keep_fp32;              ///< node-name patterns (`*`, `?`) held in FP32
  std::map<std::string, Shape> max_output_shapes;  ///< capacity of data-dependent outputs
  BuildRoute build_route = BuildRoute::kBuilder;
  std::optional<GoldenSource> golden;           ///< default: made from the source model
  std::map<std::string, Tolerance> tolerances;  ///< per output; default by precision
  // TorchScript files say neither; a file of ours carries both (docs/formats/torchscript-io.md).
  std::map<std::string, DType> input_dtypes;  ///< pytorch_fp16; default: the file's own, else float32
  std::vector<std::string> output_names;  ///< pytorch_fp16, in order; default: the file's own, else made up

  /// Checks everything that needs no model: InvalidArgumentError naming the field, the found and the allowed.
  Status validate() const;
};

/// `config.model_name`, or the stem of `model_path`; InvalidArgumentError when it is no legal model name
/// (a-z, 0-9, `_`; 1..64 characters; no double underscore).
Result<std::string> effective_model_name(const BuildConfig& config, const std::filesystem::path& model_path);
/// Whether `name` may stand in an engine's file name: the rule of effective_model_name.
bool is_legal_model_name(std::string_view name) noexcept;

}  // namespace skua
