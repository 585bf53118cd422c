#include "flight/flight_statistics.h"

namespace skua::flight {

void FlightStatistics::add(const FrameResult& result) noexcept {
  ++frames_;
  if (result.has_position()) ++positions_;
  if (!result.has_position()) ++by_reason_[static_cast<std::size_t>(result.reason)];
  if (result.has_position() && result.is_refined) ++refined_;
  if (result.is_throttled) ++throttled_;
  for (std::size_t stage = 0; stage < kStages; ++stage) {
    if (result.took_ns[stage] > 0) latency_[stage].record(result.took_ns[stage]);
  }
}

}  // namespace skua::flight
