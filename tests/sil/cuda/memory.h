// Device memory and pinned host memory. A device address is one of a reserved range that nobody may touch;
// what it stands for lies elsewhere on the heap, where a sanitizer watches its ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "sil/control/sil_control.h"
#include "sil/cuda/reservation.h"

namespace sil {

enum class MemoryKind { device, pinned, registered };

class Allocation {
 public:
  /// `host` is the caller's for registered memory, else nullptr. Throws std::bad_alloc.
  Allocation(MemoryKind kind, std::size_t bytes, void* host, bool has_device_address);
  ~Allocation();
  Allocation(const Allocation&) = delete;
  Allocation& operator=(const Allocation&) = delete;

  MemoryKind kind() const { return kind_; }
  std::size_t bytes() const { return bytes_; }
  std::uintptr_t host() const { return host_; }
  std::uintptr_t device() const { return device_; }  ///< 0: not mapped for the device

 private:
  MemoryKind kind_;
  std::size_t bytes_;
  std::uintptr_t host_ = 0;
  std::uintptr_t device_ = 0;
  Reservation reserved_;
};

/// A part of an allocation, which it keeps alive.
struct Range {
  std::shared_ptr<Allocation> allocation;
  void* host = nullptr;  ///< nullptr: no live allocation covers the range asked for

  explicit operator bool() const { return host != nullptr; }
};

class Memory {
 public:
  /// nullptr where the device's limit does not allow it. Throws std::bad_alloc.
  std::shared_ptr<Allocation> allocate_device(std::size_t bytes);
  std::shared_ptr<Allocation> allocate_pinned(std::size_t bytes, bool is_mapped);
  /// nullptr where part of the range is registered or pinned already.
  std::shared_ptr<Allocation> register_host(void* host, std::size_t bytes, bool is_mapped);

  /// Forgets the allocation that begins at this device or host address; false where none of that kind does.
  bool release_device(const void* device_address);
  bool release_host(const void* host_address, MemoryKind kind);

  Range at_device(const void* address, std::size_t bytes);
  Range at_pinned(const void* address, std::size_t bytes);
  bool is_device_address(const void* address);  ///< lies in a live allocation, whatever its length

  std::size_t free_bytes();
  void count(LiveObjects& live);
  void drop_everything();

 private:
  using ByAddress = std::map<std::uintptr_t, std::shared_ptr<Allocation>>;

  void add(const std::shared_ptr<Allocation>& allocation);
  void remove(const std::shared_ptr<Allocation>& allocation);

  std::mutex mutex_;
  ByAddress by_device_;
  ByAddress by_host_;  ///< pinned and registered memory
  std::size_t device_bytes_ = 0;
};

/// One per process, never destroyed.
Memory& memory();

}  // namespace sil
