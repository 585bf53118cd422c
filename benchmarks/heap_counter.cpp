#include "heap_counter.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>

// glibc's own functions behind the names that are replaced here. (dlsym would allocate.)
extern "C" {
void* __libc_malloc(std::size_t size) noexcept;                     // NOLINT(bugprone-reserved-identifier)
void* __libc_calloc(std::size_t count, std::size_t size) noexcept;  // NOLINT(bugprone-reserved-identifier)
void* __libc_realloc(void* memory, std::size_t size) noexcept;      // NOLINT(bugprone-reserved-identifier)
void* __libc_memalign(std::size_t alignment,
                      std::size_t size) noexcept;  // NOLINT(bugprone-reserved-identifier)
}

namespace {

thread_local bool g_is_counting = false;
thread_local skua::bench::HeapCounts g_counts;
std::atomic<bool> g_has_own_pages{false};

void count(std::size_t size) noexcept {
  if (!g_is_counting) return;
  ++g_counts.allocations;
  g_counts.bytes += size;
}

void* aligned(std::size_t alignment, std::size_t size) noexcept {
  count(size);
  return __libc_memalign(alignment, size);
}

}  // namespace

extern "C" {
void* malloc(std::size_t size) {
  count(size);
  return __libc_malloc(size);
}
void* calloc(std::size_t n, std::size_t size) {
  count(n * size);
  return __libc_calloc(n, size);
}
void* realloc(void* memory, std::size_t size) {
  count(size);
  return __libc_realloc(memory, size);
}
void* memalign(std::size_t alignment, std::size_t size) { return aligned(alignment, size); }
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  if (!g_has_own_pages.load(std::memory_order_relaxed)) return aligned(alignment, size);
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return aligned(std::max(alignment, page), (size + page - 1) / page * page);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  void* found = aligned(alignment, size);
  if (found == nullptr) return ENOMEM;
  *memory = found;
  return 0;
}
}

namespace skua::bench {

HeapCounts count_heap(const std::function<void()>& function) {
  g_counts = {};
  g_is_counting = true;
  function();
  g_is_counting = false;
  return g_counts;
}

void give_tensors_their_own_pages(bool is_wanted) noexcept { g_has_own_pages = is_wanted; }

}  // namespace skua::bench
