#include "runtimes/tensorrt/compile_builder.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "cache/json_fields.h"
#include "compile/compilation.h"
#include "compile/graph_precision.h"
#include "core/text.h"
#include "runtimes/tensorrt/trt_errors.h"
#include "runtimes/tensorrt/trt_types.h"

namespace skua::tensorrt {
namespace {

using compile::build_error;
using nvinfer1::BuilderFlag;
using nvinfer1::MemoryPoolType;
using nvinfer1::OptProfileSelector;

constexpr std::uint32_t bit(BuilderFlag flag) { return 1U << static_cast<std::uint32_t>(flag); }

/// The flags as one number, for comparing only. TF32 is on unless cleared: what is kept in FP32 would not be.
std::uint32_t wanted_flags([[maybe_unused]] const BuildOptions& options) {
  std::uint32_t flags = 0;
#if NV_TENSORRT_MAJOR < 11
  if (options.has_fp16_flag()) flags |= bit(BuilderFlag::kFP16);
  if (options.has_int8_flag()) flags |= bit(BuilderFlag::kINT8);
  if (options.has_fp16_flag() && !options.keep_fp32.empty())
    flags |= bit(BuilderFlag::kOBEY_PRECISION_CONSTRAINTS);
#endif
  return flags;
}

void set_aux_streams(nvinfer1::IBuilderConfig& config, int count) {
  static_cast<void>(config.setMaxAuxStreams(count));  // void before 11; read back either way
}

void set_options(nvinfer1::IBuilderConfig& config, const BuildOptions& options) {
  config.setFlags(wanted_flags(options));
  config.setMemoryPoolLimit(MemoryPoolType::kWORKSPACE, options.workspace_bytes);
  config.setMemoryPoolLimit(MemoryPoolType::kTACTIC_DRAM, options.tactic_dram_bytes);
  config.setBuilderOptimizationLevel(options.optimization_level);
  config.setAvgTimingIterations(options.avg_timing_iterations);
  set_aux_streams(config, options.max_aux_streams);
  config.setEngineCapability(nvinfer1::EngineCapability::kSTANDARD);
  config.setHardwareCompatibilityLevel(nvinfer1::HardwareCompatibilityLevel::kNONE);
  config.setDefaultDeviceType(nvinfer1::DeviceType::kGPU);
  config.setProfilingVerbosity(options.is_detailed() ? nvinfer1::ProfilingVerbosity::kDETAILED
                                                     : nvinfer1::ProfilingVerbosity::kLAYER_NAMES_ONLY);
}

Error profile_error(const OptimizationProfile& profile) {
  return build_error(Reason::kProfileMismatch,
                     "optimization profile of " + quote(profile.input_name) + " (min " +
                         profile.min.to_string() + ", opt " + profile.opt.to_string() + ", max " +
                         profile.max.to_string() + "): TensorRT holds another shape; correct the profile");
}

struct ProfileSide {
  OptProfileSelector selector;
  Shape OptimizationProfile::*shape;
};
constexpr ProfileSide kSides[] = {{OptProfileSelector::kMIN, &OptimizationProfile::min},
                                  {OptProfileSelector::kOPT, &OptimizationProfile::opt},
                                  {OptProfileSelector::kMAX, &OptimizationProfile::max}};

/// setDimensions is true for nearly everything, and an input that does not exist is taken too: what counts is
/// what can be read back.
Status set_profile(nvinfer1::IOptimizationProfile& into, const OptimizationProfile& profile) {
  const char* const name = profile.input_name.c_str();
  for (const ProfileSide& side : kSides) {
    static_cast<void>(into.setDimensions(name, side.selector, dims_of(profile.*side.shape)));
  }
  for (const ProfileSide& side : kSides) {
    const auto found = shape_of(into.getDimensions(name, side.selector));
    if (!found.ok() || *found != profile.*side.shape) return profile_error(profile);
  }
  return {};
}

Status add_profile(nvinfer1::IBuilder& builder, nvinfer1::IBuilderConfig& config, const BuildOptions& options,
                   const ErrorRecorder& recorder) {
  if (options.profiles.empty()) return {};
  nvinfer1::IOptimizationProfile* const profile = builder.createOptimizationProfile();  // the builder's own
  if (profile == nullptr)
    return translate(TrtContext::kCompile, recorder, "making an optimisation profile", "");
  for (const OptimizationProfile& each : options.profiles) SKUA_RETURN_IF_ERROR(set_profile(*profile, each));
  if (profile->isValid() && config.addOptimizationProfile(profile) == 0) return {};
  return build_error(Reason::kProfileMismatch,
                     "TensorRT refuses the optimisation profiles: " + recorder.text() + "; correct them");
}

bool is_float(nvinfer1::DataType type) {
  return type == nvinfer1::DataType::kFLOAT || type == nvinfer1::DataType::kHALF;
}

/// These have the types that they convert between and no precision: held to another one a layer would be
/// another.
bool is_conversion(const nvinfer1::ILayer& layer) {
  const nvinfer1::LayerType type = layer.getType();
  return type == nvinfer1::LayerType::kCAST || type == nvinfer1::LayerType::kQUANTIZE ||
         type == nvinfer1::LayerType::kDEQUANTIZE;
}

bool computes_in_float(const nvinfer1::ILayer& layer) {
  if (is_conversion(layer)) return false;
  for (std::int32_t i = 0; i < layer.getNbOutputs(); ++i) {
    const nvinfer1::ITensor* const output = layer.getOutput(i);
    if (output != nullptr && is_float(output->getType())) return true;
  }
  return false;
}

/// The ONNX node that a layer comes from: the parser writes "[ONNX Layer: name]" into its metadata.
std::string node_of(const nvinfer1::ILayer& layer) {
  constexpr std::string_view kStart = "[ONNX Layer: ";
  const char* const metadata = layer.getMetadata();
  const std::string_view text = metadata == nullptr ? "" : metadata;
  if (text.substr(0, kStart.size()) != kStart) return "";
  return std::string(text.substr(kStart.size(), text.find(']') - kStart.size()));
}

/// An output of the network keeps the type that the model declares.
bool is_held(const nvinfer1::ITensor* output) {
  return output != nullptr && is_float(output->getType()) && !output->isNetworkOutput();
}

/// As trtexec spells it; nothing for a type whose spelling we do not know.
std::string tool_name_of(nvinfer1::DataType type) {
  using nvinfer1::DataType;
  for (const auto& [known, name] :
       {std::pair(DataType::kFLOAT, "fp32"), std::pair(DataType::kHALF, "fp16"),
        std::pair(DataType::kINT32, "int32"), std::pair(DataType::kINT64, "int64"),
        std::pair(DataType::kINT8, "int8"), std::pair(DataType::kUINT8, "uint8"),
        std::pair(DataType::kBOOL, "bool")}) {
    if (known == type) return name;
  }
  return "";
}

bool holds_any(const nvinfer1::ILayer& layer) {
  for (std::int32_t i = 0; i < layer.getNbOutputs(); ++i) {
    if (is_held(layer.getOutput(i))) return true;
  }
  return false;
}

Error cannot_tell(const nvinfer1::ILayer& layer, const std::string& what) {
  return build_error(Reason::kPrecisionNotSupported,
                     "keep_fp32: build_route trtexec cannot be told of layer " + quote(layer.getName()) +
                         ": " + what + "; use build_route builder");
}

/// "fp32+int32": the type of each output of a layer.
Result<std::string> output_types(const nvinfer1::ILayer& layer) {
  std::string types;
  for (std::int32_t i = 0; i < layer.getNbOutputs(); ++i) {
    const nvinfer1::ITensor* const output = layer.getOutput(i);
    const std::string name = output == nullptr || is_held(output) ? "fp32" : tool_name_of(output->getType());
    if (name.empty())
      return cannot_tell(layer, "output " + std::to_string(i) + " is of type " + name_of(output->getType()) +
                                    ", expected one that trtexec has a name for");
    types += (i == 0 ? "" : "+") + name;
  }
  return types;
}

/// Several layers may have one name.
std::vector<nvinfer1::ILayer*> layers_of(const nvinfer1::INetworkDefinition& network,
                                         const std::vector<std::string>& names) {
  std::vector<nvinfer1::ILayer*> layers;
  for (std::int32_t i = 0; i < network.getNbLayers(); ++i) {
    nvinfer1::ILayer* const layer = network.getLayer(i);
    if (layer != nullptr && std::find(names.begin(), names.end(), layer->getName()) != names.end())
      layers.push_back(layer);
  }
  return layers;
}

/// The record holds the names as one text, and a record that cannot be read back is never published.
Status check_length(const std::vector<std::string>& names) {
  const std::size_t bytes = join(names).size();
  if (bytes <= kMaxMapText) return {};
  return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                    "keep_fp32: expected layer names of at most " + std::to_string(kMaxMapText) +
                        " bytes together, found " + std::to_string(names.size()) + " layers of " +
                        std::to_string(bytes) + "; keep fewer layers, shorten their names, or build fp32");
}

[[maybe_unused]] void hold_in_fp32([[maybe_unused]] nvinfer1::ILayer& layer) {
#if NV_TENSORRT_MAJOR < 11
  if (is_conversion(layer)) return;  // it may have the name of a layer that is kept
  layer.setPrecision(nvinfer1::DataType::kFLOAT);
  for (std::int32_t i = 0; i < layer.getNbOutputs(); ++i) {
    if (is_held(layer.getOutput(i))) layer.setOutputType(i, nvinfer1::DataType::kFLOAT);
  }
#endif
}

void compare(std::vector<std::string>& differences, const char* option, std::uint64_t expected,
             std::uint64_t found) {
  if (expected == found) return;
  differences.push_back(std::string(option) + " expected " + std::to_string(expected) + ", found " +
                        std::to_string(found));
}

template <typename Enum>
void compare_enum(std::vector<std::string>& differences, const char* option, Enum expected, Enum found) {
  compare(differences, option, static_cast<std::uint64_t>(expected), static_cast<std::uint64_t>(found));
}

}  // namespace

Result<std::vector<std::string>> layers_to_keep(const nvinfer1::INetworkDefinition& network,
                                                const std::vector<std::string>& patterns,
                                                const std::map<std::string, std::string>& operators) {
  std::vector<std::string> names;
  for (const std::string& pattern : patterns) {
    const std::size_t before = names.size();
    bool is_found = false;
    for (std::int32_t i = 0; i < network.getNbLayers(); ++i) {
      const nvinfer1::ILayer* const layer = network.getLayer(i);
      if (layer == nullptr || !computes_in_float(*layer)) continue;
      const std::string name = layer->getName();
      const std::string node = node_of(*layer);
      const auto op = operators.find(node);
      if (!compile::matches_pattern(pattern, name) && !compile::matches_pattern(pattern, node) &&
          (op == operators.end() || !compile::matches_pattern(pattern, op->second)))
        continue;
      is_found = true;
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
    if (is_found || names.size() > before) continue;
    return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                      "keep_fp32 pattern " + quote(pattern) +
                          " matches no layer that computes in floating point; correct it or leave it out");
  }
  std::sort(names.begin(), names.end());
  SKUA_RETURN_IF_ERROR(check_length(names));
  return names;
}

Status check_no_cast(const nvinfer1::INetworkDefinition& network, const BuildOptions& options) {
  for (const nvinfer1::ILayer* layer : layers_of(network, options.keep_fp32)) {
    if (!is_conversion(*layer)) continue;
    const std::string tool(to_string(options.route));
    return build_error(Reason::kPrecisionNotSupported,
                       "keep_fp32: build_route " + tool +
                           " finds layers by name alone, expected no Cast, QuantizeLinear or "
                           "DequantizeLinear of a kept layer's name, found one named " +
                           quote(layer->getName()) + "; rename it, or use build_route builder");
  }
  return {};
}

Result<std::map<std::string, std::string>> kept_outputs(const nvinfer1::INetworkDefinition& network,
                                                        const std::vector<std::string>& layers) {
  std::vector<std::string> held;
  for (const nvinfer1::ILayer* layer : layers_of(network, layers)) {
    if (holds_any(*layer)) held.emplace_back(layer->getName());
  }
  std::map<std::string, std::string> kept;
  for (const nvinfer1::ILayer* layer : layers_of(network, held)) {
    SKUA_ASSIGN_OR_RETURN(const std::string types, output_types(*layer));
    const std::string& known = kept.emplace(layer->getName(), types).first->second;
    if (known != types)
      return cannot_tell(*layer,
                         "another layer has its name, and outputs of " + known + " instead of " + types);
  }
  return kept;
}

std::vector<std::string> config_differences(nvinfer1::IBuilderConfig& config, const BuildOptions& options) {
  std::vector<std::string> differences;
  compare(differences, "builder_flags", wanted_flags(options), config.getFlags());
  compare(differences, "workspace_bytes", options.workspace_bytes,
          config.getMemoryPoolLimit(MemoryPoolType::kWORKSPACE));
  compare(differences, "tactic_dram_bytes", options.tactic_dram_bytes,
          config.getMemoryPoolLimit(MemoryPoolType::kTACTIC_DRAM));
  const auto number = [](int value) { return static_cast<std::uint64_t>(value); };
  compare(differences, "builder_optimization_level", number(options.optimization_level),
          number(config.getBuilderOptimizationLevel()));
  compare(differences, "avg_timing_iterations", number(options.avg_timing_iterations),
          number(config.getAvgTimingIterations()));
  compare(differences, "max_aux_streams", number(options.max_aux_streams), number(config.getMaxAuxStreams()));
  compare(differences, "plugins to serialize", 0, number(config.getNbPluginsToSerialize()));
  compare(differences, "optimization profiles", options.profiles.empty() ? 0 : 1,
          number(config.getNbOptimizationProfiles()));
  compare_enum(differences, "engine_capability", nvinfer1::EngineCapability::kSTANDARD,
               config.getEngineCapability());
  compare_enum(differences, "hardware_compatibility", nvinfer1::HardwareCompatibilityLevel::kNONE,
               config.getHardwareCompatibilityLevel());
  compare_enum(differences, "default_device_type", nvinfer1::DeviceType::kGPU, config.getDefaultDeviceType());
  compare_enum(differences, "runtime platform", nvinfer1::RuntimePlatform::kSAME_AS_BUILD,
               config.getRuntimePlatform());
  compare_enum(differences, "profiling_verbosity",
               options.is_detailed() ? nvinfer1::ProfilingVerbosity::kDETAILED
                                     : nvinfer1::ProfilingVerbosity::kLAYER_NAMES_ONLY,
               config.getProfilingVerbosity());
  return differences;
}

Result<std::unique_ptr<nvinfer1::IBuilderConfig>> make_config(nvinfer1::IBuilder& builder,
                                                              nvinfer1::INetworkDefinition& network,
                                                              const BuildOptions& options,
                                                              const ErrorRecorder& recorder) {
  std::unique_ptr<nvinfer1::IBuilderConfig> config(builder.createBuilderConfig());
  if (!config) return translate(TrtContext::kCompile, recorder, "making a builder configuration", "");
  set_options(*config, options);
  SKUA_RETURN_IF_ERROR(add_profile(builder, *config, options, recorder));
  if (options.has_fp16_flag()) {
    for (nvinfer1::ILayer* layer : layers_of(network, options.keep_fp32)) hold_in_fp32(*layer);
  }
  const std::vector<std::string> differences = config_differences(*config, options);
  if (differences.empty()) return config;
  return build_error(Reason::kInternal,
                     "TensorRT's builder has not taken what it was given: " + join(differences) +
                         "; this release of Skua does not fit this TensorRT: report it");
}

}  // namespace skua::tensorrt
