#include "runtimes/tensorrt/trt_recorder.h"

#include <algorithm>
#include <cstring>

#include "runtimes/tensorrt/trt_errors.h"

namespace skua::tensorrt {

const ErrorRecorder::Entry* ErrorRecorder::entry(std::int32_t index) const noexcept {
  if (index < 0 || index >= getNbErrors()) return nullptr;
  const Entry& found = entries_[static_cast<std::size_t>(index)];
  return found.is_written.load(std::memory_order_acquire) ? &found : nullptr;
}

std::int32_t ErrorRecorder::getNbErrors() const noexcept {
  return std::min(taken_.load(std::memory_order_acquire), kCapacity);
}

nvinfer1::ErrorCode ErrorRecorder::getErrorCode(std::int32_t index) const noexcept {
  const Entry* const found = entry(index);
  return found == nullptr ? nvinfer1::ErrorCode::kSUCCESS : found->code;
}

ErrorRecorder::ErrorDesc ErrorRecorder::getErrorDesc(std::int32_t index) const noexcept {
  const Entry* const found = entry(index);
  return found == nullptr ? "" : found->text.data();
}

bool ErrorRecorder::hasOverflowed() const noexcept {
  return taken_.load(std::memory_order_acquire) > kCapacity;
}

void ErrorRecorder::clear() noexcept {
  for (Entry& each : entries_) each.is_written.store(false, std::memory_order_relaxed);
  taken_.store(0, std::memory_order_release);
}

bool ErrorRecorder::reportError(nvinfer1::ErrorCode code, ErrorDesc text) noexcept {
  std::int32_t index = taken_.load(std::memory_order_relaxed);
  do {
    if (index > kCapacity) return true;  // full, and known to be
  } while (!taken_.compare_exchange_weak(index, index + 1, std::memory_order_acq_rel));
  if (index >= kCapacity) return true;
  Entry& into = entries_[static_cast<std::size_t>(index)];
  into.code = code;
  const std::size_t length = text == nullptr ? 0 : std::min(std::strlen(text), kTextBytes - 1);
  if (length > 0) std::memcpy(into.text.data(), text, length);
  into.text[length] = '\0';
  into.is_written.store(true, std::memory_order_release);
  return true;  // TensorRT goes on whatever is answered
}

std::optional<nvinfer1::ErrorCode> ErrorRecorder::first() const noexcept {
  const Entry* const found = entry(0);
  return found == nullptr ? std::nullopt : std::optional(found->code);
}

std::string ErrorRecorder::text() const {
  std::string joined;
  for (std::int32_t index = 0; index < getNbErrors(); ++index) {
    joined += (joined.empty() ? "" : "; ") + one_line(getErrorDesc(index));
  }
  return joined;
}

}  // namespace skua::tensorrt
