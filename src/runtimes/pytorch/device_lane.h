// One lane's place on the device. On the CPU there is nothing to do; on a GPU each lane has a stream of its
// own, and a deadline is kept by not waiting any longer. Includes libtorch's headers. The GPU half was never
// run on a GPU.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>

#include "skua/result.h"

namespace skua::pytorch {

class DeviceLane {
 public:
  explicit DeviceLane(const std::string& device) {
    if (device == "cpu") return;
    device_ = c10::Device(c10::DeviceType::CUDA, 0);
    stream_ = c10::impl::VirtualGuardImpl(c10::DeviceType::CUDA).getNewStream(device_);
    done_.emplace(c10::DeviceType::CUDA);
  }

  c10::Device device() const noexcept { return device_; }

  /// A run whose deadline passed may still be going on: its lane is busy until the device has finished.
  Status enter() {
    if (!is_behind_ || done_->query()) {
      is_behind_ = false;
      return {};
    }
    return Error{ErrorCode::kInference, Reason::kLaneBusy, 0, {}};
  }

  /// Work goes to this lane's stream while the result lives.
  c10::OptionalStreamGuard guard() const {
    return stream_ ? c10::OptionalStreamGuard(*stream_) : c10::OptionalStreamGuard();
  }

  /// Waits for the device, until the deadline at most.
  Status wait(std::optional<std::int64_t> deadline_ns) {
    if (!stream_) return {};
    done_->record(*stream_);
    while (!done_->query()) {
      if (deadline_ns && std::chrono::steady_clock::now().time_since_epoch().count() > *deadline_ns) {
        is_behind_ = true;
        return Error{ErrorCode::kInference, Reason::kDeadlineMissed, 0, {}};
      }
      std::this_thread::yield();
    }
    return {};
  }

 private:
  c10::Device device_{c10::DeviceType::CPU};
  std::optional<c10::Stream> stream_;
  std::optional<c10::Event> done_;
  bool is_behind_ = false;
};

}  // namespace skua::pytorch
