#include "runtimes/onnxruntime/counting_allocator.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "runtimes/onnxruntime/ort_errors.h"

namespace skua::ort {
namespace {

// In front of each block: its size. As wide as the alignment, so that the block keeps it.
constexpr std::size_t kHeader = 64;

}  // namespace

CountingAllocator::CountingAllocator(std::shared_ptr<const OrtLibrary> library)
    : library_(std::move(library)), memory_info_(library_->api()) {
  table_.version = ORT_API_VERSION;
  table_.Alloc = &allocate;
  table_.Free = &release;
  table_.Info = &info;
  table_.Reserve = &allocate;
  table_.owner = this;
}

Result<std::unique_ptr<CountingAllocator>> CountingAllocator::install(
    std::shared_ptr<const OrtLibrary> library) {
  std::unique_ptr<CountingAllocator> allocator(new CountingAllocator(std::move(library)));
  const OrtApi& api = allocator->library_->api();
  SKUA_RETURN_IF_ERROR(check(
      api, api.CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, allocator->memory_info_.out()),
      OrtContext::kCompile, "counting allocator"));
  SKUA_RETURN_IF_ERROR(check(api, api.RegisterAllocator(allocator->library_->env(), &allocator->table_),
                             OrtContext::kCompile, "counting allocator"));
  allocator->is_registered_ = true;
  return allocator;
}

CountingAllocator::~CountingAllocator() {
  if (!is_registered_) return;
  const OrtApi& api = library_->api();
  OrtStatus* status = api.UnregisterAllocator(library_->env(), memory_info_.get());
  if (status != nullptr) api.ReleaseStatus(status);
}

void* CountingAllocator::allocate(OrtAllocator* self, std::size_t size) {
  if (size > SIZE_MAX - 2 * kHeader) return nullptr;
  const std::size_t total = (size + kHeader + kHeader - 1) / kHeader * kHeader;
  auto* block = static_cast<std::byte*>(std::aligned_alloc(kHeader, total));
  if (block == nullptr) return nullptr;
  std::memcpy(block, &size, sizeof(size));
  CountingAllocator& owner = *static_cast<Table*>(self)->owner;
  const std::size_t live = owner.live_.fetch_add(size) + size;
  std::size_t peak = owner.peak_.load();
  while (live > peak && !owner.peak_.compare_exchange_weak(peak, live)) {
  }
  return block + kHeader;
}

void CountingAllocator::release(OrtAllocator* self, void* memory) {
  if (memory == nullptr) return;
  std::byte* block = static_cast<std::byte*>(memory) - kHeader;
  std::size_t size = 0;
  std::memcpy(&size, block, sizeof(size));
  static_cast<Table*>(self)->owner->live_.fetch_sub(size);
  std::free(block);
}

const OrtMemoryInfo* CountingAllocator::info(const OrtAllocator* self) {
  return static_cast<const Table*>(self)->owner->memory_info_.get();
}

}  // namespace skua::ort
