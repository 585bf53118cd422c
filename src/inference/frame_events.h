// What one run tells, in the fixed-size form that costs a copy.
#pragma once

#include <cstdint>

#include "cache/engine_record.h"
#include "skua/bound_inference.h"
#include "skua/error.h"
#include "skua/ports.h"

namespace skua {

/// No result for this frame, and why. No allocation.
FrameEvent failed_frame(const EngineRecord& record, const InferOptions& options, const Error& error) noexcept;
/// How long a run took. No allocation.
FrameEvent timed_frame(const EngineRecord& record, const InferOptions& options,
                       std::int64_t took_ns) noexcept;

}  // namespace skua
