// A small pipe whose reader the test is.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <stdexcept>
#include <string>

namespace skua::test {

class Pipe {
 public:
  static constexpr int kCapacity = 4096;  ///< bytes; the smallest that Linux gives, and room for one write

  explicit Pipe(int capacity = kCapacity) {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
    if (::fcntl(write_end(), F_SETPIPE_SZ, capacity) != capacity)
      throw std::runtime_error("F_SETPIPE_SZ failed");
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_reader();
    close_writer();
  }

  int write_end() const { return ends_[1]; }
  void close_reader() { close(ends_[0]); }
  void close_writer() { close(ends_[1]); }

  /// What is in it now; does not wait.
  std::string read_available(std::size_t most = 1U << 20U) const {
    std::string text;
    pollfd readable{ends_[0], POLLIN, 0};
    while (text.size() < most && ::poll(&readable, 1, 0) == 1 && (readable.revents & POLLIN) != 0) {
      std::array<char, kCapacity> part{};
      const ssize_t got = ::read(ends_[0], part.data(), std::min(part.size(), most - text.size()));
      if (got <= 0) break;
      text.append(part.data(), static_cast<std::size_t>(got));
    }
    return text;
  }

 private:
  static void close(int& fd) {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
  std::array<int, 2> ends_{-1, -1};
};

}  // namespace skua::test
