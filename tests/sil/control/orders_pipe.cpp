#include "sil/control/orders_pipe.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "sil/control/orders_text.h"

namespace sil {
namespace {

[[noreturn]] void give_up(const std::string& problem) {
  std::fprintf(stderr, "SKUA_SIL_ORDERS: %s\n", problem.c_str());
  std::abort();
}

/// Open for both sides: so there is never an end of file, however often the parent comes and goes.
int open_fifo(const char* place) {
  const int fd = ::open(place, O_RDWR | O_CLOEXEC | O_NONBLOCK);
  struct stat status {};
  if (fd < 0 || ::fstat(fd, &status) != 0 || !S_ISFIFO(status.st_mode))
    give_up(std::string("expected a FIFO that orders come through, found ") + place);
  static_cast<void>(::fcntl(fd, F_SETFL, O_RDWR));  // from here on a read waits
  return fd;
}

void follow_line(const std::string& line, Faults& orders) {
  std::string problem = follow_orders(line, orders);
  if (const std::string unknown = orders.unknown_function(); problem.empty() && !unknown.empty())
    problem = "there is no function " + unknown + " that could be given an order";
  if (!problem.empty()) give_up(problem);
}

[[noreturn]] void follow_lines(int fd, Faults& orders) {
  std::string line;
  while (true) {
    char next = '\0';
    const ssize_t count = ::read(fd, &next, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count != 1) give_up("the FIFO cannot be read");
    if (next != '\n') {
      line.push_back(next);
      continue;
    }
    follow_line(line, orders);
    line.clear();
  }
}

}  // namespace

void follow_pipe(Faults& orders) {
  const char* const place = std::getenv("SKUA_SIL_ORDERS");
  if (place == nullptr) return;
  std::thread([fd = open_fifo(place), &orders] { follow_lines(fd, orders); }).detach();
}

}  // namespace sil
