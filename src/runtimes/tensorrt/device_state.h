// What all engines and lanes of one runtime share about the device: whether it is lost, whether memory may
// still be taken, and whom to tell. Thread-safe; constant after construction but for atomics.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtimes/tensorrt/trt_errors.h"
#include "skua/ports.h"

namespace skua::tensorrt {

enum class MemoryKind : std::uint8_t {
  kDevice,
  kPinned,
  kContext,  ///< the device's, what TensorRT itself keeps for an execution context
};
std::string_view to_string(MemoryKind kind) noexcept;

/// The code of a lost device, or kNotLost.
using LossRecord = std::atomic<std::int32_t>;
inline constexpr std::int32_t kNotLost = -1;
/// What ends the use of a device ends it for the process: all its runtimes share this one.
LossRecord& process_loss() noexcept;

/// Held alone while a graph is recorded, shared by whatever loads, places, renews or ends: there TensorRT may
/// wait for the whole device, which CUDA forbids during any recording in the process. What a run takes and
/// gives back needs no gate: a recording is thread-local, so CUDA refuses cudaMalloc and cudaFree to none but
/// the thread that records. No run after the seal takes it, unless it renews its context.
std::shared_mutex& recording_gate() noexcept;

/// Why a lane has no graph, until it is told: in flight, where nobody makes texts, that is when the lane ends
/// or its runtime.
struct GraphNote {
  std::string model;
  std::atomic<const char*> untold{nullptr};  ///< static storage
};

class DeviceState {
 public:
  /// `events` must outlive this object, which the runtime sees to: it detaches before it goes. So must
  /// `loss`, where it is shared.
  explicit DeviceState(EventSink& events, LossRecord* loss = nullptr) noexcept
      : events_(&events), lost_code_(loss == nullptr ? own_loss_ : *loss) {}
  DeviceState(const DeviceState&) = delete;
  DeviceState& operator=(const DeviceState&) = delete;

  bool is_lost() const noexcept { return lost_code_.load(std::memory_order_acquire) != kNotLost; }
  /// The fault that ended it. Requires is_lost().
  Fault lost() const noexcept { return {FaultClass::kDevice, lost_code_.load(std::memory_order_acquire)}; }
  /// The same, and this runtime tells it, though another of the process may have found it.
  Fault meet_loss() noexcept;
  /// From here on nothing of ours touches the device again. The first one of a runtime tells c7.device_lost.
  void lose(const Fault& fault) noexcept;
  /// Loses the device when the fault says so; hands the fault on.
  const Fault& heed(const Fault& fault) noexcept;
  /// What CUDA says of a failure that TensorRT reported (probe): the loss, where there is one.
  Fault ask(cudaStream_t stream) const noexcept;
  /// As heed, for an answer that no caller is given. It is taken out of CUDA, unless the device is lost: a
  /// later call's failure is judged by what CUDA remembers.
  Fault take(cudaError_t answer) noexcept;

  /// From here on every allocation is a defect: it is told (c7.memory_after_seal) and counted. It is granted
  /// all the same: in the air a frame late is better than none.
  void seal() noexcept { is_sealed_.store(true, std::memory_order_release); }
  bool is_sealed() const noexcept { return is_sealed_.load(std::memory_order_acquire); }

  void count_allocation(MemoryKind kind, std::uint64_t bytes) noexcept;
  void count_release(std::uint64_t bytes) noexcept { held_bytes_.fetch_sub(bytes); }
  std::uint64_t held_bytes() const noexcept { return held_bytes_.load(); }
  std::uint64_t allocations() const noexcept { return allocations_.load(); }
  std::uint64_t allocations_after_seal() const noexcept { return allocations_after_seal_.load(); }

  /// Tells one thing. Not for the frame loop.
  void tell(const Event& event) noexcept;
  /// Tells (c7.graph_unavailable) what is untold.
  void tell(GraphNote& note) noexcept;
  /// For one lane. Allocates.
  std::shared_ptr<GraphNote> note_of(const std::string& model);
  /// Nobody is told any more, once all notes are: engines may outlive the runtime and its event sink.
  void detach() noexcept;

 private:
  std::atomic<EventSink*> events_;
  std::mutex notes_mutex_;
  std::vector<std::weak_ptr<GraphNote>> notes_;
  LossRecord own_loss_{kNotLost};
  LossRecord& lost_code_;
  std::atomic<bool> is_loss_told_{false};
  std::atomic<bool> is_sealed_{false};
  std::atomic<std::uint64_t> held_bytes_{0}, allocations_{0}, allocations_after_seal_{0};
};

/// Keeps `object` for the rest of the process without ever destroying it: what belongs to a lost or hung
/// device must not be given back to it, and a device that still works may still write there.
void abandon(std::shared_ptr<void> object) noexcept;

}  // namespace skua::tensorrt
