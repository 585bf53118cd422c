"""The exceptions of Skua: one class for each class of error of the C++ library, under the same name."""

from __future__ import annotations


class SkuaError(Exception):
    """Base of all. `reason` is a stable code (docs/reference/reasons.md): what a program may branch on.

    `message` names the thing, what was expected, what was found, and the way out. `native_code` is errno or the SDK's
    own status, 0 when there is none. What an error was raised from is its `__cause__`.
    """

    message: str = ""
    reason: str = "none"
    native_code: int = 0

    def __init__(self, message: str = "", *, reason: str = "none", native_code: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.native_code = native_code

    def __str__(self) -> str:
        return f"{self.message} [{self.reason}]"


class InvalidArgumentError(SkuaError):
    """A caller's mistake; nothing was changed.

    In the calls of the frame loop and of the stack's contract that is also an argument of the wrong type: a handle, a
    lane, inputs, a frame number, a deadline. Elsewhere such an argument is Python's own TypeError.
    """


class EngineBuildError(SkuaError):
    """Compiling failed; take-off is blocked until an operator acts."""


class CalibrationCacheError(SkuaError):
    """No trustworthy calibration cache could be had."""


class EngineDeserializeError(SkuaError):
    """An engine or a set was refused at load."""


class EngineSchemaMismatchError(EngineDeserializeError):
    """... because its name or its host tuple is wrong."""


class EngineSidecarMissingError(EngineDeserializeError):
    """... because its `.sha256` is missing."""


class EngineHashMismatchError(EngineDeserializeError):
    """... because its bytes are not the recorded ones."""

    @property
    def stage(self) -> str:
        """Which record they contradict: "sidecar", or "manifest" (of an engine cache: the build record)."""
        return "sidecar" if self.reason == "sidecar_hash_mismatch" else "manifest"


class ManifestError(EngineDeserializeError):
    """... because the flight set's manifest, or its signature, is refused."""

    @property
    def code(self) -> str:
        """The stable refusal code; the same as `reason`."""
        return self.reason


class InferenceError(SkuaError):
    """No result for this frame."""


class OutOfMemoryError(SkuaError):
    """Loading is refused, or a frame has no result."""


class TelemetryUnavailableError(SkuaError):
    """No sensor answers."""


class RuntimeNotAvailableError(SkuaError):
    """The configured runtime is not built, or its library is not there."""


class AirborneBootstrapError(RuntimeNotAvailableError):
    """The airborne program cannot be composed."""


class IoError(SkuaError):
    """A file could not be read or written."""


class InternalError(SkuaError):
    """A defect of Skua."""
