// Memory for an output whose shape the run decides: reserved before, never grown. TensorRT asks for it while
// it runs.
#pragma once

#include <NvInferRuntime.h>

#include <cstdint>

namespace skua::tensorrt {

class ReservedOutput final : public nvinfer1::IOutputAllocator {
 public:
  ReservedOutput(void* memory, std::uint64_t bytes) noexcept : memory_(memory), bytes_(bytes) {}

  /// Asking for more than there is makes the run fail; nothing is cut off.
  void* reallocateOutputAsync(const char*, void*, std::uint64_t size, std::uint64_t,
                              cudaStream_t) noexcept override {
    if (size <= bytes_) return memory_;
    has_overflowed_ = true;
    return nullptr;
  }
  void notifyShape(const char*, const nvinfer1::Dims& dims) noexcept override {
    dims_ = dims;
    has_shape_ = true;
  }

  /// Before each run: what the last one said does not count any more.
  void forget() noexcept { has_shape_ = has_overflowed_ = false; }
  bool has_shape() const noexcept { return has_shape_; }
  bool has_overflowed() const noexcept { return has_overflowed_; }
  /// Requires has_shape().
  const nvinfer1::Dims& dims() const noexcept { return dims_; }

 private:
  void* memory_;
  std::uint64_t bytes_;
  nvinfer1::Dims dims_{};
  bool has_shape_ = false;
  bool has_overflowed_ = false;
};

}  // namespace skua::tensorrt
