#include "runtimes/tensorrt/trt_recorder.h"

#include <algorithm>
#include <cstring>

#include "runtimes/tensorrt/trt_errors.h"

namespace skua::tensorrt {

std::int32_t ErrorRecorder::getNbErrors() const noexcept {
  return std::min(taken_.load(std::memory_order_acquire), kCapacity);
}

nvinfer1::ErrorCode ErrorRecorder::getErrorCode(std::int32_t index) const noexcept {
  const std::lock_guard lock(mutex_);
  if (index < 0 || index >= getNbErrors()) return nvinfer1::ErrorCode::kSUCCESS;
  return entries_[static_cast<std::size_t>(index)].code;
}

ErrorRecorder::ErrorDesc ErrorRecorder::getErrorDesc(std::int32_t index) const noexcept {
  const std::lock_guard lock(mutex_);
  if (index < 0 || index >= getNbErrors()) return "";
  return entries_[static_cast<std::size_t>(index)].text.data();
}

bool ErrorRecorder::hasOverflowed() const noexcept {
  return taken_.load(std::memory_order_acquire) > kCapacity;
}

void ErrorRecorder::clear() noexcept {
  if (getNbErrors() == 0) return;
  const std::lock_guard lock(mutex_);
  taken_.store(0, std::memory_order_release);
}

bool ErrorRecorder::reportError(nvinfer1::ErrorCode code, ErrorDesc text) noexcept {
  const std::lock_guard lock(mutex_);
  const std::int32_t index = taken_.load(std::memory_order_relaxed);
  if (index < kCapacity) {
    Entry& into = entries_[static_cast<std::size_t>(index)];
    into.code = code;
    const std::size_t length = text == nullptr ? 0 : std::min(std::strlen(text), kTextBytes - 1);
    if (length > 0) std::memcpy(into.text.data(), text, length);
    into.text[length] = '\0';
  }
  if (index <= kCapacity) taken_.store(index + 1, std::memory_order_release);
  return true;  // TensorRT goes on whatever is answered
}

std::optional<nvinfer1::ErrorCode> ErrorRecorder::first() const noexcept {
  if (getNbErrors() == 0) return std::nullopt;
  const std::lock_guard lock(mutex_);
  return getNbErrors() == 0 ? std::nullopt : std::optional(entries_[0].code);
}

std::string ErrorRecorder::text() const {
  const std::lock_guard lock(mutex_);
  std::string joined;
  for (std::int32_t index = 0; index < getNbErrors(); ++index) {
    joined += (joined.empty() ? "" : "; ") + one_line(entries_[static_cast<std::size_t>(index)].text.data());
  }
  return joined;
}

}  // namespace skua::tensorrt
