// How a lane waits for the device.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <optional>

#include "runtimes/tensorrt/device_state.h"
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

/// The flags for the device whose lanes wait so, for the waits that TensorRT makes itself.
unsigned device_flags_of(WaitMode mode) noexcept;

/// Waits until `event` is done: cudaSuccess, or the device's error, or cudaErrorNotReady at the deadline.
/// Without a deadline a wait by asking ends after a minute with cudaErrorNotReady: a device that hangs must
/// not hang the load. Where another lane has lost the device meanwhile, nothing is asked any more:
/// cudaErrorUnknown.
cudaError_t wait_for(cudaEvent_t event, WaitMode mode, std::optional<std::int64_t> deadline_ns,
                     const Clock& clock, const DeviceState& device) noexcept;
/// The same for all that is on a stream, at most until `end_ns`.
cudaError_t wait_for_stream(cudaStream_t stream, WaitMode mode, std::int64_t end_ns, const Clock& clock,
                            const DeviceState& device) noexcept;

}  // namespace skua::tensorrt
