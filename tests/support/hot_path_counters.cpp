#include "hot_path_counters.h"

#include <dlfcn.h>
#include <pthread.h>

#include <cstdlib>
#include <new>

namespace {

thread_local bool g_is_counting = false;
thread_local bool g_is_failing = false;
thread_local skua::test::HotPathCounts g_counts;

void* counted(std::size_t size) {
  if (g_is_counting) ++g_counts.allocations;
  if (g_is_failing) return nullptr;
  return std::malloc(size != 0 ? size : 1);
}

}  // namespace

// Every C++ allocation of ours goes through these. C allocations of an SDK are its own and are counted
// elsewhere.
void* operator new(std::size_t size) {
  void* memory = counted(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  if (g_is_counting) ++g_counts.allocations;
  const auto align = static_cast<std::size_t>(alignment);
  void* memory = std::aligned_alloc(align, (size + align - 1) / align * align);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new[](std::size_t size, std::align_val_t alignment) { return operator new(size, alignment); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  using Function = int (*)(pthread_mutex_t*);
  static const auto next = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "pthread_mutex_lock"));
  if (g_is_counting) ++g_counts.locks;
  return next(mutex);
}

namespace skua::test {

HotPathCounts count_hot_path(const std::function<void()>& function) {
  g_counts = {};
  g_is_counting = true;
  function();
  g_is_counting = false;
  return g_counts;
}

void run_without_memory(const std::function<void()>& function) {
  g_is_failing = true;
  function();
  g_is_failing = false;
}

}  // namespace skua::test
