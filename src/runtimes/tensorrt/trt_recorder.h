// What TensorRT reports as errors. With a recorder set, its logger gets nothing of them. Memory is fixed:
// TensorRT may report from several threads, and from inside of a run. Where there are more than it holds, the
// first ones stay: the first is the cause, what follows it is noise (without a driver every error is followed
// by one of CUDA).
#pragma once

#include <NvInferRuntime.h>

#include <array>
#include <atomic>
#include <mutex>
#include <optional>
#include <string>

namespace skua::tensorrt {

/// May be used from any thread. Only a report takes the lock, never a question about an empty recorder: runs
/// ask that.
class ErrorRecorder : public nvinfer1::IErrorRecorder {
 public:
  static constexpr std::int32_t kCapacity = 16;

  ErrorRecorder() = default;

  std::int32_t getNbErrors() const noexcept override;
  nvinfer1::ErrorCode getErrorCode(std::int32_t index) const noexcept override;
  /// For TensorRT, which owns no errors of ours. Holds until the next clear(); `text` copies.
  ErrorDesc getErrorDesc(std::int32_t index) const noexcept override;
  bool hasOverflowed() const noexcept override;
  void clear() noexcept override;
  bool reportError(nvinfer1::ErrorCode code, ErrorDesc text) noexcept override;
  RefCount incRefCount() noexcept override { return references_.fetch_add(1) + 1; }
  RefCount decRefCount() noexcept override { return references_.fetch_sub(1) - 1; }

  /// The cause: the first error since clear().
  std::optional<nvinfer1::ErrorCode> first() const noexcept;
  /// All that are held, joined, on one line. Allocates.
  std::string text() const;

 private:
  static constexpr std::size_t kTextBytes = 1024;
  struct Entry {
    nvinfer1::ErrorCode code = nvinfer1::ErrorCode::kSUCCESS;
    std::array<char, kTextBytes> text{};
  };
  mutable std::mutex mutex_;
  std::array<Entry, static_cast<std::size_t>(kCapacity)> entries_{};
  std::atomic<std::int32_t> taken_{0};  ///< written under the lock; one more than there is room for: too many
  std::atomic<RefCount> references_{0};
};

}  // namespace skua::tensorrt
