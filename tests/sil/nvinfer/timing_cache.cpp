#include "timing_cache.h"

#include <chrono>
#include <cstring>
#include <thread>

#include "host_memory.h"

namespace sil::infer {
namespace {

constexpr std::string_view kMagic = "ptrtd";
constexpr std::size_t kHeaderBytes = 172;
constexpr std::size_t kEntryBytes = 16;
constexpr std::size_t kCountOffset = 8;
constexpr std::size_t kDeviceOffset = 16;
constexpr std::string_view kDevice = "sil sm0 10.3.0";  // of another device or release: not usable

std::uint64_t fnv(std::string_view bytes, std::uint64_t hash) {
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 1099511628211ULL;
  return hash;
}

}  // namespace

std::string timing_entry(std::string_view model, int level) {
  const std::uint64_t parts[2] = {fnv(model, 14695981039346656037ULL),
                                  fnv(model, 88172645463325252ULL + static_cast<std::uint64_t>(level))};
  return std::string(reinterpret_cast<const char*>(parts), sizeof parts);
}

TimingCache::TimingCache(const ErrorSink& sink, std::string_view blob) : sink_(sink) {
  if (blob.empty() || load(blob)) return;
  entries_.clear();
  sink_.log(Severity::kWARNING, "Failed to deserialize timing cache. Returning an empty timing cache.");
}

bool TimingCache::load(std::string_view blob) {
  if (blob.size() < kHeaderBytes || blob.substr(0, kMagic.size()) != kMagic) return false;
  if (blob.substr(kDeviceOffset, kDevice.size()) != kDevice) return false;
  cudaError_t lost = cudaSuccess;
  if (sil::is_device_lost(lost)) {
    sink_.cuda_error("ScopedCudaStream", lost);
    return false;
  }
  std::uint64_t count = 0;
  std::memcpy(&count, blob.data() + kCountOffset, sizeof count);
  blob.remove_prefix(kHeaderBytes);
  if (count != blob.size() / kEntryBytes || blob.size() % kEntryBytes != 0) return false;
  for (; !blob.empty(); blob.remove_prefix(kEntryBytes))
    entries_.insert(std::string(blob.substr(0, kEntryBytes)));
  return true;
}

nvinfer1::IHostMemory* TimingCache::serialize() const noexcept {
  SIL_ENTER_TELLING(sink_, "ITimingCache::serialize", nullptr);
  std::string bytes(kHeaderBytes, '\0');
  std::memcpy(bytes.data(), kMagic.data(), kMagic.size());
  const std::uint64_t count = entries_.size();
  std::memcpy(bytes.data() + kCountOffset, &count, sizeof count);
  std::memcpy(bytes.data() + kDeviceOffset, kDevice.data(), kDevice.size());
  for (const std::string& entry : entries_) bytes += entry;
  return new HostMemory(std::move(bytes));
}

bool TimingCache::combine(nvinfer1::ITimingCache const& other, bool) noexcept {
  SIL_ENTER_TELLING(sink_, "ITimingCache::combine", false);
  const auto& source = static_cast<const TimingCache&>(other);
  // The real one takes its own lock twice and never comes back.
  while (&source == this) std::this_thread::sleep_for(std::chrono::hours(1));
  entries_.insert(source.entries_.begin(), source.entries_.end());
  return true;
}

bool TimingCache::reset() noexcept {
  entries_.clear();
  return true;
}

}  // namespace sil::infer
