// The queue between the frame loop and the event thread.
#pragma once

#include <cstdint>

#include "core/bounded_ring.h"
#include "skua/ports.h"

namespace skua {

struct StampedFrame {
  std::int64_t utc_us = 0;
  std::int64_t monotonic_ns = 0;
  FrameEvent event;
};

using FrameRing = BoundedRing<StampedFrame>;

}  // namespace skua
