// C3 as far as skua-flight needs it: the frame's features, and their partners on the best tiles.
#pragma once

#include <memory>
#include <span>

#include "flight/candidate_matcher.h"
#include "flight/frame_features.h"
#include "flight/image_input.h"
#include "flight/timed_inference.h"
#include "skua/airborne_bootstrap.h"

namespace skua::flight {

inline constexpr std::string_view kMatcherSlug = "c3_matcher";

/// An extractor with outputs `keypoints` [1,N,2] or [N,2] float32 (pixels) and `descriptors` [1,N,D] or
/// [N,D], N fixed or decided by the run, and LightGlue. One thread.
class MatcherConsumer final : public Consumer {
 public:
  /// Checks the extractor's outputs right after load, also against LightGlue: the same D and element type,
  /// and N rows where LightGlue takes exactly so many. EngineDeserializeError (contract_mismatch),
  /// OutOfMemoryError.
  static Result<std::unique_ptr<MatcherConsumer>> create(const Injected& injected,
                                                         const EngineHandle& extractor,
                                                         std::size_t most_candidates);

  std::string_view slug() const noexcept override { return kMatcherSlug; }
  const InferenceRuntime* inference() const noexcept override { return runtime_.get(); }

  int width() const noexcept { return input_.width(); }
  int height() const noexcept { return input_.height(); }
  int channels() const noexcept { return input_.channels(); }
  /// The features of a picture of width() x height(), into memory of make_features().
  Status extract(const Image& image, FrameFeatures& into, const InferOptions& options) noexcept;
  Result<FrameFeatures> make_features() const;
  std::int64_t last_extract_ns() const noexcept { return extractor_.last_ns(); }

  /// As CandidateMatcher::run; the answers are in pairs().
  Status match(const KeypointSet& frame, std::span<const KeypointSet> tiles,
               const InferOptions& options) noexcept {
    return pairs_.run(frame, tiles, options);
  }
  const CandidateMatcher& pairs() const noexcept { return pairs_; }
  const EngineInfo& info() const noexcept { return extractor_.info(); }

 private:
  struct Outputs {
    std::size_t keypoints = 0, descriptors = 0;  ///< indices
    std::size_t capacity = 0, dim = 0;
    DType dtype = DType::kFloat32;
  };
  static Result<Outputs> check(const EngineInfo& info, const LightGlueRuntime& lightglue);
  MatcherConsumer(const Injected& injected, TimedInference extractor, ImageInput input, Outputs outputs,
                  std::size_t most_candidates);

  std::shared_ptr<InferenceRuntime> runtime_;
  TimedInference extractor_;
  ImageInput input_;
  Outputs outputs_;
  CandidateMatcher pairs_;
};

}  // namespace skua::flight
