"""From a configuration to a runtime. It is exactly the configured one or an error; nothing is substituted."""

from __future__ import annotations

import atexit
from collections.abc import Mapping
from typing import Any

from . import _skua
from ._skua import InferenceRuntime
from .types import HostTuple, Role, RuntimeConfig

# Nothing of ours may call into an interpreter that is going.
atexit.register(_skua._close_all)

ConfigLike = RuntimeConfig | Mapping[str, Any]


def config_fields(config: ConfigLike) -> dict[str, Any]:
    """The fields that are given, by name."""
    return dict(config) if isinstance(config, Mapping) else dict(vars(config))


def build_inference_runtime(
    config: ConfigLike,
    *,
    role: Role | str,
    host: HostTuple | None = None,
) -> InferenceRuntime:
    """Builds the runtime that `config.runtime` names, for the ground or to fly.

    Raises RuntimeNotAvailableError (runtime_unknown, runtime_not_built, module_missing, sdk_missing, sdk_foreign, ...)
    and InvalidArgumentError for a configuration that is not valid.
    """
    return _skua._build_runtime(config_fields(config), Role(role), host)
