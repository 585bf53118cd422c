#include "core/buffer.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <mutex>
#include <string>
#include <vector>

namespace skua {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20U;
constexpr std::size_t kLargestPool = 64;

// 4 KiB on x86-64 and on a Jetson, up to 64 KiB on other kernels for aarch64; what is not given back in whole
// ones stays taken.
std::size_t small_page() noexcept { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

std::size_t round_up(std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; }

Error out_of_memory(std::size_t bytes, int error_number) {
  return make_error(
      ErrorCode::kOutOfMemory, Reason::kOutOfMemory,
      "a buffer of " + std::to_string(bytes) +
          " bytes could not be had from the operating system; free memory or load fewer engines",
      error_number);
}

std::byte* map_pages(std::size_t bytes) noexcept {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<std::byte*>(memory);
}

// Huge pages need 2 MiB alignment: one huge page too much is mapped and the edges are given back.
std::byte* map_huge_aligned(std::size_t bytes) noexcept {
  std::byte* raw = map_pages(bytes + kHugePage);
  if (raw == nullptr) return nullptr;
  const std::size_t lead = (kHugePage - reinterpret_cast<std::uintptr_t>(raw) % kHugePage) % kHugePage;
  if (lead > 0) munmap(raw, lead);
  if (lead < kHugePage) munmap(raw + lead + bytes, kHugePage - lead);
  madvise(raw + lead, bytes, MADV_HUGEPAGE);  // a wish: a kernel without huge pages serves small ones
  return raw + lead;
}

std::size_t capacity_for(std::size_t bytes) {
  return bytes == 0 ? 0 : round_up(bytes, bytes >= kHugePage ? kHugePage : small_page());
}

}  // namespace

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    if (base_ != nullptr) munmap(base_, capacity_);
    base_ = std::exchange(other.base_, nullptr);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
  }
  return *this;
}

Buffer::~Buffer() {
  if (base_ != nullptr) munmap(base_, capacity_);
}

Result<Buffer> Buffer::allocate(std::size_t bytes) {
  if (bytes > std::numeric_limits<std::size_t>::max() / 2) return out_of_memory(bytes, ENOMEM);
  Buffer buffer;
  if (bytes == 0) return buffer;
  const std::size_t capacity = capacity_for(bytes);
  std::byte* base = capacity >= kHugePage ? map_huge_aligned(capacity) : map_pages(capacity);
  if (base == nullptr) return out_of_memory(bytes, errno);
  buffer.base_ = base;
  buffer.size_ = bytes;
  buffer.capacity_ = capacity;
  return buffer;
}

// Moves the pages to the front of a larger mapping. Both lie on huge-page boundaries, so that whole huge
// pages move by their table entries; nothing is copied and nothing faulted in again.
bool Buffer::grow_in_place_of(std::size_t capacity) noexcept {
  if (capacity_ < kHugePage) return false;  // not aligned, and little to save
  std::byte* base = map_huge_aligned(capacity);
  if (base == nullptr) return false;
  if (mremap(base_, capacity_, capacity_, MREMAP_MAYMOVE | MREMAP_FIXED, base) == MAP_FAILED) {
    // The kernel may have given up the front already, and another thread may have it by now.
    munmap(base + capacity_, capacity - capacity_);
    return false;
  }
  base_ = base;
  capacity_ = capacity;
  return true;
}

Status Buffer::resize(std::size_t bytes) {
  if (bytes > std::numeric_limits<std::size_t>::max() / 2) {
    *this = Buffer();
    return out_of_memory(bytes, ENOMEM);
  }
  const std::size_t capacity = capacity_for(bytes);
  if (capacity > 0 && capacity < capacity_) {
    munmap(base_ + capacity, capacity_ - capacity);
    capacity_ = capacity;
  }
  if (capacity == capacity_ || (capacity > capacity_ && grow_in_place_of(capacity))) {
    size_ = bytes;
    return {};
  }
  *this = Buffer();  // first: the old and the new one never exist side by side
  SKUA_ASSIGN_OR_RETURN(*this, allocate(bytes));
  return {};
}

struct BufferPool::State {
  mutable std::mutex mutex;
  std::size_t keep;
  std::size_t takes_left;
  std::vector<Buffer> kept;

  State(std::size_t keep_most, std::size_t takes)
      : keep(std::min(keep_most, kLargestPool)), takes_left(takes) {
    kept.reserve(keep + 1);  // so that giving back never allocates
  }

  /// The smallest ones go first: the larger ones serve more requests.
  void trim() noexcept {
    const std::size_t most = std::min(keep, takes_left);
    while (kept.size() > most) {
      kept.erase(std::min_element(kept.begin(), kept.end(), [](const Buffer& a, const Buffer& b) {
        return a.capacity() < b.capacity();
      }));
    }
  }

  Buffer best_for(std::size_t bytes) noexcept {
    if (kept.empty()) return {};
    const auto is_better = [bytes](const Buffer& a, const Buffer& b) {
      const bool a_fits = a.capacity() >= bytes, b_fits = b.capacity() >= bytes;
      if (a_fits != b_fits) return a_fits;
      return a_fits ? a.capacity() < b.capacity() : a.capacity() > b.capacity();
    };
    const auto best = std::min_element(kept.begin(), kept.end(), is_better);
    Buffer buffer = std::move(*best);
    kept.erase(best);
    return buffer;
  }
};

BufferPool::BufferPool(std::size_t keep, std::size_t takes) : state_(std::make_shared<State>(keep, takes)) {}

Result<Buffer> BufferPool::take(std::size_t bytes) {
  Buffer buffer;
  {
    const std::lock_guard lock(state_->mutex);
    buffer = state_->best_for(bytes);
    if (state_->takes_left > 0 && state_->takes_left != kNoEnd) --state_->takes_left;
    state_->trim();
  }
  SKUA_RETURN_IF_ERROR(buffer.resize(bytes));
  return buffer;
}

void BufferPool::give_back(Buffer buffer) noexcept {
  if (state_ == nullptr || buffer.capacity() == 0) return;
  const std::lock_guard lock(state_->mutex);
  if (std::min(state_->keep, state_->takes_left) == 0) return;
  state_->kept.push_back(std::move(buffer));
  state_->trim();
}

std::size_t BufferPool::kept() const noexcept {
  const std::lock_guard lock(state_->mutex);
  return state_->kept.size();
}

}  // namespace skua
