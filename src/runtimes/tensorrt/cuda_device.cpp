#include "runtimes/tensorrt/cuda_device.h"

#include "core/host_files.h"
#include "core/text.h"

namespace skua::tensorrt {
namespace {

constexpr int kDevice = 0;
constexpr std::size_t kMeminfoLimit = std::size_t{64} << 10U;

Status ask(cudaError_t error, std::string_view what) { return check(error, TrtContext::kDevice, what); }

Status check_driver() {
  int driver = 0;
  SKUA_RETURN_IF_ERROR(ask(cudaDriverGetVersion(&driver), "the CUDA driver's version"));
  if (driver != 0) return {};
  return translate(TrtContext::kDevice, Fault{FaultClass::kDevice, 0}, "the CUDA driver",
                   "none is installed");
}

}  // namespace

Result<DeviceFacts> open_device(std::optional<unsigned> flags) {
  SKUA_RETURN_IF_ERROR(check_driver());
  int count = 0;
  SKUA_RETURN_IF_ERROR(ask(cudaGetDeviceCount(&count), "the number of GPUs"));
  if (count < 1) {
    return translate(TrtContext::kDevice, Fault{FaultClass::kDevice, 0}, "the number of GPUs",
                     "there is none");
  }
  SKUA_RETURN_IF_ERROR(ask(cudaSetDevice(kDevice), "device 0"));
  if (flags) SKUA_RETURN_IF_ERROR(ask(cudaSetDeviceFlags(*flags), "the flags of device 0"));
  DeviceFacts facts;
  cudaDeviceProp properties{};
  SKUA_RETURN_IF_ERROR(ask(cudaGetDeviceProperties(&properties, kDevice), "the properties of device 0"));
  facts.name = properties.name;
  facts.total_bytes = properties.totalGlobalMem;
  int is_integrated = 0;
  SKUA_RETURN_IF_ERROR(ask(cudaDeviceGetAttribute(&is_integrated, cudaDevAttrIntegrated, kDevice),
                           "whether device 0 is integrated"));
  facts.is_integrated = is_integrated != 0;
  return facts;
}

std::optional<std::uint64_t> mem_available(std::string_view meminfo) {
  constexpr std::string_view kKey = "MemAvailable:";
  const auto at = meminfo.find(kKey);
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view line = meminfo.substr(at + kKey.size());
  line = trimmed(line.substr(0, line.find('\n')));
  constexpr std::string_view kUnit = " kB";
  if (!line.ends_with(kUnit)) return std::nullopt;
  const auto kilobytes = parse_uint64(trimmed(line.substr(0, line.size() - kUnit.size())));
  if (!kilobytes) return std::nullopt;
  return *kilobytes * 1024;
}

Result<std::uint64_t> free_bytes(const DeviceFacts& device, TrtContext context) {
  if (device.is_integrated) {
    if (const auto available = mem_available(read_host_file("/proc/meminfo", kMeminfoLimit)))
      return *available;
  }
  std::size_t free = 0, total = 0;
  SKUA_RETURN_IF_ERROR(check(cudaMemGetInfo(&free, &total), context, "the GPU's free memory"));
  return std::uint64_t{free};
}

}  // namespace skua::tensorrt
