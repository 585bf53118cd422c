"""What goes into Skua's calls and comes out of them: plain values, under the names of the C++ library.

Values are frozen, compare by their fields, and hold nothing alive but where it is said.
"""

from __future__ import annotations

import enum
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .config import LaneDeclaration, RuntimeConfig

if TYPE_CHECKING:
    from ._skua import EngineHandle, PublicKey

__all__ = ["AccuracyLimits", "BuildConfig", "BuildRoute", "CalibrationProvenance", "DType", "EngineCacheEntry",
           "EngineInfo", "EngineLoadTimes", "EngineSet", "EngineSetItem", "ExpiryRule", "GatePolicy", "GoldenSource",
           "HostTuple", "LaneDeclaration", "OptimizationProfile", "PathLike", "Precision", "Role", "RuntimeConfig",
           "Shape", "TensorSpec", "ThermalState", "Tolerance"]

PathLike = str | os.PathLike[str]
Shape = tuple[int, ...]


class Role(enum.Enum):
    """Who runs a runtime: decided by whoever builds it, never by the files that happen to be there."""

    GROUND = "ground"
    AIRBORNE = "airborne"


class Precision(enum.Enum):
    """What the arithmetic of an engine is allowed to be. FP32 is for reference artifacts on the ground."""

    FP16 = "fp16"
    INT8 = "int8"
    MIXED = "mixed"
    FP32 = "fp32"


class DType(enum.Enum):
    """Element types, by NumPy's names."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    FLOAT64 = "float64"
    INT8 = "int8"
    UINT8 = "uint8"
    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    UINT32 = "uint32"
    INT64 = "int64"
    UINT64 = "uint64"
    BOOL = "bool"


class BuildRoute(enum.Enum):
    """Which tool builds a TensorRT engine. Other runtimes have only BUILDER."""

    BUILDER = "builder"
    TRTEXEC = "trtexec"
    POLYGRAPHY = "polygraphy"


class ExpiryRule(enum.Enum):
    """What becomes of a set's expiry date."""

    REFUSE = "refuse"
    WARN = "warn"
    NOT_JUDGED = "not_judged"


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """One input or output of an engine. A dimension of -1 is decided by a profile or by the data."""

    name: str
    dtype: DType
    shape: Shape
    max_shape: Shape
    data_dependent: bool = False


@dataclass(frozen=True, kw_only=True)
class OptimizationProfile:
    """The range of shapes that one input may have at run time."""

    input_name: str
    min: Shape
    opt: Shape
    max: Shape


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """How an output is compared with its golden values."""

    absolute: float = 1e-4
    relative: float = 1e-3
    as_set: bool = False
    max_mismatch_fraction: float = 0.0


@dataclass(frozen=True, kw_only=True)
class GoldenSource:
    """Golden vectors of one's own: a golden file and where its values come from."""

    file: PathLike
    origin: str


@dataclass(frozen=True, kw_only=True)
class AccuracyLimits:
    """The most that an int8 or mixed artifact may differ from its float32 source. May be tightened, not loosened."""

    relative_l2: float = 0.1
    mismatched: float = 0.1
    agreement: float = 0.9
    relative_error: float | None = None
    cosine: float | None = None


@dataclass(frozen=True, kw_only=True)
class BuildConfig:
    """What to build from a model: the input of `compile_engine`."""

    precision: Precision = Precision.FP16
    workspace_mb: int = 1024
    calibration_dataset: PathLike | None = None
    fp32_source: PathLike | None = None
    accuracy_dataset: PathLike | None = None
    accuracy: AccuracyLimits = AccuracyLimits()
    calibration_algorithm: str = "entropy2"
    calibration_cache: PathLike | None = None
    allow_cpu_ranges: bool = False
    optimization_profiles: Sequence[OptimizationProfile] = ()
    model_name: str | None = None
    keep_fp32: Sequence[str] = ()
    max_output_shapes: Mapping[str, Shape] = field(default_factory=dict)
    build_route: BuildRoute = BuildRoute.BUILDER
    golden: GoldenSource | None = None
    tolerances: Mapping[str, Tolerance] = field(default_factory=dict)
    input_dtypes: Mapping[str, DType] = field(default_factory=dict)
    output_names: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class HostTuple:
    """The machine that an engine is bound to. A text is empty, and a number 0, where the host has no such thing."""

    sm: int = 0
    jetpack: str = "0"
    tensorrt: str = "0"
    l4t: str = ""
    module_name: str = ""
    sm_count: int = 0
    tensorrt_build: str = ""
    cuda_driver: str = ""
    cuda_runtime: str = ""
    cpu_arch: str = ""
    cpu_features: str = ""


@dataclass(frozen=True, kw_only=True)
class CalibrationProvenance:
    """What an int8 engine's ranges were made from."""

    dataset_sha256: str
    sample_count: int
    cache_sha256: str
    algorithm: str
    producer: str


@dataclass(frozen=True, kw_only=True)
class EngineCacheEntry:
    """One compiled engine in the engine cache. Digests are 64 lower-case hex digits."""

    engine_path: str
    model: str
    runtime_label: str
    host: HostTuple
    precision: Precision
    engine_sha256: str
    size_bytes: int = 0
    device_memory_bytes: int = 0
    model_sha256: str = "0" * 64
    build_config_sha256: str = "0" * 64
    calibration: CalibrationProvenance | None = None
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()


@dataclass(frozen=True, kw_only=True)
class EngineInfo:
    """What a resident engine is, read back from the SDK and compared with its record at load."""

    model: str
    runtime_label: str
    device: str
    provider: str
    arithmetic: str
    sdk_version: str
    precision: Precision
    engine_sha256: str
    resident_bytes: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    profiles: tuple[OptimizationProfile, ...]


@dataclass(frozen=True, kw_only=True)
class GatePolicy:
    """What is asked of a set at load. The default trusts no key and allows nothing."""

    trusted_keys: Sequence[PublicKey] = ()
    allow_unsigned: bool = False
    expiry: ExpiryRule = ExpiryRule.REFUSE
    minimum_release_sequence: int | None = None
    maximum_release_sequence: int | None = None
    flight_set_limit_bytes: int = 2147483648


@dataclass(frozen=True, kw_only=True)
class EngineLoadTimes:
    """How long each step of loading one engine took."""

    model: str
    size_bytes: int
    verify_ns: int
    deserialize_ns: int
    warm_up_ns: int
    golden_ns: int


@dataclass(frozen=True, kw_only=True)
class EngineSetItem:
    """One engine of a flight set; the handle keeps it alive."""

    model: str
    handle: EngineHandle


@dataclass(frozen=True, kw_only=True)
class EngineSet:
    """All engines of a flight set, resident and proven, the most critical first."""

    set_id: str
    release_sequence: int
    signer: str | None
    engines: tuple[EngineSetItem, ...]
    times: tuple[EngineLoadTimes, ...]
    total_ns: int

    def find(self, model: str) -> EngineHandle | None:
        """The engine of that logical name; None when the set has none."""
        return next((item.handle for item in self.engines if item.model == model), None)

    def __getitem__(self, model: str) -> EngineHandle:
        handle = self.find(model)
        if handle is None:
            known = ", ".join(item.model for item in self.engines)
            raise KeyError(f"set {self.set_id} has no engine '{model}'; it has {known}")
        return handle


@dataclass(frozen=True, kw_only=True)
class ThermalState:
    """The thermal snapshot that C4 reads. NaN and 0: not measured."""

    cpu_temp_c: float = math.nan
    gpu_temp_c: float = math.nan
    thermal_throttle_active: bool = False
    measured_clock_mhz: int = 0
    measured_at_ns: int = 0
    is_telemetry_available: bool = False

    @property
    def measured_at(self) -> int:
        """`measured_at_ns`, under the name that the stack's older code has."""
        return self.measured_at_ns
