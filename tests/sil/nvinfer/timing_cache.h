// A timing cache: which builds it has seen. Bytes that it cannot use make an empty one, with a warning.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "NvInfer.h"
#include "messages.h"

namespace sil::infer {

class TimingCache final : public nvinfer1::ITimingCache {
 public:
  TimingCache(const ErrorSink& sink, std::string_view blob);
  nvinfer1::IHostMemory* serialize() const noexcept override;
  bool combine(nvinfer1::ITimingCache const& other, bool ignoreMismatch) noexcept override;
  bool reset() noexcept override;

  /// False when it was there already.
  bool add(const std::string& entry) { return entries_.insert(entry).second; }
  bool has(const std::string& entry) const { return entries_.count(entry) != 0; }

 private:
  bool load(std::string_view blob);

  ErrorSink sink_;
  std::set<std::string> entries_;
};

/// The name of a build in a timing cache, 16 bytes.
std::string timing_entry(std::string_view model, int level);

}  // namespace sil::infer
