#include "inference/lightglue_contract.h"

#include <algorithm>
#include <limits>
#include <string>

namespace skua::lightglue {
namespace {

constexpr std::int64_t kCoordinates = 2;

Error mismatch(const EngineInfo& engine, const std::string& thing, const std::string& expected,
               const std::string& found) {
  return make_error(ErrorCode::kEngineDeserialize, Reason::kContractMismatch,
                    engine.model + " is no matcher for LightGlueRuntime: " + thing + ": expected " +
                        expected + ", found " + found +
                        "; export the network with that, or give the name of another engine");
}

std::string text_of(const TensorSpec& spec) {
  return std::string(to_string(spec.dtype)) + " [" + spec.shape.to_string() + "]";
}

std::string names_of(const std::vector<TensorSpec>& specs) {
  std::string names;
  for (const TensorSpec& spec : specs) names += (names.empty() ? "" : ", ") + spec.name;
  return names.empty() ? "none" : names;
}

Result<std::size_t> position_of(const EngineInfo& engine, const std::vector<TensorSpec>& specs,
                                const std::string& name, const std::string& kind) {
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (specs[i].name == name) return i;
  }
  return mismatch(engine, kind + "s", "one named '" + name + "'", names_of(specs));
}

/// What dimension `axis` of an input may be: its own where it is static, else what the profile says.
Result<CountRange> range_of(const EngineInfo& engine, const TensorSpec& input, std::size_t axis) {
  if (input.shape[axis] >= 0) return CountRange{input.shape[axis], input.shape[axis], input.shape[axis]};
  for (const OptimizationProfile& profile : engine.profiles) {
    if (profile.input_name == input.name && profile.max.rank() == input.shape.rank()) {
      return CountRange{profile.min[axis], profile.opt[axis], profile.max[axis]};
    }
  }
  return mismatch(engine, "input '" + input.name + "'", "an optimization profile, its shape being dynamic",
                  "none");
}

std::string text_of(const CountRange& range) {
  return std::to_string(range.min) + " to " + std::to_string(range.max);
}

Status check_keypoints(const EngineInfo& engine, const TensorSpec& spec) {
  if (spec.dtype == DType::kFloat32 && spec.shape.rank() == 3 && spec.shape[2] == kCoordinates) return {};
  return mismatch(engine, "input '" + spec.name + "'", "float32 [B,N,2]", text_of(spec));
}

Status check_descriptors(const EngineInfo& engine, const TensorSpec& spec) {
  const bool is_float = spec.dtype == DType::kFloat32 || spec.dtype == DType::kFloat16;
  if (is_float && spec.shape.rank() == 3 && spec.shape[2] > 0) return {};
  return mismatch(engine, "input '" + spec.name + "'", "float32 or float16 [B,N,D] with a fixed D",
                  text_of(spec));
}

/// Both inputs of one side agree on B and N, and B may be 1. Narrows `contract` to what they allow.
Status read_ranges(const EngineInfo& engine, std::size_t side, Contract& contract) {
  const TensorSpec& keypoints = engine.inputs[contract.keypoint_inputs[side]];
  const TensorSpec& descriptors = engine.inputs[contract.descriptor_inputs[side]];
  SKUA_ASSIGN_OR_RETURN(contract.counts[side], range_of(engine, keypoints, 1));
  SKUA_ASSIGN_OR_RETURN(const CountRange described, range_of(engine, descriptors, 1));
  if (described != contract.counts[side]) {
    return mismatch(engine, "input '" + descriptors.name + "'",
                    "as many descriptors as keypoints (" + text_of(contract.counts[side]) + ")",
                    text_of(described));
  }
  for (const TensorSpec* input : {&keypoints, &descriptors}) {
    SKUA_ASSIGN_OR_RETURN(const CountRange batch, range_of(engine, *input, 0));
    if (batch.min > 1 || batch.max < 1) {
      return mismatch(engine, "input '" + input->name + "'", "a batch dimension that may be 1",
                      text_of(batch));
    }
    contract.max_batch = std::min(contract.max_batch, batch.max);
  }
  return {};
}

Status read_inputs(const EngineInfo& engine, Contract& contract) {
  for (std::size_t side = 0; side < 2; ++side) {
    SKUA_ASSIGN_OR_RETURN(contract.keypoint_inputs[side],
                          position_of(engine, engine.inputs, kKeypointNames[side], "input"));
    SKUA_ASSIGN_OR_RETURN(contract.descriptor_inputs[side],
                          position_of(engine, engine.inputs, kDescriptorNames[side], "input"));
    SKUA_RETURN_IF_ERROR(check_keypoints(engine, engine.inputs[contract.keypoint_inputs[side]]));
    SKUA_RETURN_IF_ERROR(check_descriptors(engine, engine.inputs[contract.descriptor_inputs[side]]));
  }
  // One that nobody fills would be read all the same.
  if (engine.inputs.size() != 4)
    return mismatch(engine, "inputs", "kpts0, kpts1, desc0, desc1", names_of(engine.inputs));
  const TensorSpec& first = engine.inputs[contract.descriptor_inputs[0]];
  const TensorSpec& second = engine.inputs[contract.descriptor_inputs[1]];
  if (first.dtype != second.dtype || first.shape[2] != second.shape[2])
    return mismatch(engine, "input 'desc1'", "dtype and D of desc0, " + text_of(first), text_of(second));
  contract.descriptor_dtype = first.dtype;
  contract.descriptor_dim = first.shape[2];
  contract.max_batch = std::numeric_limits<std::int64_t>::max();
  for (std::size_t side = 0; side < 2; ++side) SKUA_RETURN_IF_ERROR(read_ranges(engine, side, contract));
  return {};
}

Status check_capacity(const EngineInfo& engine, const TensorSpec& spec, std::size_t axis,
                      std::int64_t needed) {
  const bool has_room = spec.max_shape.rank() == spec.shape.rank() && spec.max_shape[axis] >= needed;
  if (has_room) return {};
  return mismatch(engine, "output '" + spec.name + "'",
                  "room for " + std::to_string(needed) + " in dimension " + std::to_string(axis),
                  "[" + spec.max_shape.to_string() + "]");
}

Status read_pairs(const EngineInfo& engine, const TensorSpec& matches, const TensorSpec& scores,
                  Contract& contract) {
  if (matches.max_shape.rank() != 2 || matches.max_shape[1] != kCoordinates)
    return mismatch(engine, "output 'matches'", "int64 [M,2] beside scores [M]", text_of(matches));
  if (scores.max_shape.rank() != 1)
    return mismatch(engine, "output 'scores'", "a capacity of one dimension", scores.max_shape.to_string());
  contract.form = OutputForm::kPairs;
  contract.max_batch = 1;  // nothing in a row says which pair it belongs to
  contract.max_matches = static_cast<std::size_t>(
      std::max<std::int64_t>(0, std::min(matches.max_shape[0], scores.max_shape[0])));
  return {};
}

Status read_per_keypoint(const EngineInfo& engine, const TensorSpec& matches, const TensorSpec& scores,
                         Contract& contract) {
  const std::int64_t most = contract.counts[0].max;
  for (const TensorSpec* spec : {&matches, &scores}) {
    SKUA_RETURN_IF_ERROR(check_capacity(engine, *spec, 0, contract.max_batch));
    SKUA_RETURN_IF_ERROR(check_capacity(engine, *spec, 1, most));
  }
  contract.form = OutputForm::kPerKeypoint;
  contract.max_matches = static_cast<std::size_t>(most);
  return {};
}

Status read_outputs(const EngineInfo& engine, Contract& contract) {
  SKUA_ASSIGN_OR_RETURN(contract.matches_output, position_of(engine, engine.outputs, "matches", "output"));
  SKUA_ASSIGN_OR_RETURN(contract.scores_output, position_of(engine, engine.outputs, "scores", "output"));
  const TensorSpec& matches = engine.outputs[contract.matches_output];
  const TensorSpec& scores = engine.outputs[contract.scores_output];
  if (matches.dtype != DType::kInt64 || matches.shape.rank() != 2)
    return mismatch(engine, "output 'matches'", "int64 [M,2] or [B,N]", text_of(matches));
  if (scores.dtype != DType::kFloat32 || scores.shape.rank() < 1 || scores.shape.rank() > 2)
    return mismatch(engine, "output 'scores'", "float32 [M] or [B,N]", text_of(scores));
  return scores.shape.rank() == 1 ? read_pairs(engine, matches, scores, contract)
                                  : read_per_keypoint(engine, matches, scores, contract);
}

/// What a caller got wrong: a member of the first or the second set.
struct Member {
  std::size_t side;
  const char* name;
};

Error refusal(Reason reason, const Member& member, const std::string& expected, const std::string& found) {
  return make_error(ErrorCode::kInvalidArgument, reason,
                    std::string(member.side == 0 ? "first" : "second") + " keypoint set, " + member.name +
                        ": expected " + expected + ", found " + found);
}

Status check_view(const Member& member, const TensorView& view, DType dtype, std::int64_t width) {
  if (view.dtype != dtype) {
    return refusal(Reason::kDtypeMismatch, member,
                   std::string(to_string(dtype)) + ", which the engine takes; nothing is converted silently",
                   std::string(to_string(view.dtype)));
  }
  if (view.device.type != DeviceType::kCpu)
    return refusal(Reason::kDeviceMismatch, member, "host memory", "device memory");
  if (view.shape.rank() != 2 || view.shape[0] < 0 || view.shape[1] != width) {
    return refusal(Reason::kShapeMismatch, member, "[N," + std::to_string(width) + "]",
                   "[" + view.shape.to_string() + "]");
  }
  if (view.data == nullptr && view.shape[0] > 0)
    return refusal(Reason::kInvalidArgument, member, "memory", "a null pointer");
  return {};
}

Status check_count(const Contract& contract, std::size_t side, std::int64_t count) {
  const CountRange& range = contract.counts[side];
  if (count >= range.min && count <= range.max) return {};
  const std::string expected =
      range.min == range.max ? "exactly " + std::to_string(range.min) : text_of(range);
  return refusal(Reason::kShapeMismatch, {side, "keypoints"}, expected + ", which the engine takes",
                 std::to_string(count));
}

}  // namespace

Result<Contract> read_contract(const EngineInfo& engine) {
  Contract contract;
  SKUA_RETURN_IF_ERROR(read_inputs(engine, contract));
  SKUA_RETURN_IF_ERROR(read_outputs(engine, contract));
  return contract;
}

Status check_set(const Contract& contract, std::size_t side, const KeypointSet& set) {
  SKUA_RETURN_IF_ERROR(check_view({side, "keypoints"}, set.keypoints, DType::kFloat32, kCoordinates));
  SKUA_RETURN_IF_ERROR(
      check_view({side, "descriptors"}, set.descriptors, contract.descriptor_dtype, contract.descriptor_dim));
  const std::int64_t count = set.keypoints.shape[0];
  if (set.descriptors.shape[0] != count) {
    return refusal(Reason::kShapeMismatch, {side, "descriptors"},
                   std::to_string(count) + " rows, as there are keypoints",
                   std::to_string(set.descriptors.shape[0]));
  }
  SKUA_RETURN_IF_ERROR(check_count(contract, side, count));
  if (set.image_size[0] > 0 && set.image_size[1] > 0) return {};
  return refusal(Reason::kInvalidArgument, {side, "image_size"}, "width and height above 0",
                 std::to_string(set.image_size[0]) + "x" + std::to_string(set.image_size[1]));
}

}  // namespace skua::lightglue
