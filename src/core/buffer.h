// Private memory for engine bytes: page-aligned, huge pages where the kernel gives them, reused between
// engines because the page faults of fresh memory cost as much as the hash.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "skua/result.h"

namespace skua {

/// Owns anonymous private memory. Movable; not thread-safe.
class Buffer {
 public:
  Buffer() noexcept = default;
  Buffer(Buffer&& other) noexcept
      : base_(std::exchange(other.base_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  /// OutOfMemoryError when the kernel has none.
  static Result<Buffer> allocate(std::size_t bytes);

  std::span<std::byte> bytes() noexcept { return {base_, size_}; }
  std::span<const std::byte> bytes() const noexcept { return {base_, size_}; }
  std::size_t capacity() const noexcept { return capacity_; }
  /// Requires bytes <= capacity().
  void set_size(std::size_t bytes) noexcept { size_ = bytes; }

 private:
  std::byte* base_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

/// Keeps at most `keep` buffers for reuse. Not thread-safe.
class BufferPool {
 public:
  explicit BufferPool(std::size_t keep) : keep_(keep) {}
  /// The smallest kept buffer that is large enough, else a new one; sized to `bytes`.
  Result<Buffer> take(std::size_t bytes);
  void give_back(Buffer buffer);

 private:
  std::size_t keep_;
  std::vector<Buffer> kept_;
};

}  // namespace skua
