"""From a configuration to a runtime. It is exactly the configured one or an error; nothing is substituted."""

from __future__ import annotations

import atexit
import os
from collections.abc import Mapping
from typing import Any, Protocol

from . import _skua
from ._skua import FlightState, InferenceRuntime, LightGlueRuntime
from .errors import InvalidArgumentError
from .types import AirborneConfig, EngineSet, FlightRecord, HostTuple, PathLike, Role, RuntimeConfig

# Nothing of ours may call into an interpreter that is going.
atexit.register(_skua._finish)


class Recorder(Protocol):
    """What receives flight records: anything with `enqueue`. Called on Skua's event thread only, one at a time.

    A call that raises counts the record as lost and is not fatal.
    """

    def enqueue(self, record: FlightRecord, /) -> object: ...


def read_config(file: PathLike, *, environment: Mapping[str, str] | None = None) -> RuntimeConfig:
    """`components.c7_inference` of a configuration file under the environment (`SKUA_C7_...`), judged as a whole.

    `environment` None is this process's own.
    """
    return _skua._read_config(file, None if environment is None else dict(environment))


def read_airborne_config(file: PathLike, *, environment: Mapping[str, str] | None = None) -> AirborneConfig:
    """What the airborne bootstrap reads of a configuration file, as `skua-flight` does it."""
    return _skua._read_airborne_config(file, None if environment is None else dict(environment))


def _fields_of(config: object) -> dict[str, Any]:
    """Of nothing else: what is left out of an object that only looks alike would be another runtime."""
    if isinstance(config, RuntimeConfig):
        return dict(vars(config))
    if isinstance(config, Mapping):
        return dict(config)
    raise InvalidArgumentError(
        f"config: expected a skua.RuntimeConfig, a mapping of its fields or a path, found a {type(config).__name__}",
        reason="invalid_argument")


def build_inference_runtime(
    config: RuntimeConfig | Mapping[str, Any] | PathLike,
    *,
    role: Role | str,
    host: HostTuple | None = None,
    recorder: Recorder | None = None,
    log: bool = False,
    thermal_root: PathLike = "/",
) -> InferenceRuntime:
    """Builds the runtime that `config.runtime` names, for the ground or to fly.

    `config` is a RuntimeConfig, a mapping of some of its fields, or the path of a configuration file (`read_config`).
    `recorder` receives the flight records; `log=True` starts the log and the embedded recorder that the configuration
    names. `thermal_root` is where the sensors of sysfs are sought; another folder is for tests.

    Raises RuntimeNotAvailableError (runtime_unknown, runtime_not_built, module_missing, sdk_missing, sdk_foreign, ...)
    and InvalidArgumentError for a configuration that is not valid.
    """
    if isinstance(config, (str, os.PathLike)):
        config = read_config(config)
    return _skua._build_runtime(_fields_of(config), role, host, recorder, log, thermal_root)


class PreConstructed(dict[str, InferenceRuntime | LightGlueRuntime]):
    """What is built exactly once, before any consumer, by key: `c7_inference` and `c3_lightglue_runtime`.

    The matcher's `source` is the very object under `c7_inference`. Empty in a replay without the inference block.
    """

    engines: EngineSet | None = None
    """the loaded set: handles by logical name"""
    flight: FlightState | None = None
    """the record of the flight in progress; call its `begin` before the first frame and its `end` after landing"""

    @property
    def set_id(self) -> str:
        """Empty where no set was loaded."""
        return self.engines.set_id if self.engines is not None else ""


def build_pre_constructed(
    config: AirborneConfig | PathLike,
    *,
    host: HostTuple | None = None,
    recorder: Recorder | None = None,
    dry_run: bool = False,
    thermal_root: PathLike = "/",
) -> PreConstructed:
    """Builds the configured runtime once, loads the set that CURRENT names, then the shared matcher.

    As `skua-flight` does it: the log and the recorder of the configuration are started (and `recorder` beside them),
    the state folder is locked, and a flight that it says is in progress makes this start a reboot in flight (F8).
    A refusal is told as `c7.takeoff_refused` and raised: AirborneBootstrapError when no airborne runtime can be had
    and a consumer needs it, gate refusals, OutOfMemoryError. With `dry_run` everything is judged and nothing written.
    """
    if isinstance(config, (str, os.PathLike)):
        config = read_airborne_config(config)
    built = _skua._build_pre_constructed(config, host, recorder, dry_run, thermal_root)
    pre_constructed = PreConstructed()
    if built is not None:
        entries, pre_constructed.engines, pre_constructed.flight = built
        pre_constructed.update(entries)
    return pre_constructed
