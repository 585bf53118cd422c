#include "hot_path_counters.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <unwind.h>

#include <cstdlib>
#include <new>
#include <string_view>

namespace {

thread_local bool g_is_counting = false;
thread_local bool g_is_failing = false;
thread_local skua::test::HotPathCounts g_counts;
thread_local std::uint64_t g_until_failure = 0;  // 0: none is to fail
thread_local bool g_is_lasting = false;          // once one has failed, all later ones do
thread_local std::int64_t g_live = 0;

bool is_sdk(std::string_view module) {
  for (const char* const sdk : {"/libskua_sil_", "/libonnxruntime", "/libtorch", "/libc10"}) {
    if (module.find(sdk) != std::string_view::npos) return true;
  }
  return false;
}

int look_for_loaded_sdk(dl_phdr_info* module, std::size_t, void*) {
  return is_sdk(module->dlpi_name) ? 1 : 0;
}

// By the whole stack: code of std that an SDK calls may be the program's copy of it.
_Unwind_Reason_Code look_for_sdk(_Unwind_Context* context, void* is_found) {
  Dl_info module{};
  if (dladdr(reinterpret_cast<void*>(_Unwind_GetIP(context)), &module) == 0) return _URC_NO_REASON;
  if (is_sdk(module.dli_fname)) *static_cast<bool*>(is_found) = true;
  return _URC_NO_REASON;
}

bool is_to_fail() {
  if (g_until_failure == 0) return false;
  bool is_of_sdk = false;
  // Looking through stacks makes a sweep a hundred times slower.
  if (dl_iterate_phdr(look_for_loaded_sdk, nullptr) != 0) _Unwind_Backtrace(look_for_sdk, &is_of_sdk);
  if (is_of_sdk || --g_until_failure != 0) return false;
  g_is_failing = g_is_lasting;
  return true;
}

void* counted(std::size_t size) {
  if (g_is_counting) ++g_counts.allocations;
  if (g_is_failing || is_to_fail()) return nullptr;
  ++g_live;
  return std::malloc(size != 0 ? size : 1);
}

void given_back(void* memory) {
  if (memory != nullptr) --g_live;
  std::free(memory);
}

template <typename Lock>
using LockFunction = int (*)(Lock*);

template <typename Lock>
LockFunction<Lock> next_of(const char* name) {
  return reinterpret_cast<LockFunction<Lock>>(::dlsym(RTLD_NEXT, name));
}

template <typename Lock>
int counted_lock(LockFunction<Lock> next, Lock* lock) {
  if (g_is_counting) ++g_counts.locks;
  return next(lock);
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
  ++g_live;
  return memory;
}
void* operator new[](std::size_t size, std::align_val_t alignment) { return operator new(size, alignment); }
void operator delete(void* memory) noexcept { given_back(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { given_back(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { given_back(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { given_back(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { given_back(memory); }
void operator delete[](void* memory) noexcept { given_back(memory); }
void operator delete(void* memory, std::size_t) noexcept { given_back(memory); }
void operator delete[](void* memory, std::size_t) noexcept { given_back(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { given_back(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { given_back(memory); }

// Every lock goes through these; std::shared_mutex is a rwlock.
extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  static const auto next = next_of<pthread_mutex_t>("pthread_mutex_lock");
  return counted_lock(next, mutex);
}
extern "C" int pthread_rwlock_rdlock(pthread_rwlock_t* lock) noexcept {
  static const auto next = next_of<pthread_rwlock_t>("pthread_rwlock_rdlock");
  return counted_lock(next, lock);
}
extern "C" int pthread_rwlock_wrlock(pthread_rwlock_t* lock) noexcept {
  static const auto next = next_of<pthread_rwlock_t>("pthread_rwlock_wrlock");
  return counted_lock(next, lock);
}
extern "C" int pthread_rwlock_tryrdlock(pthread_rwlock_t* lock) noexcept {
  static const auto next = next_of<pthread_rwlock_t>("pthread_rwlock_tryrdlock");
  return counted_lock(next, lock);
}
extern "C" int pthread_rwlock_trywrlock(pthread_rwlock_t* lock) noexcept {
  static const auto next = next_of<pthread_rwlock_t>("pthread_rwlock_trywrlock");
  return counted_lock(next, lock);
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

bool run_with_failing_allocation(std::uint64_t nth, const std::function<void()>& function, bool is_lasting) {
  g_until_failure = nth;
  g_is_lasting = is_lasting;
  function();
  const bool has_failed = g_until_failure == 0;
  g_until_failure = 0;
  g_is_failing = false;
  return has_failed;
}

std::int64_t live_allocations() { return g_live; }

}  // namespace skua::test
