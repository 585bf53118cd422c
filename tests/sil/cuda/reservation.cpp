#include "sil/cuda/reservation.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <mutex>
#include <new>
#include <utility>

namespace sil {
namespace {

struct Range {
  std::uintptr_t address = 0;
  std::size_t bytes = 0;
};

/// The ranges given back last, still reserved.
struct Quarantine {
  std::mutex mutex;
  std::array<Range, 1024> ranges;
  std::size_t next = 0;
};

Quarantine& quarantine() {
  static auto* const instance = new Quarantine;
  return *instance;
}

}  // namespace

std::size_t page_bytes() {
  static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

Reservation::Reservation(std::size_t bytes) : bytes_((bytes / page_bytes() + 2) * page_bytes()) {
  void* const reserved =
      ::mmap(nullptr, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) throw std::bad_alloc();
  address_ = reinterpret_cast<std::uintptr_t>(reserved);
}

Reservation::Reservation(Reservation&& other) noexcept
    : address_(std::exchange(other.address_, 0)), bytes_(std::exchange(other.bytes_, 0)) {}

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  std::swap(address_, other.address_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Reservation::~Reservation() {
  if (address_ == 0) return;
  Quarantine& kept = quarantine();
  const std::lock_guard lock(kept.mutex);
  Range& oldest = kept.ranges[kept.next];
  if (oldest.address != 0) ::munmap(reinterpret_cast<void*>(oldest.address), oldest.bytes);
  oldest = {address_, bytes_};
  kept.next = (kept.next + 1) % kept.ranges.size();
}

}  // namespace sil
