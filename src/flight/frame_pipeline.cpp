#include "flight/frame_pipeline.h"

#include <algorithm>
#include <cmath>

#include "core/trace.h"

namespace skua::flight {
namespace {

constexpr double kNsPerSecond = 1e9;

/// Notes where a frame failed and why; the runs themselves have told their own failure already.
Status failed_in(Stage stage, Status status, FrameResult& result) noexcept {
  if (status.ok()) return status;
  result.failed_stage = stage;
  result.reason = status.error().reason;
  result.native_code = status.error().native_code;
  return status;
}

Error no_position() noexcept { return Error{ErrorCode::kInference, Reason::kNoPosition, 0, {}}; }

}  // namespace

Result<FramePipeline> FramePipeline::create(const FlightConsumers& consumers, const TileIndex& tiles,
                                            const InferenceRuntime& runtime, const FlightSettings& settings,
                                            const std::atomic<bool>* stop_requested) {
  SKUA_ASSIGN_OR_RETURN(FrameFeatures features, consumers.matcher->make_features());
  FramePipeline pipeline(consumers, tiles, runtime, settings, std::move(features));
  pipeline.stop_requested_ = stop_requested;
  return pipeline;
}

FramePipeline::FramePipeline(const FlightConsumers& consumers, const TileIndex& tiles,
                             const InferenceRuntime& runtime, const FlightSettings& settings,
                             FrameFeatures features)
    : consumers_(consumers),
      tiles_(&tiles),
      runtime_(&runtime),
      settings_(settings),
      features_(std::move(features)),
      descriptor_(consumers.vpr->dim()),
      similarity_(settings.candidates),
      nearest_(settings.candidates),
      order_(settings.matches),
      sets_(settings.candidates),
      solver_(consumers.matcher->pairs().lightglue()->max_matches(), {3.0, 500, settings.min_inliers}) {
  chosen_.reserve(settings.candidates);
  matches_.reserve(consumers.matcher->pairs().lightglue()->max_matches());
}

FrameResult FramePipeline::run(const Image& image, const InferOptions& options) noexcept {
  FrameResult result;
  result.frame = options.frame.value_or(0);
  result.is_throttled = runtime_->thermal_state().thermal_throttle_active;
  Span span(SpanKind::kFrame, {{}, {}, result.frame});
  result.covariance = result.is_throttled ? CovarianceMode::kJacobian : CovarianceMode::kMarginals;
  const std::int64_t start_ns = clock_->monotonic_ns();
  const bool is_done = describe(image, options, result).ok() && go_on(result).ok() &&
                       rerank(options, result).ok() && go_on(result).ok() && match(options, result).ok() &&
                       go_on(result).ok() && locate(image, options, result).ok();
  const std::int64_t end_ns = clock_->monotonic_ns();
  if (is_done && result.has_position()) judge_time(end_ns, options, result);
  span.failed(result.reason);
  result.ended_ns = end_ns;
  result.took(Stage::kFrame) = end_ns - start_ns;
  std::int64_t inference_ns = 0;
  for (const Stage stage : {Stage::kVpr, Stage::kFeatures, Stage::kRerank, Stage::kMatch, Stage::kAdhop})
    inference_ns += result.took(stage);
  result.took(Stage::kOwn) = result.took(Stage::kFrame) - inference_ns;
  return result;
}

/// Whoever ends the program does not wait for the rest of a frame.
Status FramePipeline::go_on(FrameResult& result) const noexcept {
  if (stop_requested_ == nullptr || !stop_requested_->load(std::memory_order_acquire)) return {};
  return failed_in(Stage::kFrame, Error{ErrorCode::kInference, Reason::kCancelled, 0, {}}, result);
}

/// A pair that waits until the deadline costs itself alone: what the others agree on would come too late for
/// whoever waits for it.
void FramePipeline::judge_time(std::int64_t end_ns, const InferOptions& options,
                               FrameResult& result) const noexcept {
  if (!options.deadline_ns || end_ns <= *options.deadline_ns) return;
  const Error late{ErrorCode::kInference, Reason::kDeadlineMissed, 0, {}};
  static_cast<void>(failed_in(Stage::kFrame, late, result));
}

/// C2, and C3's features, which C2.5 needs already.
Status FramePipeline::describe(const Image& image, const InferOptions& options,
                               FrameResult& result) noexcept {
  Span vpr(SpanKind::kVpr);
  Status embedded = consumers_.vpr->embed(image, descriptor_, options);
  result.took(Stage::kVpr) = consumers_.vpr->last_inference_ns();
  SKUA_RETURN_IF_ERROR(failed_in(Stage::kVpr, std::move(embedded), result));
  nearest_.resize(settings_.candidates);  // within its capacity
  nearest_.resize(tiles_->nearest(descriptor_, nearest_, similarity_));
  vpr.end();
  SKUA_RETURN_IF_ERROR(go_on(result));
  const Span features(SpanKind::kFeatures);
  Status extracted = consumers_.matcher->extract(image, features_, options);
  result.took(Stage::kFeatures) = consumers_.matcher->last_extract_ns();
  SKUA_RETURN_IF_ERROR(failed_in(Stage::kFeatures, std::move(extracted), result));
  // Water, fog: the matcher would refuse the fewest, and the rest cannot be located.
  if (features_.count >= settings_.min_inliers) return {};
  return failed_in(Stage::kSolve, no_position(), result);
}

/// C2.5: the candidates by how many keypoints they share with the frame, the best K.
Status FramePipeline::rerank(const InferOptions& options, FrameResult& result) noexcept {
  const Span span(SpanKind::kRerank);
  const std::size_t k = result.is_throttled ? settings_.matches_throttled : settings_.matches;
  for (std::size_t i = 0; i < nearest_.size(); ++i) sets_[i] = tiles_->features(nearest_[i]);
  const auto best = consumers_.rerank->best(features_.view(), {sets_.data(), nearest_.size()},
                                            {order_.data(), std::min(k, order_.size())}, options);
  result.took(Stage::kRerank) = consumers_.rerank->last_inference_ns();
  if (!best.ok()) return failed_in(Stage::kRerank, best.error(), result);
  chosen_.clear();
  for (std::size_t i = 0; i < *best; ++i) chosen_.push_back(nearest_[order_[i]]);
  result.candidates = static_cast<int>(*best);
  return {};
}

/// C3 over the chosen tiles. A pair that failed is dropped; all of them: no result.
Status FramePipeline::match(const InferOptions& options, FrameResult& result) noexcept {
  const Span span(SpanKind::kMatch);
  for (std::size_t i = 0; i < chosen_.size(); ++i) sets_[i] = tiles_->features(chosen_[i]);
  Status ran = consumers_.matcher->match(features_.view(), {sets_.data(), chosen_.size()}, options);
  result.took(Stage::kMatch) = consumers_.matcher->pairs().last_inference_ns();
  SKUA_RETURN_IF_ERROR(failed_in(Stage::kMatch, std::move(ran), result));
  return failed_in(Stage::kMatch, consumers_.matcher->pairs().verdict(), result);
}

/// The pair's matches as points: frame pixels to tile pixels.
void FramePipeline::take_pair(std::size_t pair) noexcept {
  const auto frame = features_.view().keypoints.as<float>();
  const auto tile = tiles_->features(chosen_[pair]).keypoints.as<float>();
  matches_.clear();
  for (const auto& [first, second] : consumers_.matcher->pairs().matches(pair).indices) {
    if (matches_.size() == matches_.capacity()) break;
    const auto a = static_cast<std::size_t>(first), b = static_cast<std::size_t>(second);
    matches_.push_back({{frame[2 * a], frame[2 * a + 1]}, {tile[2 * b], tile[2 * b + 1]}});
  }
}

/// The pair that most matches agree on; leaves the solver at that pair.
bool FramePipeline::solve_best(FrameResult& result, HomographyFit& fit) noexcept {
  const CandidateMatcher& pairs = consumers_.matcher->pairs();
  std::size_t best = pairs.size(), last_solved = pairs.size();
  for (std::size_t pair = 0; pair < pairs.size(); ++pair) {
    if (!pairs.status(pair).ok() || pairs.matches(pair).indices.size() < settings_.min_inliers) continue;
    // No pair with fewer matches than the best one's inliers can win.
    if (best < pairs.size() && pairs.matches(pair).indices.size() <= fit.inliers) continue;
    take_pair(pair);
    HomographyFit found;
    if (!solver_.solve(matches_, found)) continue;
    last_solved = pair;
    if (best < pairs.size() && found.inliers <= fit.inliers) continue;
    best = pair;
    fit = found;
    result.matches = matches_.size();
  }
  if (best == pairs.size()) return false;
  if (last_solved != best) {
    take_pair(best);
    if (!solver_.solve(matches_, fit)) return false;  // the same matches give the same answer
  }
  result.tile = chosen_[best];
  result.inliers = fit.inliers;
  return true;
}

/// C3.5, where the matches agree too little and at most every adhop_min_period_s.
void FramePipeline::refine(const Image& image, const InferOptions& options, FrameResult& result,
                           HomographyFit& fit) noexcept {
  const bool is_poor =
      static_cast<double>(fit.inliers) < settings_.adhop_below_share * static_cast<double>(result.matches);
  const std::int64_t now_ns = clock_->monotonic_ns();
  const bool is_allowed = last_adhop_ns_ == 0 || static_cast<double>(now_ns - last_adhop_ns_) >=
                                                     settings_.adhop_min_period_s * kNsPerSecond;
  if (consumers_.adhop == nullptr || !is_poor || !is_allowed) return;
  const Span span(SpanKind::kAdhop);
  last_adhop_ns_ = now_ns;
  Status status;
  result.is_refined = consumers_.adhop->refine(image, tiles_->picture(result.tile), fit.map, status, options);
  result.took(Stage::kAdhop) = consumers_.adhop->last_inference_ns();
  // Passed through: the position stands. Only a lost device ends more than this refinement.
  if (!status.ok() && status.error().reason == Reason::kDeviceLost)
    static_cast<void>(failed_in(Stage::kAdhop, std::move(status), result));
}

/// What C4 does with it: the frame's centre on the map, and how sure that is.
Status FramePipeline::locate(const Image& image, const InferOptions& options, FrameResult& result) noexcept {
  const std::int64_t start_ns = clock_->monotonic_ns();
  HomographyFit fit;
  Span span(SpanKind::kSolve);
  if (!solve_best(result, fit)) return failed_in(Stage::kSolve, no_position(), result);
  result.took(Stage::kSolve) = clock_->monotonic_ns() - start_ns;
  span.end();
  refine(image, options, result, fit);
  const Point centre{(image.width - 1) / 2.0, (image.height - 1) / 2.0};
  const Point on_tile = map_point(fit.map, centre);
  const Point variance = solver_.variance_at(centre, result.covariance);
  const Tile& tile = tiles_->tile(result.tile);
  result.position = {tile.x + on_tile[0], tile.y + on_tile[1]};
  result.deviation = {std::sqrt(variance[0]), std::sqrt(variance[1])};
  const bool is_finite = std::isfinite(result.position[0]) && std::isfinite(result.position[1]);
  if (is_finite) return {};
  return failed_in(Stage::kSolve, no_position(), result);
}

}  // namespace skua::flight
