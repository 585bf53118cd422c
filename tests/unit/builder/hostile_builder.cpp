// A build executable that behaves as a network that has taken it over might want it to: it leaves processes
// behind, starts too many, or takes too much memory. At most 64 processes, each of which ends by itself.
// Usage: hostile_builder ACT COUNT REQUEST RESPONSE PARENT_PID; writes its children's ids to "children"
// beside the request.
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

namespace {

constexpr unsigned kLifeS = 60;  // a test takes a second or two
constexpr int kMostChildren = 60;

/// In a group of its own, deaf to all that can be ignored, with the pipe of progress in its hand.
[[noreturn]] void linger(bool writes) {
  ::setpgid(0, 0);
  ::signal(SIGTERM, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
  ::signal(SIGPIPE, SIG_IGN);
  ::alarm(kLifeS);
  for (;;) {
    if (writes) {
      static_cast<void>(!::write(STDOUT_FILENO, "still here\n", 11));
    } else {
      ::pause();
    }
  }
}

void start_children(int count, bool writes, const std::filesystem::path& list) {
  std::ofstream ids(list);
  for (int i = 0; i < std::min(count, kMostChildren); ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) linger(writes);
    if (pid < 0) continue;
    ::setpgid(pid, pid);  // here too: it is to be out of this group before this process ends
    ids << pid << '\n';
  }
}

/// Shared memory, which no limit of a process counts.
void take_memory(std::size_t mib) {
  const std::size_t size = mib << 20U;
  void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::exit(9);
  std::memset(memory, 1, size);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  ::alarm(kLifeS);
  const std::string act = argv[1];
  const int count = std::atoi(argv[2]);
  const std::filesystem::path list = std::filesystem::path(argv[3]).parent_path() / "children";
  if (act == "leave") start_children(count, true, list);
  if (act == "crowd") {
    start_children(count, false, list);
    ::pause();
  }
  if (act == "memory") {
    take_memory(static_cast<std::size_t>(count));
    std::printf("taken\n");
    std::fflush(stdout);
    ::sleep(2);  // longer than the caller needs to look
  }
  return 0;
}
