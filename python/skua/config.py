"""The configuration of component C7, `components.c7_inference`, under the names of the configuration file."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class LaneDeclaration:
    """One consumer's private execution resources, declared before the flight."""

    consumer: str
    engine: str = ""


@dataclass(frozen=True, kw_only=True)
class RuntimeConfig:
    """Every field of the block, with the flight stack's defaults; docs/reference/configuration.md explains each.

    A path that is empty is left out. Values are judged when a runtime is built from them.
    """

    runtime: str = "pytorch_fp16"
    engine_cache_dir: str = "/var/lib/skua/engines"
    thermal_poll_hz: float = 1.0
    thermal_source: str = "auto"
    thermal_replay: str = ""
    thermal_cpu: int = -1
    thermal_nice: int = 10
    per_frame_debug_log: bool = False
    gpu_memory_budget_bytes: int = 4294967296
    trtexec_timeout_s: int = 600
    build_memory_mb: int = 16384
    ort_trt_cache_dir: str = ""
    ort_disallow_cpu_fallback: bool = True
    flight_sets_dir: str = "/var/lib/skua/sets"
    state_dir: str = "/var/lib/skua/state"
    flight_set_limit_bytes: int = 2147483648
    trusted_key: str = ""
    next_trusted_key: str = ""
    release_sequence_step: int = 1000
    is_clock_trusted: bool = False
    lightglue_model: str = "lightglue"
    lightglue_lanes: int = 2
    log_sink: str = "stdout"
    log_level: str = "INFO"
    recorder_dir: str = ""
    recorder_limit_bytes: int = 67108864
    recorder_sync_ms: int = 0
    intra_op_threads: int = 1
    execution_provider: str = "tensorrt"
    onnxruntime_library: str = ""
    device: str = ""
    arithmetic: str = ""
    torch_library: str = ""
    tensorrt_wait: str = "poll"
    tensorrt_io_memory: str = "auto"
    tensorrt_copied_tensors: str = ""
    tensorrt_cuda_graphs: bool = True
    trtexec: str = "/usr/src/tensorrt/bin/trtexec"
    polygraphy: str = ""
    lanes: Sequence[LaneDeclaration] = ()


class FlightMode(enum.Enum):
    """`mode` of the stack's configuration."""

    LIVE = "live"
    REPLAY = "replay"


@dataclass(frozen=True, kw_only=True)
class AirborneConfig:
    """What the airborne bootstrap reads of the stack's configuration. `consumers` None: none is known."""

    mode: FlightMode = FlightMode.LIVE
    has_inference_block: bool = True
    inference: RuntimeConfig = field(default_factory=RuntimeConfig)
    consumers: Sequence[str] | None = None
