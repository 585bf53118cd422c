// What went wrong, as a value: an error class, a stable reason code, and a text for the operator.
// Thread-safety: values; share them as you would an int.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "skua/reason.h"

namespace skua {

/// The class of an error. Each has one exception type of the same name (see below).
enum class ErrorCode : std::uint8_t {
  kInvalidArgument,       ///< a caller's mistake; nothing was changed
  kEngineBuild,           ///< compiling failed; take-off is blocked until an operator acts
  kCalibrationCache,      ///< no trustworthy calibration cache could be had
  kEngineDeserialize,     ///< an engine or a set was refused at load
  kEngineSchemaMismatch,  ///< ... because its name or its host tuple is wrong
  kEngineSidecarMissing,  ///< ... because its `.sha256` is missing
  kEngineHashMismatch,    ///< ... because its bytes are not the recorded ones
  kManifest,              ///< ... because the flight set's manifest is refused
  kInference,             ///< no result for this frame
  kOutOfMemory,           ///< loading is refused, or a frame has no result
  kTelemetryUnavailable,  ///< no sensor answers
  kRuntimeNotAvailable,   ///< the configured runtime is not built, or its library is not there
  kAirborneBootstrap,     ///< the airborne program cannot be composed
  kIo,                    ///< a file could not be read or written; callers re-class it
  kInternal,              ///< a defect of ours
};

/// The name of the exception class that `code` maps to, e.g. "EngineBuildError".
std::string_view error_class_name(ErrorCode code) noexcept;

/// An error value. `message` says what was wrong with which thing, what should have been there instead, and
/// what to do about it; it is empty only on the hot path, where composing a text would allocate: there
/// `describe()` falls back to the reason's own sentence.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  Reason reason = Reason::kNone;
  int native_code = 0;  ///< errno, or the SDK's own status; 0 when there is none
  std::string message;
  std::shared_ptr<const Error> cause = nullptr;  ///< what this error was raised from; null: nothing

  /// "<class>: <message> [<reason>]". Allocates.
  std::string describe() const;
  /// Whether this is an EngineDeserializeError or one of its subclasses.
  bool is_load_refusal() const noexcept;
};

/// Makes an Error. Cold path only: `message` allocates.
Error make_error(ErrorCode code, Reason reason, std::string message, int native_code = 0);

/// Base of every exception that `Result::value()` throws. Carries the whole Error.
class SkuaError : public std::runtime_error {
 public:
  /// `what()` is `error.describe()`.
  explicit SkuaError(Error error);
  /// The whole error: reason, native code and cause too.
  const Error& error() const noexcept { return error_; }

 private:
  Error error_;
};

// clang-format off
/// A caller's mistake.
class InvalidArgumentError       : public SkuaError { using SkuaError::SkuaError; };
/// Compiling failed: take-off is blocked until somebody acts.
class EngineBuildError           : public SkuaError { using SkuaError::SkuaError; };
/// No calibration cache could be trusted: take-off is blocked.
class CalibrationCacheError      : public SkuaError { using SkuaError::SkuaError; };
/// An engine or a set is refused at load: no take-off. The four below say why more closely.
class EngineDeserializeError     : public SkuaError { using SkuaError::SkuaError; };
/// ... because its name is malformed or names another kind of machine.
class EngineSchemaMismatchError  : public EngineDeserializeError { using EngineDeserializeError::EngineDeserializeError; };
/// ... because it lies there without its `.sha256`.
class EngineSidecarMissingError  : public EngineDeserializeError { using EngineDeserializeError::EngineDeserializeError; };
/// ... because its bytes are not those that sidecar, manifest or record name.
class EngineHashMismatchError    : public EngineDeserializeError { using EngineDeserializeError::EngineDeserializeError; };
/// ... because of the set as a whole: its manifest, signature, age or files.
class ManifestError              : public EngineDeserializeError { using EngineDeserializeError::EngineDeserializeError; };
/// This frame has no result.
class InferenceError             : public SkuaError { using SkuaError::SkuaError; };
/// Memory ran out: no take-off, or no result for this frame.
class OutOfMemoryError           : public SkuaError { using SkuaError::SkuaError; };
/// No thermal sensor answers.
class TelemetryUnavailableError  : public SkuaError { using SkuaError::SkuaError; };
/// The configured runtime is not built, or its library is not there.
class RuntimeNotAvailableError   : public SkuaError { using SkuaError::SkuaError; };
/// The airborne program cannot be composed; an operator can act on the message.
class AirborneBootstrapError     : public RuntimeNotAvailableError { using RuntimeNotAvailableError::RuntimeNotAvailableError; };
/// A file or folder could not be read or written.
class IoError                    : public SkuaError { using SkuaError::SkuaError; };
/// A defect of Skua.
class InternalError              : public SkuaError { using SkuaError::SkuaError; };
// clang-format on

/// Throws the exception class of `error.code`.
[[noreturn]] void throw_error(Error error);

}  // namespace skua
