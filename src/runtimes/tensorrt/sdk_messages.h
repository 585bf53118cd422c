// What TensorRT says beside its errors, as events: warnings, and what it logs as an error.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "runtimes/tensorrt/device_state.h"
#include "runtimes/tensorrt/trt_logger.h"

namespace skua::tensorrt {

/// Tells c7.sdk_message for each line of WARNING and worse, up to a limit; a flood is cut off, and said to
/// be.
class SdkMessages final : public LogListener {
 public:
  explicit SdkMessages(std::shared_ptr<DeviceState> device)
      : device_(std::move(device)), subscription_(*this) {}
  void on_log(Severity severity, std::string_view text) noexcept override;

 private:
  static constexpr std::uint32_t kMostLines = 200;
  std::shared_ptr<DeviceState> device_;
  std::atomic<std::uint32_t> lines_{0};
  LogSubscription subscription_;  // last: nothing is told before the rest is there
};

}  // namespace skua::tensorrt
