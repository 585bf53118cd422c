// The CUDA driver, asked through four functions of its library. Declared here, because Skua is compiled
// without CUDA.
#include <dlfcn.h>

#include "core/host_probe.h"

namespace skua {
namespace {

// Values of cuda.h (CUDA driver API, stable since version 2).
constexpr int kCudaSuccess = 0;
constexpr int kAttributeSmCount = 16;
constexpr int kAttributeCapabilityMajor = 75;
constexpr int kAttributeCapabilityMinor = 76;

struct Driver {
  int (*init)(unsigned int flags) = nullptr;
  int (*version)(int* version) = nullptr;
  int (*device)(int* device, int ordinal) = nullptr;
  int (*attribute)(int* value, int attribute, int device) = nullptr;
};

template <typename Function>
bool find_symbol(void* library, const char* name, Function& into) noexcept {
  into = reinterpret_cast<Function>(dlsym(library, name));
  return into != nullptr;
}

std::optional<Driver> find_driver(void* library) noexcept {
  Driver driver;
  const bool is_whole = find_symbol(library, "cuInit", driver.init) &&
                        find_symbol(library, "cuDriverGetVersion", driver.version) &&
                        find_symbol(library, "cuDeviceGet", driver.device) &&
                        find_symbol(library, "cuDeviceGetAttribute", driver.attribute);
  return is_whole ? std::optional(driver) : std::nullopt;
}

std::optional<GpuFacts> ask(const Driver& driver) {
  int version = 0, device = 0, major = 0, minor = 0, sm_count = 0;
  const bool is_answered = driver.init(0) == kCudaSuccess && driver.version(&version) == kCudaSuccess &&
                           driver.device(&device, 0) == kCudaSuccess &&
                           driver.attribute(&major, kAttributeCapabilityMajor, device) == kCudaSuccess &&
                           driver.attribute(&minor, kAttributeCapabilityMinor, device) == kCudaSuccess &&
                           driver.attribute(&sm_count, kAttributeSmCount, device) == kCudaSuccess;
  if (!is_answered) return std::nullopt;
  // 12060 is 12.6.
  return GpuFacts{major * 10 + minor, sm_count,
                  std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10)};
}

class CudaDriverProbe final : public GpuProbe {
 public:
  std::optional<GpuFacts> probe() override {
    // Never closed: the driver keeps threads and must not be unmapped under them.
    void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return std::nullopt;
    const auto driver = find_driver(library);
    return driver ? ask(*driver) : std::nullopt;
  }
};

}  // namespace

GpuProbe& cuda_driver_probe() noexcept {
  static CudaDriverProbe probe;
  return probe;
}

}  // namespace skua
