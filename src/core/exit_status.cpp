#include "core/exit_status.h"

namespace skua {

int exit_status_of(const Error& error) noexcept {
  if (error.reason == Reason::kDeviceLost) return kExitDeviceLost;
  switch (error.code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kIo:  // a path that the command line gave
      return 2;
    case ErrorCode::kEngineBuild:
      return 3;
    case ErrorCode::kCalibrationCache:
      return 4;
    case ErrorCode::kEngineDeserialize:
    case ErrorCode::kEngineSchemaMismatch:
    case ErrorCode::kEngineSidecarMissing:
    case ErrorCode::kEngineHashMismatch:
    case ErrorCode::kManifest:
      return 5;
    case ErrorCode::kInference:
      return 6;
    case ErrorCode::kOutOfMemory:
      return 7;
    case ErrorCode::kTelemetryUnavailable:
      return 8;
    case ErrorCode::kRuntimeNotAvailable:
    case ErrorCode::kAirborneBootstrap:
      return 9;
    case ErrorCode::kInternal:
      break;
  }
  return 1;
}

}  // namespace skua
