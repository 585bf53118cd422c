// "nvml": a discrete NVIDIA GPU, through the driver's own library. Of the first GPU only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "telemetry/nvml_api.h"
#include "telemetry/sensors.h"

namespace skua {

/// Each optional call is made once when the source is opened. One that is missing or answers "not supported"
/// then makes its field unsupported for good and is never made again; on Orin that is all of them (JetPack 6
/// and 7). NVML's state does not survive fork(): open and read in one process. Not thread-safe.
class NvmlSource final : public SourceBase {
 public:
  /// One optional call: the field it is for, its name, and what its answer may be.
  struct Query {
    ThermalField field;
    const char* name;
    double lowest, highest;
  };

  void read(ThermalReading& reading) noexcept override;
  ~NvmlSource() override;
  NvmlSource(const NvmlSource&) = delete;
  NvmlSource& operator=(const NvmlSource&) = delete;

  /// TelemetryUnavailableError: no library, it does not start, or there is no GPU. Allocates; starts NVML,
  /// which may take a second where the driver is not loaded.
  static Result<std::unique_ptr<ThermalSource>> open(const std::vector<std::string>& libraries);

 private:
  struct Answer {
    nvml::Return code = nvml::kFunctionNotFound;
    double value = 0.0;
  };

  explicit NvmlSource(NvmlApi api);
  Status find_device();
  void probe();
  Answer call(ThermalField field) const noexcept;
  Answer temperature() const noexcept;
  Answer threshold(int which) const noexcept;
  Answer clock(bool is_max) const noexcept;
  Answer thermal_reasons() const noexcept;
  bool can_name_heat() const noexcept;
  Figure ask(const Query& query) const noexcept;

  NvmlApi api_;
  nvml::Device device_ = nullptr;
  std::string device_text_;  ///< " (GPU 0: <name>)"
  std::uint32_t sw_cause_ = 0, hw_cause_ = 0;
};

}  // namespace skua
