// C3.5 as far as skua-flight needs it: a homography made better by one pass of a network (AdHoP, adaptive
// homography preconditioning: the reference is warped by what is known, the network says what is left).
#pragma once

#include <memory>

#include "flight/homography.h"
#include "flight/image_input.h"
#include "flight/timed_inference.h"
#include "skua/airborne_bootstrap.h"

namespace skua::flight {

inline constexpr std::string_view kAdhopSlug = "c3_5_adhop";

/// Engine contract: inputs `reference`, `query` [1,C,S,S], values 0 to 1; outputs `corner_offsets` float32
/// [1,4,2]: where the corners of `reference` (top left, top right, bottom right, bottom left) lie in `query`,
/// in pixels from their own place; `confidence` float32 [1,1], 0 to 1. One thread.
class AdhopConsumer final : public Consumer {
 public:
  static Result<std::unique_ptr<AdhopConsumer>> create(const Injected& injected, const EngineHandle& engine);

  std::string_view slug() const noexcept override { return kAdhopSlug; }
  const InferenceRuntime* inference() const noexcept override { return runtime_.get(); }

  /// Refines `map` (frame pixels to tile pixels) around the frame's centre. True: `map` is the better one.
  /// False: passed through, `map` is as it was: the run failed (`status` says why), the network was not sure
  /// (below 0.5), or what it says is no map.
  bool refine(const Image& frame, const Image& tile, Homography& map, Status& status,
              const InferOptions& options) noexcept;
  /// 0 when refine() did not run the network.
  std::int64_t last_inference_ns() const noexcept { return last_ns_; }
  const EngineInfo& info() const noexcept { return engine_.info(); }

 private:
  AdhopConsumer(std::shared_ptr<InferenceRuntime> runtime, TimedInference engine, ImageInput input);
  void cut(const Image& frame, const Image& tile, const Homography& map) noexcept;
  bool apply_offsets(const Image& frame, Homography& map) noexcept;

  std::shared_ptr<InferenceRuntime> runtime_;
  TimedInference engine_;
  ImageInput input_;
  std::array<std::size_t, 2> inputs_{}, outputs_{};  ///< reference, query; corner_offsets, confidence
  Image reference_, query_;                          ///< side x side
  std::int64_t last_ns_ = 0;
};

}  // namespace skua::flight
