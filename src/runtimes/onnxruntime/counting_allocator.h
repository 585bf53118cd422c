// Counts what a session takes: weights when it is created, activations when it runs. ONNX Runtime of this
// series cannot be asked through the C interface that Skua is built against, and the growth of the process
// says too little.
#pragma once

#include <onnxruntime_c_api.h>

#include <atomic>
#include <cstddef>
#include <memory>

#include "runtimes/onnxruntime/ort_handles.h"
#include "runtimes/onnxruntime/ort_library.h"

namespace skua::ort {

/// Registers itself as the environment's CPU allocator for as long as it lives; sessions made meanwhile with
/// `session.use_env_allocators` use it, without an arena. One at a time in a process; must outlive those
/// sessions.
class CountingAllocator {
 public:
  static Result<std::unique_ptr<CountingAllocator>> install(std::shared_ptr<const OrtLibrary> library);
  ~CountingAllocator();
  CountingAllocator(const CountingAllocator&) = delete;
  CountingAllocator& operator=(const CountingAllocator&) = delete;

  std::size_t live_bytes() const noexcept { return live_.load(); }
  std::size_t peak_bytes() const noexcept { return peak_.load(); }

 private:
  struct Table : OrtAllocator {
    CountingAllocator* owner;
  };
  explicit CountingAllocator(std::shared_ptr<const OrtLibrary> library);
  static void* allocate(OrtAllocator* self, std::size_t size);
  static void release(OrtAllocator* self, void* memory);
  static const OrtMemoryInfo* info(const OrtAllocator* self);

  std::shared_ptr<const OrtLibrary> library_;
  MemoryInfoHandle memory_info_;
  Table table_{};
  std::atomic<std::size_t> live_{0}, peak_{0};
  bool is_registered_ = false;
};

}  // namespace skua::ort
