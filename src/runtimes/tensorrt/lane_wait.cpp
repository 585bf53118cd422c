#include "runtimes/tensorrt/lane_wait.h"

#include <time.h>

#include <algorithm>

namespace skua::tensorrt {
namespace {

constexpr std::int64_t kLongestWaitNs = 60'000'000'000;
constexpr std::int64_t kNapNs = 50'000;  // what a sleeping thread costs to wake is about this much

void pause_briefly() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

void nap(std::int64_t left_ns) noexcept {
  const timespec length{0, std::clamp<std::int64_t>(left_ns, 1, kNapNs)};
  static_cast<void>(nanosleep(&length, nullptr));
}

template <typename Ask>
cudaError_t ask_until(std::int64_t end_ns, WaitMode mode, const Clock& clock, const DeviceState& device,
                      Ask ask) noexcept {
  while (!device.is_lost()) {
    const cudaError_t answer = ask();
    if (answer != cudaErrorNotReady) return answer;
    const std::int64_t left_ns = end_ns - clock.monotonic_ns();
    if (left_ns <= 0) return cudaErrorNotReady;
    if (mode == WaitMode::kSpin) {
      pause_briefly();
    } else {
      nap(left_ns);
    }
  }
  return cudaErrorUnknown;
}

}  // namespace

WaitMode wait_mode_of(const RuntimeConfig& config) noexcept {
  if (config.tensorrt_wait == "spin") return WaitMode::kSpin;
  return config.tensorrt_wait == "block" ? WaitMode::kBlock : WaitMode::kPoll;
}

unsigned event_flags_of(WaitMode mode) noexcept {
  return cudaEventDisableTiming | (mode == WaitMode::kBlock ? cudaEventBlockingSync : cudaEventDefault);
}

unsigned device_flags_of(WaitMode mode) noexcept {
  return mode == WaitMode::kSpin ? cudaDeviceScheduleSpin : cudaDeviceScheduleBlockingSync;
}

cudaError_t wait_for(cudaEvent_t event, WaitMode mode, std::optional<std::int64_t> deadline_ns,
                     const Clock& clock, const DeviceState& device) noexcept {
  if (mode == WaitMode::kBlock && !deadline_ns) return cudaEventSynchronize(event);
  const std::int64_t end_ns = deadline_ns ? *deadline_ns : clock.monotonic_ns() + kLongestWaitNs;
  return ask_until(end_ns, mode, clock, device, [event] { return cudaEventQuery(event); });
}

cudaError_t wait_for_stream(cudaStream_t stream, WaitMode mode, std::int64_t end_ns, const Clock& clock,
                            const DeviceState& device) noexcept {
  return ask_until(end_ns, mode, clock, device, [stream] { return cudaStreamQuery(stream); });
}

}  // namespace skua::tensorrt
