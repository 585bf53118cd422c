"""Puts consumers together: every one gets the same instances, by constructor, and then nothing is created any more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

# AIRBORNE_REQUIRED_PRE_CONSTRUCTED_KEYS: consumer -> what must have been constructed before it.
REQUIRED_KEYS = {
    "c2_vpr": ("c7_inference",),
    "c2_5_rerank": ("c7_inference", "c3_lightglue_runtime"),
    "c3_matcher": ("c7_inference", "c3_lightglue_runtime"),
    "c3_5_adhop": ("c7_inference", "c3_lightglue_runtime"),
}

Factory = Callable[[Mapping[str, Any]], Any]


class CompositionError(Exception):
    """The consumers cannot be put together."""


def compose_root(pre_constructed: Mapping[str, Any], factories: Mapping[str, Factory]) -> dict[str, Any]:
    """Consumers by slug. A factory is given the instances that its consumer requires, and no others."""
    missing = {key: [slug for slug in factories if key in REQUIRED_KEYS[slug]]
               for slug in factories for key in REQUIRED_KEYS[slug] if pre_constructed.get(key) is None}
    if missing:
        told = "; ".join(f"{key}, needed by {', '.join(slugs)}" for key, slugs in missing.items())
        raise CompositionError(f"not constructed: {told}")
    consumers = {slug: create({key: pre_constructed[key] for key in REQUIRED_KEYS[slug]})
                 for slug, create in factories.items()}
    _demand_identity(pre_constructed, consumers)
    if consumers:
        pre_constructed["c7_inference"].seal()
    return consumers


def _demand_identity(pre_constructed: Mapping[str, Any], consumers: Mapping[str, Any]) -> None:
    """The very instances: a second runtime would load every engine again."""
    for slug, consumer in consumers.items():
        if consumer.inference is not pre_constructed["c7_inference"]:
            raise CompositionError(f"{slug} holds another runtime than c7_inference")
        lightglue = getattr(consumer, "lightglue", None)
        if lightglue is not None and lightglue is not pre_constructed["c3_lightglue_runtime"]:
            raise CompositionError(f"{slug} holds another matcher than c3_lightglue_runtime")
        if lightglue is not None and lightglue.source is not consumer.inference:
            raise CompositionError("c3_lightglue_runtime runs on another runtime than c7_inference")
