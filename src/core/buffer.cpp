#include "core/buffer.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <string>

namespace skua {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20U;
constexpr std::size_t kSmallPage = 4096;

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
  const bool is_large = bytes >= kHugePage;
  const std::size_t capacity = round_up(bytes, is_large ? kHugePage : kSmallPage);
  std::byte* base = is_large ? map_huge_aligned(capacity) : map_pages(capacity);
  if (base == nullptr) return out_of_memory(bytes, errno);
  buffer.base_ = base;
  buffer.size_ = bytes;
  buffer.capacity_ = capacity;
  return buffer;
}

Result<Buffer> BufferPool::take(std::size_t bytes) {
  auto best = kept_.end();
  for (auto it = kept_.begin(); it != kept_.end(); ++it) {
    if (it->capacity() >= bytes && (best == kept_.end() || it->capacity() < best->capacity())) best = it;
  }
  if (best == kept_.end()) return Buffer::allocate(bytes);
  Buffer buffer = std::move(*best);
  kept_.erase(best);
  buffer.set_size(bytes);
  return buffer;
}

void BufferPool::give_back(Buffer buffer) {
  if (buffer.capacity() == 0 || keep_ == 0) return;
  if (kept_.size() < keep_) {
    kept_.push_back(std::move(buffer));
    return;
  }
  // Full: the larger ones serve more requests.
  const auto smallest = std::min_element(kept_.begin(), kept_.end(), [](const Buffer& a, const Buffer& b) {
    return a.capacity() < b.capacity();
  });
  if (smallest->capacity() < buffer.capacity()) *smallest = std::move(buffer);
}

}  // namespace skua
