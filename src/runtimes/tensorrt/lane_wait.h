// How a lane waits for the device.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <optional>

#include "skua/ports.h"
#include "skua/runtime_config.h"

namespace skua::tensorrt {

enum class WaitMode : std::uint8_t {
  kSpin,   ///< asks without a pause: least latency, one core
  kBlock,  ///< sleeps in the driver until the device is done; with a deadline, as kPoll, because CUDA has no
           ///< such wait
  kPoll,   ///< asks with short sleeps between
};

WaitMode wait_mode_of(const RuntimeConfig& config) noexcept;
/// The flags for an event that is waited for so.
unsigned event_flags_of(WaitMode mode) noexcept;

/// Waits until `event` is done: cudaSuccess, or the device's error, or cudaErrorNotReady at the deadline.
/// Without a deadline a wait by asking ends after a minute with cudaErrorNotReady: a device that hangs must
/// not hang the load.
cudaError_t wait_for(cudaEvent_t event, WaitMode mode, std::optional<std::int64_t> deadline_ns,
                     const Clock& clock) noexcept;

}  // namespace skua::tensorrt
