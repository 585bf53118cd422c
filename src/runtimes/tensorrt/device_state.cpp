#include "runtimes/tensorrt/device_state.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <new>

#include "runtimes/tensorrt/record_options.h"

namespace skua::tensorrt {
namespace {

// One lost engine allocates no more than a few times a run; more lines would say nothing new.
constexpr std::uint64_t kMostAllocationsTold = 16;

}  // namespace

std::string_view to_string(MemoryKind kind) noexcept {
  if (kind == MemoryKind::kContext) return "context";
  return kind == MemoryKind::kDevice ? "device" : "pinned";
}

LossRecord& process_loss() noexcept {
  static LossRecord loss{kNotLost};
  return loss;
}

std::shared_mutex& recording_gate() noexcept {
  // Never destroyed: engines may go after everything static. In memory that cannot be refused.
  alignas(std::shared_mutex) static std::array<std::byte, sizeof(std::shared_mutex)> place;
  static auto* const gate = new (place.data()) std::shared_mutex;
  return *gate;
}

Fault DeviceState::meet_loss() noexcept {
  const Fault fault = lost();
  lose(fault);
  return fault;
}

void DeviceState::lose(const Fault& fault) noexcept {
  std::int32_t expected = kNotLost;
  lost_code_.compare_exchange_strong(expected, fault.native_code, std::memory_order_acq_rel);
  if (is_loss_told_.exchange(true)) return;
  try {
    tell({Level::kError,
          "c7.device_lost",
          "the GPU answers no more (native code " + std::to_string(fault.native_code) +
              "); every call fails from here on: start the program again",
          {{"runtime", std::string(kRuntimeLabel)},
           {"native_code", static_cast<std::int64_t>(fault.native_code)}}});
  } catch (...) {  // without memory the state says it alone
  }
}

const Fault& DeviceState::heed(const Fault& fault) noexcept {
  if (fault.kind == FaultClass::kDevice) lose(fault);
  return fault;
}

Fault DeviceState::ask(cudaStream_t stream) const noexcept {
  return is_lost() ? lost() : probe(cudaSuccess, stream);
}

Fault DeviceState::take(cudaError_t answer) noexcept {
  const Fault fault = heed(classify(answer));
  if (fault.kind != FaultClass::kNone && !is_lost()) static_cast<void>(cudaGetLastError());
  return fault;
}

void DeviceState::count_allocation(MemoryKind kind, std::uint64_t bytes) noexcept {
  held_bytes_.fetch_add(bytes);
  allocations_.fetch_add(1);
  if (!is_sealed() || allocations_after_seal_.fetch_add(1) >= kMostAllocationsTold) return;
  try {
    tell({Level::kError,
          "c7.memory_after_seal",
          std::to_string(bytes) + " bytes of " + std::string(to_string(kind)) +
              " memory were taken after the take-off load" +
              (kind == MemoryKind::kContext ? " to renew an execution context after a fault"
                                            : "; everything should be in place by then: "
                                              "report it with the engine's build record"),
          {{"memory", std::string(to_string(kind))}, {"size_bytes", static_cast<std::int64_t>(bytes)}}});
  } catch (...) {
  }
}

void DeviceState::tell(const Event& event) noexcept {
  if (EventSink* const events = events_.load(std::memory_order_acquire); events != nullptr)
    events->emit(event);
}

void DeviceState::tell(GraphNote& note) noexcept {
  const char* const untold = note.untold.exchange(nullptr);
  if (untold == nullptr) return;
  try {
    const std::string reason(untold);
    tell({Level::kInfo,
          "c7.graph_unavailable",
          note.model + " runs without a CUDA graph: " + reason,
          {{"backbone", note.model}, {"cause", reason}}});
  } catch (...) {  // without memory nothing is told
  }
}

std::shared_ptr<GraphNote> DeviceState::note_of(const std::string& model) {
  auto note = std::make_shared<GraphNote>();
  note->model = model;
  const std::lock_guard lock(notes_mutex_);
  const auto is_over = [](const std::weak_ptr<GraphNote>& each) { return each.expired(); };
  notes_.erase(std::remove_if(notes_.begin(), notes_.end(), is_over), notes_.end());
  notes_.push_back(note);
  return note;
}

void DeviceState::detach() noexcept {
  const std::lock_guard lock(notes_mutex_);
  for (const std::weak_ptr<GraphNote>& each : notes_) {
    if (const std::shared_ptr<GraphNote> note = each.lock()) tell(*note);
  }
  events_.store(nullptr, std::memory_order_release);
}

void abandon(std::shared_ptr<void> object) noexcept {
  // Never destroyed, and reachable: what is kept on purpose is not a leak.
  struct Kept {
    std::mutex mutex;
    std::vector<std::shared_ptr<void>> objects;
  };
  alignas(Kept) static std::array<std::byte, sizeof(Kept)> place;
  static auto* const kept = new (place.data()) Kept;
  const std::lock_guard lock(kept->mutex);
  try {
    kept->objects.push_back(object);
  } catch (...) {  // nowhere to keep it: its count is never given back
    alignas(std::shared_ptr<void>) std::array<std::byte, sizeof(std::shared_ptr<void>)> forgotten;
    new (forgotten.data()) std::shared_ptr<void>(std::move(object));
  }
}

}  // namespace skua::tensorrt
