"""C10, cache provisioning: compiles a model when no cached engine matches, reuses one whose name and sidecar verify.

Names and sidecars are the stack's own formats, so C10 reads them itself.
"""

from __future__ import annotations

import hashlib
import pathlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from protocol import InferenceRuntime

NAME = re.compile(r"([a-z0-9]+(?:_[a-z0-9]+)*)__sm(\d+)_jp(\d+(?:\.\d+)*)_trt(\d+(?:\.\d+)*)_(fp16|fp32|int8|mixed)\.(\w+)")
Profile = tuple[str, tuple[int, ...], tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True)
class BuildConfig:
    """The stack's own, by its interface table."""

    precision: str
    workspace_mb: int = 1024
    calibration_dataset: pathlib.Path | None = None
    optimization_profiles: Sequence[Profile] = ()


@dataclass(frozen=True)
class CacheEntry:
    """An engine that was there: what its name and sidecar say."""

    engine_path: pathlib.Path
    model: str
    precision: str
    engine_sha256: str


@dataclass
class CacheProvisioner:
    """`host` is (SM, JetPack, TensorRT) of the machine that will fly."""

    inference: InferenceRuntime
    cache: pathlib.Path
    host: tuple[int, str, str]
    compiled: list[str] = field(default_factory=list)
    reused: list[str] = field(default_factory=list)

    def engine_for(self, model: pathlib.Path, build: BuildConfig) -> Any:
        cached = self._cached(model.stem, build.precision)
        (self.compiled if cached is None else self.reused).append(model.stem)
        return cached if cached is not None else self.inference.compile_engine(model, build)

    def _cached(self, model: str, precision: str) -> CacheEntry | None:
        for path in sorted(self.cache.glob(f"{model}__*")):
            name = NAME.fullmatch(path.name)
            if name is None or (name[1], name[5]) != (model, precision):
                continue
            if (int(name[2]), name[3], name[4]) == self.host and (digest := verified_digest(path)) is not None:
                return CacheEntry(path, model, precision, digest)
        return None


def verified_digest(path: pathlib.Path) -> str | None:
    """The SHA-256 of a file whose sidecar holds exactly that; None: not so, or there is no sidecar."""
    sidecar = path.with_name(path.name + ".sha256")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return digest if sidecar.is_file() and sidecar.read_bytes() == digest.encode("ascii") else None
