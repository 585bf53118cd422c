"""The enumerations of skua, by the names that configurations and messages have."""

from __future__ import annotations

import enum


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
