// The reserve for the destructor of JSON (json_fwd.h).
#include <array>
#include <cstddef>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>

#include "core/json_fwd.h"

namespace {

/// Holds a stack of kMaxJsonValues values that grew by doubling. Pages that nobody touches cost nothing.
/// Static, because a destructor has nowhere else to ask.
class Reserve {
 public:
  void* take(std::size_t bytes) noexcept {
    const std::lock_guard lock(mutex_);
    constexpr std::size_t kUnit = alignof(std::max_align_t);
    const std::size_t rounded = (bytes + kUnit - 1) / kUnit * kUnit;
    if (rounded > memory_.size() - used_) return nullptr;
    void* const memory = memory_.data() + used_;
    used_ += rounded;
    ++live_;
    return memory;
  }
  /// False for memory that did not come from here.
  bool give_back(const void* memory) noexcept {
    const auto* const byte = static_cast<const std::byte*>(memory);
    const std::less<> is_before;
    if (is_before(byte, memory_.data()) || !is_before(byte, memory_.data() + memory_.size())) return false;
    const std::lock_guard lock(mutex_);
    if (--live_ == 0) used_ = 0;
    return true;
  }

 private:
  alignas(std::max_align_t) std::array<std::byte, 4 * skua::kMaxJsonValues * sizeof(skua::Json)> memory_{};
  std::mutex mutex_;
  std::size_t used_ = 0, live_ = 0;
};

Reserve g_reserve;

}  // namespace

skua::Json* std::allocator<skua::Json>::allocate(std::size_t count) {
  const std::size_t bytes = count * sizeof(skua::Json);
  void* memory = ::operator new(bytes, std::nothrow);
  if (memory == nullptr) memory = g_reserve.take(bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return static_cast<skua::Json*>(memory);
}

void std::allocator<skua::Json>::deallocate(skua::Json* memory, std::size_t /*count*/) noexcept {
  if (!g_reserve.give_back(memory)) ::operator delete(memory);
}
