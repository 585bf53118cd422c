// "null": a source without a single sensor, for configurations that want none.
#pragma once

#include "telemetry/sensors.h"

namespace skua {

/// Every field is unsupported, in every poll. Never fails.
class NullSource final : public SourceBase {
 public:
  NullSource() noexcept : SourceBase("null") {}
  void read(ThermalReading& reading) noexcept override { reading = {}; }
};

}  // namespace skua
