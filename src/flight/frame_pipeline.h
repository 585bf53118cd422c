// F3, one frame: place recognition, 10 candidates, re-ranking, K matches, AdHoP where they agree too little,
// position.
#pragma once

#include <atomic>
#include <vector>

#include "flight/adhop_consumer.h"
#include "flight/flight_settings.h"
#include "flight/frame_result.h"
#include "flight/rerank_consumer.h"
#include "flight/tile_index.h"

namespace skua::flight {

/// The consumers of a flight; not owned. `adhop` may be null: then nothing is refined.
struct FlightConsumers {
  VprConsumer* vpr = nullptr;
  RerankConsumer* rerank = nullptr;
  MatcherConsumer* matcher = nullptr;
  AdhopConsumer* adhop = nullptr;
};

/// Works a frame up. All memory is taken at construction; a frame allocates nothing, takes no lock and logs
/// nothing of ours. One thread.
class FramePipeline {
 public:
  /// References must outlive it. `stop_requested`, where given, is looked at between two steps of a frame:
  /// the frame then ends with the reason `cancelled`. OutOfMemoryError.
  static Result<FramePipeline> create(const FlightConsumers& consumers, const TileIndex& tiles,
                                      const InferenceRuntime& runtime, const FlightSettings& settings,
                                      const std::atomic<bool>* stop_requested = nullptr);

  /// Answers where `image` was taken, or why it cannot say. `options`: the frame's number and deadline;
  /// behind it there is no position, whichever step was late.
  FrameResult run(const Image& image, const InferOptions& options) noexcept;

 private:
  FramePipeline(const FlightConsumers& consumers, const TileIndex& tiles, const InferenceRuntime& runtime,
                const FlightSettings& settings, FrameFeatures features);
  Status go_on(FrameResult& result) const noexcept;
  void judge_time(std::int64_t end_ns, const InferOptions& options, FrameResult& result) const noexcept;
  Status describe(const Image& image, const InferOptions& options, FrameResult& result) noexcept;
  Status rerank(const InferOptions& options, FrameResult& result) noexcept;
  Status match(const InferOptions& options, FrameResult& result) noexcept;
  Status locate(const Image& image, const InferOptions& options, FrameResult& result) noexcept;
  bool solve_best(FrameResult& result, HomographyFit& fit) noexcept;
  void refine(const Image& image, const InferOptions& options, FrameResult& result,
              HomographyFit& fit) noexcept;
  void take_pair(std::size_t pair) noexcept;

  FlightConsumers consumers_;
  const TileIndex* tiles_;
  const InferenceRuntime* runtime_;
  const std::atomic<bool>* stop_requested_ = nullptr;
  FlightSettings settings_;
  const Clock* clock_ = &system_clock();

  FrameFeatures features_;
  std::vector<float> descriptor_;
  std::vector<float> similarity_;
  std::vector<std::size_t> nearest_, order_, chosen_;  ///< tiles alike; ranks among them; tiles matched
  std::vector<KeypointSet> sets_;
  std::vector<PointMatch> matches_;
  HomographySolver solver_;
  std::int64_t last_adhop_ns_ = 0;  ///< when AdHoP ran last; 0: never
};

}  // namespace skua::flight
