#include <algorithm>
#include <cstdio>
#include <cstring>

#include "builder.h"
#include "onnx_graph.h"

namespace sil::infer {
namespace {

using nvinfer1::BuilderFlag;
using nvinfer1::Dims;
using nvinfer1::MemoryPoolType;

constexpr const char* kBuild = "IBuilder::buildSerializedNetwork";
constexpr std::int64_t kMostElements = 1LL << 40;
constexpr std::int64_t kMostTopK = 3840;
constexpr std::size_t kLeastWorkspace = 65536;
constexpr const char* kSelectors[3] = {"min", "opt", "max"};
constexpr const char* kSelectorConstants[3] = {"kMIN", "kOPT", "kMAX"};

/// One build being judged.
class Judge {
 public:
  Judge(const ErrorSink& sink, const Network& network, const BuilderConfig& config)
      : sink_(sink), network_(network), config_(config) {}
  bool judge() const;

 private:
  bool fails(int code, const std::string& text, const std::string& category = "") const {
    // The compiler behind the builder says it to nobody's logger as well.
    if (category == "Myelin")
      std::fprintf(stderr, "Internal Error: MyelinCheckException: %s\n", text.c_str());
    sink_.error(code, kBuild, text, category);
    return false;
  }
  bool judge_flags() const;
  bool judge_profiles() const;
  bool judge_profile(std::size_t index) const;
  bool judge_shape_input(const Tensor& input, const ProfileEntry* entry, std::size_t index) const;
  bool judge_static_input(const Tensor& input, const ProfileEntry& entry, std::size_t index) const;
  bool judge_dynamic_input(const Tensor& input, const ProfileEntry& entry, std::size_t index) const;
  bool judge_layers() const;
  bool judge_pools() const;

  const ErrorSink& sink_;
  const Network& network_;
  const BuilderConfig& config_;
};

bool Judge::judge() const {
  if (network_.outputs.empty()) return fails(4, "Network must have at least one output.");
  return judge_flags() && judge_profiles() && judge_layers() && judge_pools();
}

bool Judge::judge_flags() const {
  if (config_.capability() == nvinfer1::EngineCapability::kSAFETY) {
    return fails(10, "Could not find any implementation for node {ForeignNode[" +
                         network_.layers.front().name + "]}.");
  }
  if (config_.capability() == nvinfer1::EngineCapability::kDLA_STANDALONE) {
    return fails(1, "Applying DLA optimizations without DLA backend.", "Internal Error");
  }
  if (config_.has(BuilderFlag::kVERSION_COMPATIBLE))
    return fails(6, "Unable to load library: libnvinfer_lean.so.1");
  const bool is_refittable = config_.has(BuilderFlag::kREFIT) || config_.has(BuilderFlag::kREFIT_IDENTICAL);
  cudaError_t lost = cudaSuccess;
  if (config_.has(BuilderFlag::kSTRIP_PLAN) || (is_refittable && sil::is_device_lost(lost)))
    return fails(1, "CHECK(status == CUDA_SUCCESS)", "Myelin");
  const bool is_typed = network_.getFlag(nvinfer1::NetworkDefinitionCreationFlag::kSTRONGLY_TYPED);
  if (is_typed && (config_.has(BuilderFlag::kFP16) || config_.has(BuilderFlag::kINT8) ||
                   config_.has(BuilderFlag::kBF16))) {
    return fails(4, "a strongly typed network takes no flags of precision");
  }
  if (!is_typed && has_quantised_layers(network_) && !config_.has(BuilderFlag::kINT8)) {
    return fails(4,
                 "Int8 precision has been set for a layer or layer output, but int8 is not configured in the "
                 "builder",
                 "Internal Error");
  }
  return true;
}

bool Judge::judge_profiles() const {
  const auto needs_profile = [](const Tensor* input) { return input->is_shape || !is_static(input->dims); };
  const bool is_dynamic = std::any_of(network_.inputs.begin(), network_.inputs.end(), needs_profile);
  if (is_dynamic && config_.profiles().empty()) {
    return fails(4, "Network has dynamic or shape inputs, but no optimization profile has been defined.");
  }
  for (std::size_t index = 0; index < config_.profiles().size(); ++index) {
    if (!judge_profile(index)) return false;
  }
  return true;
}

bool Judge::judge_profile(std::size_t index) const {
  const ProfileEntries& entries = config_.profiles()[index];
  for (const Tensor* input : network_.inputs) {
    const auto found = entries.find(input->name);
    const ProfileEntry* const entry = found == entries.end() ? nullptr : &found->second;
    bool is_fine = true;
    if (input->is_shape) {
      is_fine = judge_shape_input(*input, entry, index);
    } else if (is_static(input->dims)) {
      is_fine = entry == nullptr || judge_static_input(*input, *entry, index);
    } else if (entry == nullptr || !entry->dims[0]) {
      is_fine = fails(4, "Dynamic input tensor " + input->name + " is missing dimensions in profile " +
                             std::to_string(index) + ".");
    } else {
      is_fine = judge_dynamic_input(*input, *entry, index);
    }
    if (!is_fine) return false;
  }
  return true;  // a name that is no input's is not missed
}

bool Judge::judge_shape_input(const Tensor& input, const ProfileEntry* entry, std::size_t index) const {
  if (entry != nullptr && entry->values[0]) return true;
  return fails(4, "Optimization profile " + std::to_string(index) +
                      " is missing values for shape input tensor " + input.name + ".");
}

bool Judge::judge_static_input(const Tensor& input, const ProfileEntry& entry, std::size_t index) const {
  for (std::size_t i = 0; i < 3; ++i) {
    if (!entry.dims[i] || is_same(*entry.dims[i], input.dims)) continue;
    return fails(4, "Input tensor " + input.name + " has static dimensions that don't match " +
                        kSelectorConstants[i] + " dimensions in profile index " + std::to_string(index) +
                        ".");
  }
  return true;
}

bool Judge::judge_dynamic_input(const Tensor& input, const ProfileEntry& entry, std::size_t index) const {
  const Dims& max = *entry.dims[2];
  const std::string number = std::to_string(index);
  if (max.nbDims != input.dims.nbDims) {
    return fails(4, "Dynamic-shaped input tensor " + input.name + " has " +
                        std::to_string(input.dims.nbDims) + " dimensions but profile " + number + " has " +
                        std::to_string(max.nbDims) + " dimensions.");
  }
  for (int axis = 0; axis < max.nbDims; ++axis) {
    const std::int64_t fixed = input.dims.d[axis];
    std::string sizes;
    bool is_same_size = true;
    for (std::size_t i = 0; i < 3; ++i) {
      const std::int64_t size = entry.dims[i]->d[axis];
      sizes += std::string(i == 0 ? "" : ", ") + kSelectors[i] + "=" + std::to_string(size);
      is_same_size = is_same_size && size == fixed;
    }
    if (fixed < 0 || is_same_size) continue;
    return fails(4, "Dimension mismatch for tensor " + input.name + " and profile " + number +
                        ". At dimension axis " + std::to_string(axis) + ", profile has " + sizes +
                        " but tensor has " + std::to_string(fixed) + ".");
  }
  if (volume_of(max) > kMostElements) {
    sink_.log(Severity::kWARNING, "Profile kMAX values are not self-consistent. " + input.name +
                                      ": tensor volume exceeds " + std::to_string(kMostElements) +
                                      " elements.");
  }
  return true;
}

/// Both kinds of pin count, whatever the flags make of them.
bool is_held_to_another_type(const Layer& cast) {
  const Tensor& output = *cast.outputs.front();
  const auto other = [&output](const std::optional<nvinfer1::DataType>& type) {
    return type && *type != output.type;
  };
  return other(cast.precision) || std::any_of(cast.output_types.begin(), cast.output_types.end(), other);
}

// A constant K alone is judged here: one from a profile is not.
bool Judge::judge_layers() const {
  for (const Layer& layer : network_.layers) {
    if (layer.op == "Cast" && is_held_to_another_type(layer))
      return fails(4, layer.name + ": a cast is held to another type than the one that it casts to.");
  }
  OnnxModel model;
  read_onnx(network_.model, model);
  for (const OnnxNode& node : model.graph.nodes) {
    if (node.op != "TopK" || node.inputs.size() < 2) continue;
    const OnnxTensor* const k = model.graph.constant(node.inputs[1]);
    std::int64_t value = 0;
    if (k != nullptr && k->raw.size() == sizeof value) std::memcpy(&value, k->raw.data(), sizeof value);
    if (value > kMostTopK)
      return fails(4, "K exceeds the maximum value allowed (" + std::to_string(kMostTopK) + ").");
  }
  return true;
}

bool Judge::judge_pools() const {
  const std::size_t workspace = config_.pool(MemoryPoolType::kWORKSPACE);
  if (workspace == 0) return fails(2, "Compiling this graph requires workspace memory greater than 0.");
  if (workspace < kLeastWorkspace) {
    return fails(1, "no tactics to implement the operation within workspace limit.", "Myelin");
  }
  if (config_.pool(MemoryPoolType::kTACTIC_DRAM) == 0)
    return fails(10, "Could not find any implementation: no memory to try a kernel in.");
  if (config_.pool(MemoryPoolType::kTACTIC_SHARED_MEMORY) < 1024) {
    return fails(2, "Assertion cfg.tacticMaxShmemSize >= reservedDeviceSMem failed.");
  }
  return true;
}

}  // namespace

bool check_build(const ErrorSink& sink, const Network& network, const BuilderConfig& config) {
  return Judge(sink, network, config).judge();
}

}  // namespace sil::infer
