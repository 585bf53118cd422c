"""What goes into Skua's calls and comes out of them: plain values, under the names of the C++ library.

Values are frozen, compare by their fields, and hold nothing alive but where it is said.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .config import AirborneConfig, FlightMode, LaneDeclaration, RuntimeConfig
from .enums import BuildRoute, DType, ExpiryRule, Precision, Role

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ._skua import EngineHandle, PublicKey
    from .errors import SkuaError

__all__ = [
    "AccuracyLimits",
    "AirborneConfig",
    "BuildConfig",
    "BuildRoute",
    "CalibrationProvenance",
    "CorrespondenceSet",
    "DType",
    "EngineCacheEntry",
    "EngineFilenameSchema",
    "EngineInfo",
    "EngineLoadTimes",
    "EngineSet",
    "EngineSetItem",
    "ExpiryRule",
    "FileVerdict",
    "FlightMode",
    "FlightRecord",
    "GatePolicy",
    "GoldenSource",
    "HostTuple",
    "KeypointSet",
    "LaneDeclaration",
    "OptimizationProfile",
    "PathLike",
    "Precision",
    "Role",
    "RuntimeConfig",
    "RuntimeEntry",
    "SetVerdict",
    "Shape",
    "TensorSpec",
    "ThermalState",
    "Tolerance",
]

PathLike = str | os.PathLike[str]
Shape = tuple[int, ...]


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
    runtime_label: str = ""
    host: HostTuple = HostTuple()
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

    def __contains__(self, model: object) -> bool:
        return any(item.model == model for item in self.engines)

    def __iter__(self) -> Iterator[str]:
        """Logical names, the most critical first."""
        return (item.model for item in self.engines)

    def __len__(self) -> int:
        return len(self.engines)

    def __getitem__(self, model: str) -> EngineHandle:
        handle = self.find(model)
        if handle is None:
            known = ", ".join(item.model for item in self.engines)
            raise KeyError(f"set {self.set_id} has no engine '{model}'; it has {known}")
        return handle


@dataclass(frozen=True, kw_only=True)
class ThermalState:
    """The thermal snapshot that C4 reads. NaN and 0: not measured; NaN is no equal of itself, so that two snapshots
    without a temperature need not compare as equal."""

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


@dataclass(frozen=True, kw_only=True)
class EngineFilenameSchema:
    """The self-describing name of an engine file: `<model>__sm<SM>_jp<JP>_trt<TRT>_<precision>.<extension>`."""

    model: str
    sm: int
    jetpack: str
    tensorrt: str
    precision: Precision = Precision.FP16
    extension: str = "engine"

    def build(self) -> str:
        """The name; EngineSchemaMismatchError (engine_name_malformed) where a part is not allowed."""
        from ._skua import _build_name

        return _build_name(self)

    @staticmethod
    def parse(file_name: str) -> EngineFilenameSchema:
        """The parts of a name. `parse(schema.build())` is `schema`."""
        from ._skua import _parse_name

        return _parse_name(file_name)

    def matches_host(self, host: HostTuple) -> bool:
        """Whether SM, JetPack and TensorRT are this host's."""
        from ._skua import _matches_host

        return _matches_host(self, host)


@dataclass(frozen=True, kw_only=True)
class FileVerdict:
    """The verdict on one file of a set. `kind` is "engine" (the whole engine gate) or "file" (size and SHA-256)."""

    file: str
    kind: str
    size_bytes: int
    error: SkuaError | None


@dataclass(frozen=True, kw_only=True)
class SetVerdict:
    """What both gates say of a set, up to where loading would begin; engines first."""

    set_id: str
    release_sequence: int
    runtime_label: str
    is_unsigned: bool
    is_expired: bool
    signer: str | None
    files: tuple[FileVerdict, ...]
    bytes_hashed: int
    elapsed_ns: int
    workers: int

    def overall(self) -> SkuaError | None:
        """The first refusal, or None."""
        return next((file.error for file in self.files if file.error is not None), None)


@dataclass(frozen=True, kw_only=True)
class RuntimeEntry:
    """One runtime that Skua knows, whether it was built or not."""

    label: str
    build_flag: str
    is_built: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class FlightRecord:
    """One record for a flight recorder; `kind` and the keys of `payload` are a row of docs/reference/events.md.

    `ts` is ISO 8601 in UTC, `monotonic_ns` the same moment of time.monotonic_ns().
    """

    schema_version: int
    producer_id: str
    ts: str
    monotonic_ns: int
    kind: str
    payload: dict[str, int | float | bool | str | None]


@dataclass(frozen=True, kw_only=True, eq=False)
class KeypointSet:
    """Keypoints of one image. Arrays are used in place: C-contiguous, of exactly these dtypes."""

    keypoints: npt.NDArray[np.float32]
    """[N, 2] in pixels (x, y)"""
    descriptors: npt.NDArray[Any]
    """float32 or float16 [N, D]"""
    image_size: tuple[int, int]
    """width, height"""
    scores: npt.NDArray[np.float32] | None = None
    """[N]; not looked at by matching"""


@dataclass(frozen=True, kw_only=True, eq=False)
class CorrespondenceSet:
    """Which keypoint of the first set belongs to which of the second. The arrays own their memory."""

    indices: npt.NDArray[np.int64]
    """[M, 2]"""
    scores: npt.NDArray[np.float32]
    """[M]"""
    error: SkuaError | None = None
    """of match_batch: why this pair has no result"""
