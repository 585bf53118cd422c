#include "skua/lightglue.h"

#include <atomic>
#include <string>
#include <utility>

#include "inference/lightglue_timing.h"

namespace skua {
namespace {

/// A run at warm-up fails without a text: this says of what.
Error warm_up_error(const Result<EngineInfo>& info, const Error& error) {
  const std::string model = info.ok() ? info->model : "the engine";
  const std::string words = error.message.empty() ? std::string(sentence_of(error.reason)) : error.message;
  return make_error(error.code, error.reason,
                    "LightGlueRuntime: " + model + " failed while batches were timed: " + words +
                        "; run it with `skua run`, and provision the set again",
                    error.native_code);
}

Error argument_error(Reason reason, std::string message) {
  return make_error(ErrorCode::kInvalidArgument, reason, "LightGlueRuntime: " + std::move(message));
}

Error busy_error() noexcept { return Error{ErrorCode::kInference, Reason::kLaneBusy, 0, {}}; }

/// Holds the instance for the length of one call; a second caller is refused, never queued.
class Entry {
 public:
  explicit Entry(std::atomic<bool>& is_taken) noexcept
      : is_taken_(is_taken), is_held_(!is_taken.exchange(true, std::memory_order_acquire)) {}
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;
  ~Entry() {
    if (is_held_) is_taken_.store(false, std::memory_order_release);
  }
  bool is_held() const noexcept { return is_held_; }

 private:
  std::atomic<bool>& is_taken_;
  bool is_held_;
};

Status check_options(const std::shared_ptr<InferenceRuntime>& runtime, const LightGlueOptions& options) {
  if (runtime == nullptr) {
    return argument_error(Reason::kInvalidArgument,
                          "expected the shared runtime, found null; give it the one under 'c7_inference'");
  }
  if (options.warm_up_pairs > LightGlueOptions::kMostWarmUpPairs) {
    return argument_error(Reason::kInvalidArgument, "warm_up_pairs: expected at most " +
                                                        std::to_string(LightGlueOptions::kMostWarmUpPairs) +
                                                        ", found " + std::to_string(options.warm_up_pairs) +
                                                        "; give the pairs of a frame");
  }
  if (options.warm_up_pairs > 0 && options.warm_up_rounds < 1) {
    return argument_error(Reason::kInvalidArgument, "warm_up_rounds: expected at least 1, found " +
                                                        std::to_string(options.warm_up_rounds) +
                                                        "; set warm_up_pairs to 0 to time nothing");
  }
  return {};
}

}  // namespace

std::string_view to_string(BatchMode mode) noexcept {
  switch (mode) {
    case BatchMode::kOneLane:
      return "one_lane";
    case BatchMode::kLanes:
      return "lanes";
    case BatchMode::kBatched:
      return "batched";
  }
  return "unknown";
}

struct LightGlueRuntime::Impl {
  std::shared_ptr<InferenceRuntime> source;
  std::unique_ptr<lightglue::Matcher> matcher;
  lightglue::ChosenModes modes;
  std::atomic<bool> is_taken{false};
  std::int64_t inference_ns = 0;
};

LightGlueRuntime::LightGlueRuntime(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
LightGlueRuntime::~LightGlueRuntime() = default;

Result<std::unique_ptr<LightGlueRuntime>> LightGlueRuntime::create(std::shared_ptr<InferenceRuntime> runtime,
                                                                   const EngineHandle& engine,
                                                                   const LightGlueOptions& options) {
  SKUA_RETURN_IF_ERROR(check_options(runtime, options));
  auto impl = std::make_unique<Impl>();
  SKUA_ASSIGN_OR_RETURN(impl->matcher, lightglue::Matcher::create(*runtime, engine, options.lanes));
  impl->source = std::move(runtime);
  if (options.warm_up_pairs == 0) {
    impl->modes = lightglue::untimed_modes(*impl->matcher);
  } else {
    auto modes = lightglue::time_modes(*impl->matcher, options.warm_up_pairs,
                                       static_cast<std::size_t>(options.warm_up_rounds));
    if (!modes.ok()) return warm_up_error(impl->source->info(engine), modes.error());
    impl->modes = *std::move(modes);
  }
  return std::unique_ptr<LightGlueRuntime>(new LightGlueRuntime(std::move(impl)));
}

Status LightGlueRuntime::match(const KeypointSet& a, const KeypointSet& b, CorrespondenceSet& out,
                               const InferOptions& options) noexcept {
  const Entry entry(impl_->is_taken);
  if (!entry.is_held()) return busy_error();
  Status status = impl_->matcher->match(a, b, out, options);
  impl_->inference_ns = impl_->matcher->inference_ns();
  return status;
}

Status LightGlueRuntime::match_batch(std::span<const KeypointSet> as, std::span<const KeypointSet> bs,
                                     std::span<CorrespondenceSet> out, std::span<Status> status,
                                     const InferOptions& options) noexcept {
  const Entry entry(impl_->is_taken);
  if (!entry.is_held()) return busy_error();
  const lightglue::PairSpans pairs{as, bs, out, status};
  SKUA_RETURN_IF_ERROR(lightglue::check_spans(pairs));
  const bool is_possible = impl_->matcher->can(impl_->modes.mode, pairs);
  impl_->matcher->match_all(is_possible ? impl_->modes.mode : impl_->modes.unbatched, pairs, options);
  impl_->inference_ns = impl_->matcher->inference_ns();
  return {};
}

std::size_t LightGlueRuntime::descriptor_dim() const noexcept {
  return static_cast<std::size_t>(impl_->matcher->contract().descriptor_dim);
}

DType LightGlueRuntime::descriptor_dtype() const noexcept {
  return impl_->matcher->contract().descriptor_dtype;
}

std::size_t LightGlueRuntime::fixed_keypoint_count() const noexcept {
  const auto& counts = impl_->matcher->contract().counts;
  const bool is_fixed = counts[0].min == counts[0].max && counts[0] == counts[1];
  return is_fixed ? static_cast<std::size_t>(counts[0].max) : 0;
}

std::size_t LightGlueRuntime::max_matches() const noexcept { return impl_->matcher->contract().max_matches; }
BatchMode LightGlueRuntime::batch_mode() const noexcept { return impl_->modes.mode; }
std::span<const BatchTiming> LightGlueRuntime::batch_timings() const noexcept { return impl_->modes.timings; }
std::int64_t LightGlueRuntime::last_inference_ns() const noexcept { return impl_->inference_ns; }
const std::shared_ptr<InferenceRuntime>& LightGlueRuntime::source() const noexcept { return impl_->source; }

}  // namespace skua
