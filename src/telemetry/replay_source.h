// "replay": recorded readings, one line of docs/formats/thermal-reading.md a poll.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "telemetry/sensors.h"

namespace skua {

inline constexpr std::size_t kMaxRecording = std::size_t{64} << 20U;  ///< bytes of the file

/// Gives one recorded reading a poll, whatever time lies between the polls; after the last one every field
/// that the recording has is offline. The whole file is read when the source is opened. Not thread-safe.
class ReplaySource final : public SourceBase {
 public:
  void read(ThermalReading& reading) noexcept override;

  /// TelemetryUnavailableError. Reason kMalformed, naming file and line: a line is damaged, its source or its
  /// supported fields are not those of the first line, or there are more than 32 different causes. Reason
  /// kTelemetryUnavailable: the file is missing, empty, no regular file or larger than 64 MiB. Allocates;
  /// blocks on the file.
  static Result<std::unique_ptr<ThermalSource>> open(const std::filesystem::path& file);

 private:
  ReplaySource() noexcept : SourceBase("replay") {}

  std::vector<ThermalReading> readings_;
  std::size_t next_ = 0;
};

}  // namespace skua
