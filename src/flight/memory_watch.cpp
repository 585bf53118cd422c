#include "flight/memory_watch.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace skua::flight {

MemoryWatch::MemoryWatch() noexcept : fd_(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC)) {}

MemoryWatch::~MemoryWatch() {
  if (fd_ >= 0) ::close(fd_);
}

/// Of statm (proc(5)), in pages: the second number, what is resident, less the third, what of it belongs to
/// files.
std::int64_t MemoryWatch::own_bytes() const noexcept {
  std::array<char, 128> text{};
  if (fd_ < 0 || ::pread(fd_, text.data(), text.size() - 1, 0) <= 0) return 0;
  char* end = nullptr;
  std::strtoll(text.data(), &end, 10);
  const std::int64_t resident = std::strtoll(end, &end, 10), of_files = std::strtoll(end, nullptr, 10);
  return (resident - of_files) * ::sysconf(_SC_PAGESIZE);
}

void MemoryWatch::sample(std::uint64_t frame) noexcept {
  if (++calls_ <= kWarmUpFrames) return;
  last_ = own_bytes();
  if (count_++ == 0) {
    first_ = last_;
  } else if (last_ > peak_) {
    ++rises_;
  }
  peak_ = std::max(peak_, last_);
  // Welford's update: a difference of large sums would lose the slope of a long flight.
  const double x = static_cast<double>(frame), y = static_cast<double>(last_),
               n = static_cast<double>(count_);
  const double dx = x - mean_x_;
  mean_x_ += dx / n;
  mean_y_ += (y - mean_y_) / n;
  xx_ += dx * (x - mean_x_);
  xy_ += dx * (y - mean_y_);
}

double MemoryWatch::slope() const noexcept { return count_ < 2 || xx_ <= 0 ? 0.0 : xy_ / xx_; }

}  // namespace skua::flight
