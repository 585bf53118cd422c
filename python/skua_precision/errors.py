"""The refusals of the precision tools, under Skua's own error classes and reason codes."""

from __future__ import annotations


class PrecisionError(Exception):
    """A refusal. `error_class` and `reason` are names of docs/reference/reasons.md."""

    def __init__(self, error_class: str, reason: str, message: str) -> None:
        super().__init__(message)
        self.error_class = error_class
        self.reason = reason


def invalid_argument(message: str) -> PrecisionError:
    """The caller's mistake."""
    return PrecisionError("InvalidArgumentError", "invalid_argument", message)


def build_error(reason: str, message: str) -> PrecisionError:
    """The model cannot become what was asked for."""
    return PrecisionError("EngineBuildError", reason, message)
