#include "sil/cuda/memory.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "sil/control/settings.h"

namespace sil {
namespace {

constexpr std::size_t kAlignment = 4096;
// Not a number as float, half and double: whoever reads what nobody wrote has a result that shows it.
constexpr int kUnwritten = 0xff;

std::uintptr_t address_of(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

/// The allocation in which `address` lies, or nullptr.
template <typename ByAddress>
std::shared_ptr<Allocation> containing(const ByAddress& allocations, std::uintptr_t address) {
  auto next = allocations.upper_bound(address);
  if (next == allocations.begin()) return nullptr;
  --next;
  return address - next->first < next->second->bytes() ? next->second : nullptr;
}

template <typename ByAddress>
Range covered(const ByAddress& allocations, const void* pointer, std::size_t bytes) {
  const std::uintptr_t address = address_of(pointer);
  auto next = allocations.upper_bound(address);
  if (next == allocations.begin()) return {};
  --next;
  const std::size_t offset = address - next->first;
  const std::size_t size = next->second->bytes();
  if (offset >= size || bytes > size - offset) return {};
  return {next->second, reinterpret_cast<void*>(next->second->host() + offset)};
}

}  // namespace

Memory& memory() {
  static auto* const instance = new Memory;
  return *instance;
}

Allocation::Allocation(MemoryKind kind, std::size_t bytes, void* host, bool has_device_address)
    : kind_(kind), bytes_(bytes), host_(address_of(host)) {
  const std::size_t offset = host_ % page_bytes();
  if (has_device_address) {
    reserved_ = Reservation(offset + bytes);
    device_ = reserved_.address() + offset;
  }
  if (kind == MemoryKind::registered) return;
  void* made = nullptr;
  if (::posix_memalign(&made, kAlignment, bytes) != 0) throw std::bad_alloc();
  std::memset(made, kUnwritten, bytes);
  host_ = address_of(made);
}

Allocation::~Allocation() {
  if (kind_ != MemoryKind::registered) std::free(reinterpret_cast<void*>(host_));
}

std::shared_ptr<Allocation> Memory::allocate_device(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  const std::size_t limit = settings().device_memory_bytes;
  if (bytes > limit || device_bytes_ > limit - bytes) return nullptr;
  auto made = std::make_shared<Allocation>(MemoryKind::device, bytes, nullptr, true);
  add(made);
  return made;
}

std::shared_ptr<Allocation> Memory::allocate_pinned(std::size_t bytes, bool is_mapped) {
  auto made = std::make_shared<Allocation>(MemoryKind::pinned, bytes, nullptr, is_mapped);
  const std::lock_guard lock(mutex_);
  add(made);
  return made;
}

std::shared_ptr<Allocation> Memory::register_host(void* host, std::size_t bytes, bool is_mapped) {
  auto made = std::make_shared<Allocation>(MemoryKind::registered, bytes, host, is_mapped);
  const std::lock_guard lock(mutex_);
  const auto next = by_host_.lower_bound(made->host());
  const bool overlaps_next = next != by_host_.end() && next->first - made->host() < bytes;
  if (overlaps_next || containing(by_host_, made->host()) != nullptr) return nullptr;
  add(made);
  return made;
}

void Memory::add(const std::shared_ptr<Allocation>& allocation) {
  if (allocation->device() != 0) by_device_[allocation->device()] = allocation;
  if (allocation->kind() == MemoryKind::device) {
    device_bytes_ += allocation->bytes();
  } else {
    by_host_[allocation->host()] = allocation;
  }
}

void Memory::remove(const std::shared_ptr<Allocation>& allocation) {
  by_device_.erase(allocation->device());
  if (allocation->kind() == MemoryKind::device) {
    device_bytes_ -= allocation->bytes();
  } else {
    by_host_.erase(allocation->host());
  }
}

bool Memory::release_device(const void* device_address) {
  std::shared_ptr<Allocation> released;  // its memory goes after the lock
  const std::lock_guard lock(mutex_);
  const auto found = by_device_.find(address_of(device_address));
  if (found == by_device_.end() || found->second->kind() != MemoryKind::device) return false;
  released = found->second;
  remove(released);
  return true;
}

bool Memory::release_host(const void* host_address, MemoryKind kind) {
  std::shared_ptr<Allocation> released;
  const std::lock_guard lock(mutex_);
  const auto found = by_host_.find(address_of(host_address));
  if (found == by_host_.end() || found->second->kind() != kind) return false;
  released = found->second;
  remove(released);
  return true;
}

Range Memory::at_device(const void* address, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  return covered(by_device_, address, bytes);
}

Range Memory::at_pinned(const void* address, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  return covered(by_host_, address, bytes);
}

bool Memory::is_device_address(const void* address) {
  const std::lock_guard lock(mutex_);
  return containing(by_device_, address_of(address)) != nullptr;
}

std::size_t Memory::free_bytes() {
  const std::lock_guard lock(mutex_);
  const std::size_t limit = settings().device_memory_bytes;
  return limit > device_bytes_ ? limit - device_bytes_ : 0;
}

void Memory::count(LiveObjects& live) {
  const std::lock_guard lock(mutex_);
  for (const auto& [address, allocation] : by_device_) {
    if (allocation->kind() == MemoryKind::device) ++live.allocations;
  }
  live.device_bytes = device_bytes_;
  live.pinned_allocations = static_cast<int>(by_host_.size());
  for (const auto& [address, allocation] : by_host_) live.pinned_bytes += allocation->bytes();
}

void Memory::drop_everything() {
  ByAddress device_memory;  // both go after the lock
  ByAddress host_memory;
  const std::lock_guard lock(mutex_);
  device_memory.swap(by_device_);
  host_memory.swap(by_host_);
  device_bytes_ = 0;
}

}  // namespace sil
