// What one thread frees is there for the next, whichever it is.
#include "core/process_memory.h"

#include <gtest/gtest.h>

#include <malloc.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace skua {
namespace {

/// Arenas of glibc's allocator, as it says itself (malloc_info(3)).
int arenas() {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* const stream = ::open_memstream(&text, &size);
  ::malloc_info(0, stream);
  std::fclose(stream);
  const std::string report(text, size);
  std::free(text);
  int count = 0;
  for (auto at = report.find("<heap nr="); at != std::string::npos; at = report.find("<heap nr=", at + 1))
    ++count;
  return count;
}

/// Threads that have taken memory and live on, so that nobody inherits their arena.
class Holders {
 public:
  ~Holders() {
    {
      const std::lock_guard lock(mutex_);
      is_over_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  void add(int count) {
    for (int i = 0; i < count; ++i) threads_.emplace_back([this] { hold(); });
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return holding_ == threads_.size(); });
  }

 private:
  void hold() {
    const std::vector<char> memory(100'000, 'x');
    std::unique_lock lock(mutex_);
    ++holding_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return is_over_; });
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t holding_ = 0;
  bool is_over_ = false;
  std::vector<std::thread> threads_;
};

TEST(ProcessMemory, ThreadsShareWhatIsFreed) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer's allocator is not glibc's";
#endif
  Holders holders;
  const int before = arenas();
  holders.add(2);
  EXPECT_GT(arenas(), before) << "the control";
  keep_freed_memory();
  const int kept = arenas();
  holders.add(4);
  EXPECT_EQ(arenas(), kept);
}

}  // namespace
}  // namespace skua
