// What became of one frame: fixed size, so that the frame loop can keep and copy it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "flight/homography.h"
#include "skua/reason.h"

namespace skua::flight {

/// Where a frame's time goes. The first five hold a backbone's runs alone (the time inside the runtime),
/// `kSolve` what is computed from the matches, `kFrame` everything from its beginning to its answer, `kOwn`
/// what is left of it when the runs are taken away, `kAcquire` reading and decoding the picture, before the
/// frame is due.
enum class Stage : std::uint8_t { kVpr, kFeatures, kRerank, kMatch, kAdhop, kSolve, kOwn, kFrame, kAcquire };
inline constexpr std::size_t kStages = 9;
/// "vpr", "features", "rerank", "match", "adhop", "solve", "own", "frame", "acquire".
std::string_view to_string(Stage stage) noexcept;

struct FrameResult {
  std::uint64_t frame = 0;  ///< the slot of the schedule
  /// kNone: there is a position. Otherwise why there is none, and in which stage.
  Reason reason = Reason::kNone;
  Stage failed_stage = Stage::kFrame;
  std::int32_t native_code = 0;

  std::size_t tile = 0;  ///< index of the tile it was found on
  Point position{};      ///< of the frame's centre, map pixels
  Point deviation{};     ///< standard deviations, map pixels
  CovarianceMode covariance = CovarianceMode::kMarginals;
  int candidates = 0;  ///< K: tiles matched after the re-ranking
  bool is_throttled = false;
  bool is_refined = false;                      ///< by AdHoP, also where there is no position after all
  std::size_t matches = 0, inliers = 0;         ///< on that tile
  std::array<std::int64_t, kStages> took_ns{};  ///< by Stage; 0: did not run
  std::int64_t ended_ns = 0;                    ///< when it had its answer, of the monotonic clock
  std::int64_t after_due_ns = 0;                ///< how long that was after the frame was due

  bool has_position() const noexcept { return reason == Reason::kNone; }
  std::int64_t& took(Stage stage) noexcept { return took_ns[static_cast<std::size_t>(stage)]; }
  std::int64_t took(Stage stage) const noexcept { return took_ns[static_cast<std::size_t>(stage)]; }
};

}  // namespace skua::flight
