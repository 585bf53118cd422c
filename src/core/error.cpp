#include "skua/error.h"

#include <utility>

namespace skua {

// One row per class: the enumerator, its exception type.
#define SKUA_ERROR_CLASSES(X)                         \
  X(kInvalidArgument, InvalidArgumentError)           \
  X(kEngineBuild, EngineBuildError)                   \
  X(kCalibrationCache, CalibrationCacheError)         \
  X(kEngineDeserialize, EngineDeserializeError)       \
  X(kEngineSchemaMismatch, EngineSchemaMismatchError) \
  X(kEngineSidecarMissing, EngineSidecarMissingError) \
  X(kEngineHashMismatch, EngineHashMismatchError)     \
  X(kManifest, ManifestError)                         \
  X(kInference, InferenceError)                       \
  X(kOutOfMemory, OutOfMemoryError)                   \
  X(kTelemetryUnavailable, TelemetryUnavailableError) \
  X(kRuntimeNotAvailable, RuntimeNotAvailableError)   \
  X(kAirborneBootstrap, AirborneBootstrapError)       \
  X(kIo, IoError)                                     \
  X(kInternal, InternalError)

std::string_view error_class_name(ErrorCode code) noexcept {
  switch (code) {
#define SKUA_ERROR_NAME(name, type) \
  case ErrorCode::name:             \
    return #type;
    SKUA_ERROR_CLASSES(SKUA_ERROR_NAME)
#undef SKUA_ERROR_NAME
  }
  return "InternalError";  // a number that is no ErrorCode can only come from a defect
}

std::string Error::describe() const {
  std::string text(error_class_name(code));
  text += ": ";
  text += message.empty() ? sentence_of(reason) : std::string_view(message);
  text += " [";
  text += to_string(reason);
  text += "]";
  return text;
}

bool Error::is_load_refusal() const noexcept {
  return code == ErrorCode::kEngineDeserialize || code == ErrorCode::kEngineSchemaMismatch ||
         code == ErrorCode::kEngineSidecarMissing || code == ErrorCode::kEngineHashMismatch ||
         code == ErrorCode::kManifest;
}

Error make_error(ErrorCode code, Reason reason, std::string message, int native_code) {
  return Error{code, reason, native_code, std::move(message), nullptr};
}

SkuaError::SkuaError(Error error) : std::runtime_error(error.describe()), error_(std::move(error)) {}

void throw_error(Error error) {
  switch (error.code) {
#define SKUA_ERROR_THROW(name, type) \
  case ErrorCode::name:              \
    throw type(std::move(error));
    SKUA_ERROR_CLASSES(SKUA_ERROR_THROW)
#undef SKUA_ERROR_THROW
  }
  throw InternalError(std::move(error));
}

}  // namespace skua
