// C2 as far as skua-flight needs it: a picture to its place descriptor.
#pragma once

#include <memory>
#include <span>

#include "flight/image_input.h"
#include "flight/timed_inference.h"
#include "skua/airborne_bootstrap.h"

namespace skua::flight {

inline constexpr std::string_view kVprSlug = "c2_vpr";

/// One image in, one vector out. One thread.
class VprConsumer final : public Consumer {
 public:
  /// Checks the engine's input and output, as the stack's C2 does right after load. EngineDeserializeError
  /// (contract_mismatch). A half input is taken for UltraVPR's: ImageNet normalisation; else values are 0
  /// to 1.
  static Result<std::unique_ptr<VprConsumer>> create(const Injected& injected, const EngineHandle& engine);

  std::string_view slug() const noexcept override { return kVprSlug; }
  const InferenceRuntime* inference() const noexcept override { return runtime_.get(); }

  std::size_t dim() const noexcept { return dim_; }
  int channels() const noexcept { return input_.channels(); }
  /// The place descriptor, brought to length 1, into `into` [dim()]. Errors: those of run; InferenceError
  /// (execution_failed) when it is no direction (all zero, or not a number).
  Status embed(const Image& image, std::span<float> into, const InferOptions& options) noexcept;
  std::int64_t last_inference_ns() const noexcept { return engine_.last_ns(); }
  const EngineInfo& info() const noexcept { return engine_.info(); }

 private:
  VprConsumer(std::shared_ptr<InferenceRuntime> runtime, TimedInference engine, ImageInput input,
              std::size_t dim);

  std::shared_ptr<InferenceRuntime> runtime_;
  TimedInference engine_;
  ImageInput input_;
  std::size_t dim_;
};

}  // namespace skua::flight
