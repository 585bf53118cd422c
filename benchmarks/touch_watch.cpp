#include "touch_watch.h"

#include <execinfo.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <string_view>

namespace skua::bench {
namespace {

struct Range {
  std::uintptr_t begin = 0, end = 0;
  bool contains(std::uintptr_t address) const noexcept { return address >= begin && address < end; }
};

enum class Toucher { kNobody, kSdk, kOther };

struct Watched {
  Range pages;
  Toucher first = Toucher::kNobody;
};

// A signal handler has no argument of its own.
std::vector<Watched> g_watched;
std::vector<Range> g_sdk;
struct sigaction g_previous {};

bool is_sdk(std::uintptr_t address) noexcept {
  return std::any_of(g_sdk.begin(), g_sdk.end(), [&](const Range& range) { return range.contains(address); });
}

/// Whether any caller on the stack is the SDK's code: a copy made inside an SDK call is the SDK's own.
Toucher whose_stack() noexcept {
  std::array<void*, 64> frames{};
  const int count = ::backtrace(frames.data(), static_cast<int>(frames.size()));
  for (int i = 0; i < count; ++i) {
    if (is_sdk(reinterpret_cast<std::uintptr_t>(frames[static_cast<std::size_t>(i)]))) return Toucher::kSdk;
  }
  return Toucher::kOther;
}

void protect(const Range& pages, int protection) noexcept {
  ::mprotect(reinterpret_cast<void*>(pages.begin), pages.end - pages.begin, protection);
}

void on_fault(int, siginfo_t* info, void*) {
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  for (Watched& watched : g_watched) {
    if (!watched.pages.contains(address)) continue;
    protect(watched.pages, PROT_READ | PROT_WRITE);
    watched.first = whose_stack();
    return;
  }
  ::sigaction(SIGSEGV, &g_previous,
              nullptr);  // a real fault: happens again, and ends the program as it should
}

int add_sdk_range(dl_phdr_info* info, std::size_t, void* folder) {
  std::error_code ignored;
  const auto file = std::filesystem::canonical(info->dlpi_name, ignored);
  if (ignored || file.parent_path() != *static_cast<const std::filesystem::path*>(folder)) return 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& header = info->dlpi_phdr[i];
    if (header.p_type != PT_LOAD || (header.p_flags & PF_X) == 0) continue;
    const auto begin = static_cast<std::uintptr_t>(info->dlpi_addr + header.p_vaddr);
    g_sdk.push_back({begin, begin + header.p_memsz});
  }
  return 0;
}

std::size_t count_of(Toucher toucher) noexcept {
  return static_cast<std::size_t>(std::count_if(
      g_watched.begin(), g_watched.end(), [&](const Watched& watched) { return watched.first == toucher; }));
}

}  // namespace

TouchWatch::TouchWatch(const std::filesystem::path& sdk_folder) {
  std::error_code ignored;
  std::filesystem::path folder = std::filesystem::canonical(sdk_folder, ignored);
  g_sdk.clear();
  ::dl_iterate_phdr(&add_sdk_range, &folder);
  std::array<void*, 2> frames{};
  ::backtrace(frames.data(), 2);  // loads what it needs now, not inside the handler
  struct sigaction action {};
  action.sa_sigaction = &on_fault;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGSEGV, &action, &g_previous);
}

TouchWatch::~TouchWatch() {
  disarm();
  ::sigaction(SIGSEGV, &g_previous, nullptr);
  g_watched.clear();
}

void TouchWatch::watch(const TensorView& view) {
  if (view.data == nullptr || view.size_bytes() == 0) return;
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(view.data) / page * page;
  const auto end = (reinterpret_cast<std::uintptr_t>(view.data) + view.size_bytes() + page - 1) / page * page;
  g_watched.push_back({{begin, end}, Toucher::kNobody});
}

void TouchWatch::arm() {
  for (Watched& watched : g_watched) {
    watched.first = Toucher::kNobody;
    protect(watched.pages, PROT_NONE);
  }
}

void TouchWatch::disarm() {
  for (const Watched& watched : g_watched) protect(watched.pages, PROT_READ | PROT_WRITE);
}

std::size_t TouchWatch::watched() const noexcept { return g_watched.size(); }
std::size_t TouchWatch::touched_by_sdk() const noexcept { return count_of(Toucher::kSdk); }
std::size_t TouchWatch::touched_by_others() const noexcept { return count_of(Toucher::kOther); }

}  // namespace skua::bench
