// Private memory for engine bytes: page-aligned, huge pages where the kernel gives them, reused between
// engines because the page faults of fresh memory cost as much as the hash.
#pragma once

#include <cstddef>
#include <limits>
#include <memory>
#include <span>
#include <utility>

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
  /// Makes the capacity what allocate(bytes) would give, and the size `bytes`. Pages that are there already
  /// stay (their content means nothing any more), those beyond go back to the kernel. On an error the buffer
  /// is empty.
  Status resize(std::size_t bytes);

 private:
  bool grow_in_place_of(std::size_t capacity) noexcept;
  std::byte* base_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

/// Keeps at most `keep` buffers for reuse. A copy is another handle to the same pool. Thread-safe.
class BufferPool {
 public:
  static constexpr std::size_t kNoEnd = std::numeric_limits<std::size_t>::max();

  /// `takes`: how often take() will be called. What can serve none of them any more is not kept.
  explicit BufferPool(std::size_t keep, std::size_t takes = kNoEnd);
  /// A kept buffer brought to that size (the smallest that is large enough, else the largest), else a new
  /// one.
  Result<Buffer> take(std::size_t bytes);
  void give_back(Buffer buffer) noexcept;
  /// How many buffers are kept now.
  std::size_t kept() const noexcept;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace skua
