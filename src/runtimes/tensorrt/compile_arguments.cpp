// Command lines of trtexec and Polygraphy.
#include "compile/compilation.h"
#include "core/text.h"
#include "runtimes/tensorrt/compile_tools.h"

namespace skua::tensorrt {
namespace {

using compile::build_error;

/// Both tools separate by ':' and ',', one of them quotes, and both know '*'.
Status check_name(const std::string& name, const std::string& tool) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";
  if (!name.empty() && name.front() != '-' && name.find_first_not_of(kPlain) == std::string::npos) return {};
  return build_error(
      Reason::kModelUnsupported,
      "build_route " + tool + " cannot be given the name " + quote(name) +
          ": expected letters, digits and _ . / - alone; rename it, or use build_route builder");
}

Status check_names(const BuildOptions& options) {
  const std::string tool(to_string(options.route));
  for (const OptimizationProfile& profile : options.profiles)
    SKUA_RETURN_IF_ERROR(check_name(profile.input_name, tool));
  for (const std::string& layer : options.keep_fp32) SKUA_RETURN_IF_ERROR(check_name(layer, tool));
  return {};
}

using Side = Shape OptimizationProfile::*;

/// "x:1x3x224x224,y:1x4"
std::string trtexec_shapes(const BuildOptions& options, Side side) {
  std::string text;
  for (const OptimizationProfile& profile : options.profiles) {
    text += (text.empty() ? "" : ",") + profile.input_name + ":" + (profile.*side).to_string();
  }
  return text;
}

/// "x:[1,3,224,224]", one word for each input.
void add_polygraphy_shapes(std::vector<std::string>& words, const char* option, const BuildOptions& options,
                           Side side) {
  words.emplace_back(option);
  for (const OptimizationProfile& profile : options.profiles) {
    std::string dims;
    for (const std::int64_t dim : (profile.*side).dims())
      dims += (dims.empty() ? "" : ",") + std::to_string(dim);
    words.push_back(profile.input_name + ":[" + dims + "]");
  }
}

std::string verbosity(const BuildOptions& options) {
  return options.is_detailed() ? "detailed" : "layer_names_only";
}

std::string kept_layers(const BuildOptions& options) {
  std::string text;
  for (const std::string& layer : options.keep_fp32) text += (text.empty() ? "" : ",") + layer + ":fp32";
  return text;
}

/// "a:fp32,topk:fp32+int32"
std::string kept_outputs(const BuildOptions& options) {
  std::string text;
  for (const auto& [layer, types] : options.kept_outputs)
    text += (text.empty() ? "" : ",") + layer + ":" + types;
  return text;
}

void add_trtexec_precision(std::vector<std::string>& words, const BuildOptions& options,
                           const ToolFiles& files) {
  if (!options.has_fp16_flag()) return;  // from 11 on these options are gone
  words.emplace_back("--fp16");
  if (options.has_int8_flag()) words.emplace_back("--int8");
  if (options.ranges == RangeSource::kCache) words.push_back("--calib=" + files.calibration_cache.string());
  if (options.keep_fp32.empty()) return;
  words.emplace_back("--precisionConstraints=obey");
  words.push_back("--layerPrecisions=" + kept_layers(options));
  if (const std::string types = kept_outputs(options); !types.empty())
    words.push_back("--layerOutputTypes=" + types);
}

}  // namespace

Result<std::vector<std::string>> trtexec_arguments(const BuildOptions& options, const ToolFiles& files) {
  SKUA_RETURN_IF_ERROR(check_names(options));
  std::vector<std::string> words = {
      "--onnx=" + files.source.string(),
      "--saveEngine=" + files.plan.string(),
      "--skipInference",
      "--noTF32",
      "--memPoolSize=workspace:" + std::to_string(options.workspace_bytes / kMiB) + "M",
      "--builderOptimizationLevel=" + std::to_string(options.optimization_level),
      "--avgTiming=" + std::to_string(options.avg_timing_iterations),
      "--maxAuxStreams=" + std::to_string(options.max_aux_streams),
      "--profilingVerbosity=" + verbosity(options),
      "--timingCacheFile=" + files.timing_cache.string(),
      "--tempdir=" + files.folder.string(),
      "--tempfileControls=in_memory:deny,temporary:deny",
      "--device=0",
  };
  if (!options.profiles.empty()) {
    words.push_back("--minShapes=" + trtexec_shapes(options, &OptimizationProfile::min));
    words.push_back("--optShapes=" + trtexec_shapes(options, &OptimizationProfile::opt));
    words.push_back("--maxShapes=" + trtexec_shapes(options, &OptimizationProfile::max));
  }
  add_trtexec_precision(words, options, files);
  return words;
}

Result<std::vector<std::string>> polygraphy_arguments(const BuildOptions& options, const ToolFiles& files,
                                                      bool has_timing_cache) {
  SKUA_RETURN_IF_ERROR(check_names(options));
  std::vector<std::string> words = {"convert",
                                    files.source.string(),
                                    "--model-type",
                                    "onnx",
                                    "--convert-to",
                                    "trt",
                                    "--output",
                                    files.plan.string(),
                                    "--builder-optimization-level",
                                    std::to_string(options.optimization_level),
                                    "--max-aux-streams",
                                    std::to_string(options.max_aux_streams),
                                    "--profiling-verbosity",
                                    verbosity(options),
                                    "--log-format",
                                    "no-colors",
                                    "--verbosity",
                                    "mod:verbose",
                                    "--save-timing-cache",
                                    files.timing_cache.string(),
                                    "--pool-limit",
                                    "workspace:" + std::to_string(options.workspace_bytes),
                                    "tactic_dram:" + std::to_string(options.tactic_dram_bytes)};
  if (has_timing_cache) words.insert(words.end(), {"--load-timing-cache", files.timing_cache.string()});
  if (!options.profiles.empty()) {
    add_polygraphy_shapes(words, "--trt-min-shapes", options, &OptimizationProfile::min);
    add_polygraphy_shapes(words, "--trt-opt-shapes", options, &OptimizationProfile::opt);
    add_polygraphy_shapes(words, "--trt-max-shapes", options, &OptimizationProfile::max);
  }
  if (options.is_strongly_typed()) words.emplace_back("--strongly-typed");
  if (!options.has_fp16_flag()) return words;
  words.emplace_back("--fp16");
  if (options.has_int8_flag()) words.emplace_back("--int8");
  if (options.ranges == RangeSource::kCache) {
    const bool is_min_max = files.calibration_algorithm == calibration::Algorithm::kMinMax;
    words.insert(words.end(), {"--calibration-cache", files.calibration_cache.string(), "--calib-base-cls",
                               is_min_max ? "IInt8MinMaxCalibrator" : "IInt8EntropyCalibrator2"});
  }
  if (options.keep_fp32.empty()) return words;
  words.insert(words.end(), {"--precision-constraints", "obey", "--layer-precisions"});
  for (const std::string& layer : options.keep_fp32) words.push_back(layer + ":float32");
  return words;
}

}  // namespace skua::tensorrt
