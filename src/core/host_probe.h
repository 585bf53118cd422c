// Reads the host tuple from an injectable root, so that every case is a text fixture.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "skua/host_tuple.h"

namespace skua {

/// What the CUDA driver library says of device 0.
struct GpuFacts {
  int sm = 0;
  int sm_count = 0;
  std::string driver;  ///< "12.6"
};

/// Asks the CUDA driver; a port, because a fixture tree has no driver.
class GpuProbe {
 public:
  virtual ~GpuProbe() = default;
  virtual std::optional<GpuFacts> probe() = 0;
};

/// Opens libcuda.so.1 if the machine has one. Without it, or without a device: nothing.
GpuProbe& cuda_driver_probe() noexcept;

/// JetPack of an L4T version; empty when the table does not know it.
std::string jetpack_of_l4t(std::string_view l4t);

/// Reads below `root` (etc/nv_tegra_release, var/lib/dpkg/status, the TensorRT library's file name, the
/// device tree, proc/cpuinfo).
HostTuple probe_host(const std::filesystem::path& root, GpuProbe& gpu);

}  // namespace skua
