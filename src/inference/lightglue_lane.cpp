#include "inference/lightglue_lane.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <utility>

#include "skua/ports.h"

namespace skua::lightglue {
namespace {

constexpr std::size_t kCoordinates = 2;
constexpr std::size_t kMostPairs = 1U << 20U;

Error out_of_memory() noexcept { return Error{ErrorCode::kOutOfMemory, Reason::kOutOfMemory, 0, {}}; }

/// Calls what may run out of memory while it composes a refusal, or inside an SDK that is asked for a shape.
template <typename Function>
Status guarded(Function&& function) noexcept {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  } catch (const std::exception&) {
    return Error{ErrorCode::kInternal, Reason::kInternal, 0, {}};
  }
}

/// The image's centre to 0, half its longer side to 1: what matchers are trained on.
void normalise(const KeypointSet& set, float* into) noexcept {
  const auto width = static_cast<float>(set.image_size[0]);
  const auto height = static_cast<float>(set.image_size[1]);
  const float middle_x = width / 2.0F, middle_y = height / 2.0F, half = std::max(width, height) / 2.0F;
  const auto points = set.keypoints.as<const float>();
  for (std::size_t i = 0; i < points.size(); i += kCoordinates) {
    into[i] = (points[i] - middle_x) / half;
    into[i + 1] = (points[i + 1] - middle_y) / half;
  }
}

}  // namespace

Status make_room(CorrespondenceSet& out, std::size_t most) noexcept {
  return guarded([&]() -> Status {
    out.indices.reserve(most);
    out.scores.reserve(most);
    return {};
  });
}

Status check_spans(const PairSpans& pairs) noexcept {
  const std::size_t count = pairs.firsts.size();
  const bool is_equal =
      pairs.seconds.size() == count && pairs.out.size() == count && pairs.status.size() == count;
  if (is_equal && count <= kMostPairs) return {};
  return guarded([&]() -> Status {
    return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                      "match_batch: expected spans of equal length, at most " + std::to_string(kMostPairs) +
                          ", found " + std::to_string(count) + " first sets, " +
                          std::to_string(pairs.seconds.size()) + " second sets, " +
                          std::to_string(pairs.out.size()) + " answers and " +
                          std::to_string(pairs.status.size()) + " statuses");
  });
}

Status check_pair(const Contract& contract, const KeypointSet& first, const KeypointSet& second) noexcept {
  return guarded([&]() -> Status {
    SKUA_RETURN_IF_ERROR(check_set(contract, 0, first));
    return check_set(contract, 1, second);
  });
}

MatchLane::MatchLane(BoundInference bound, const Contract& contract) noexcept
    : bound_(std::move(bound)), contract_(contract) {}

Result<MatchLane> MatchLane::bind(InferenceRuntime& runtime, const EngineHandle& engine, const Lane& lane,
                                  const Contract& contract) {
  SKUA_ASSIGN_OR_RETURN(BoundInference bound, runtime.bind(engine, lane));
  return MatchLane(std::move(bound), contract);
}

void MatchLane::begin_call() noexcept {
  written_ = {};
  inference_ns_ = 0;
}

Status MatchLane::shape_input(std::size_t index, const char* name, const Shape& shape) {
  if (bound_.input(index).shape == shape) return {};
  return bound_.set_shape(name, shape);
}

Status MatchLane::shape_side(std::size_t side, std::int64_t batch, std::int64_t count) {
  SKUA_RETURN_IF_ERROR(shape_input(contract_.keypoint_inputs[side], kKeypointNames[side],
                                   {batch, count, static_cast<std::int64_t>(kCoordinates)}));
  return shape_input(contract_.descriptor_inputs[side], kDescriptorNames[side],
                     {batch, count, contract_.descriptor_dim});
}

Status MatchLane::shape_inputs(const RunSizes& sizes) noexcept {
  return guarded([&]() -> Status {
    SKUA_RETURN_IF_ERROR(shape_side(0, sizes.batch, sizes.first));
    return shape_side(1, sizes.batch, sizes.second);
  });
}

void MatchLane::write_side(std::size_t side, std::size_t position, const KeypointSet& set) noexcept {
  const std::size_t point_bytes = set.keypoints.size_bytes(), described = set.descriptors.size_bytes();
  auto* points = static_cast<std::byte*>(bound_.input(contract_.keypoint_inputs[side]).data);
  auto* descriptors = static_cast<std::byte*>(bound_.input(contract_.descriptor_inputs[side]).data);
  normalise(set, reinterpret_cast<float*>(points + position * point_bytes));
  if (described > 0) std::memcpy(descriptors + position * described, set.descriptors.data, described);
  written_[side] = {set.keypoints.data, set.descriptors.data, set.keypoints.shape[0], set.image_size};
}

bool MatchLane::holds(std::size_t side, const KeypointSet& set) const noexcept {
  const Written& written = written_[side];
  return written.count == set.keypoints.shape[0] && written.keypoints == set.keypoints.data &&
         written.descriptors == set.descriptors.data && written.image_size == set.image_size;
}

void MatchLane::repeat_side(std::size_t side, std::size_t position) noexcept {
  for (const std::size_t index : {contract_.keypoint_inputs[side], contract_.descriptor_inputs[side]}) {
    const TensorView view = bound_.input(index);
    const std::size_t bytes = view.size_bytes() / static_cast<std::size_t>(view.shape[0]);
    auto* into = static_cast<std::byte*>(view.data) + position * bytes;
    if (bytes > 0) std::memcpy(into, into - bytes, bytes);
  }
}

Status MatchLane::run(const InferOptions& options) noexcept {
  const Clock& clock = system_clock();
  const std::int64_t start_ns = clock.monotonic_ns();
  Status status = bound_.run(options);
  inference_ns_ += clock.monotonic_ns() - start_ns;
  if (!status.ok()) written_ = {};  // nothing is known of what a failed run left in its inputs
  return status;
}

Status MatchLane::read(std::size_t position, const RunSizes& sizes, CorrespondenceSet& out) const noexcept {
  const MatcherOutputs outputs{bound_.output(contract_.matches_output),
                               bound_.output(contract_.scores_output)};
  return read_answer(contract_.form, outputs, sizes, position, out);
}

Status MatchLane::match(const KeypointSet& first, const KeypointSet& second, CorrespondenceSet& out,
                        const InferOptions& options) noexcept {
  out.indices.clear();
  out.scores.clear();
  SKUA_RETURN_IF_ERROR(check_pair(contract_, first, second));
  SKUA_RETURN_IF_ERROR(make_room(out, contract_.max_matches));
  const RunSizes sizes{1, first.keypoints.shape[0], second.keypoints.shape[0]};
  SKUA_RETURN_IF_ERROR(shape_inputs(sizes));
  const std::array<const KeypointSet*, 2> sets{&first, &second};
  for (std::size_t side = 0; side < 2; ++side) {
    if (!holds(side, *sets[side])) write_side(side, 0, *sets[side]);
  }
  SKUA_RETURN_IF_ERROR(run(options));
  return read(0, sizes, out);
}

Status MatchLane::run_together(const PairSpans& pairs, std::span<const std::uint32_t> chosen,
                               const RunSizes& sizes, const InferOptions& options) noexcept {
  SKUA_RETURN_IF_ERROR(shape_inputs(sizes));
  for (std::size_t side = 0; side < 2; ++side) {
    const std::span<const KeypointSet> sets = side == 0 ? pairs.firsts : pairs.seconds;
    written_[side] = {};
    for (std::size_t position = 0; position < chosen.size(); ++position) {
      const KeypointSet& set = sets[chosen[position]];
      if (position > 0 && holds(side, set)) {
        repeat_side(side, position);
      } else {
        write_side(side, position, set);
      }
    }
    written_[side] = {};  // position 0 is another set's by now
  }
  return run(options);
}

void MatchLane::match_together(const PairSpans& pairs, std::span<const std::uint32_t> chosen,
                               const InferOptions& options) noexcept {
  RunSizes sizes;
  sizes.batch = static_cast<std::int64_t>(chosen.size());
  sizes.first = pairs.firsts[chosen[0]].keypoints.shape[0];
  sizes.second = pairs.seconds[chosen[0]].keypoints.shape[0];
  const Status ran = run_together(pairs, chosen, sizes, options);
  for (std::size_t position = 0; position < chosen.size(); ++position) {
    const std::size_t pair = chosen[position];
    CorrespondenceSet& out = pairs.out[pair];
    pairs.status[pair] = ran.ok() ? make_room(out, contract_.max_matches) : guarded([&] { return ran; });
    if (pairs.status[pair].ok()) pairs.status[pair] = read(position, sizes, out);
  }
}

}  // namespace skua::lightglue
