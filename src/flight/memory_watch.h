// How much memory the process holds, and whether it grows with the frames.
#pragma once

#include <cstdint>

namespace skua::flight {

/// Samples the process's own memory, resident and of no file, and fits a line through the samples. Pages of
/// files (libraries, mostly) come and go with what the kernel needs, megabytes at a time, and are no leak. No
/// allocation; one thread.
class MemoryWatch {
 public:
  MemoryWatch() noexcept;
  MemoryWatch(const MemoryWatch&) = delete;
  MemoryWatch& operator=(const MemoryWatch&) = delete;
  ~MemoryWatch();

  /// Takes a sample for frame `frame`; samples of the first `kWarmUpFrames` calls are left out of the line.
  /// Nothing without /proc.
  void sample(std::uint64_t frame) noexcept;

  std::uint64_t samples() const noexcept { return count_; }  ///< behind the warm-up
  std::int64_t first_bytes() const noexcept { return first_; }
  std::int64_t last_bytes() const noexcept { return last_; }
  std::int64_t peak_bytes() const noexcept { return peak_; }
  /// Samples that were higher than all before them. A leak rises in many; an allocator that takes more room
  /// for what lies scattered does so in a few.
  std::uint64_t rises() const noexcept { return rises_; }
  /// Bytes per frame of the least-squares line; 0 with fewer than two samples.
  double slope() const noexcept;

  static constexpr std::uint64_t kWarmUpFrames = 30;

 private:
  std::int64_t own_bytes() const noexcept;

  int fd_;
  std::uint64_t calls_ = 0, count_ = 0, rises_ = 0;
  std::int64_t first_ = 0, last_ = 0, peak_ = 0;
  double mean_x_ = 0, mean_y_ = 0, xx_ = 0, xy_ = 0;  ///< running means and sums of products about them
};

}  // namespace skua::flight
