"""The trained networks of ../shared/models as a set to measure, where that folder lies beside the repository.

What they need (bounds, profiles, golden values of a real pair) is what the end-to-end tests know: they are asked.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
for folder in ("tests/support", "tests/e2e"):
    sys.path.insert(0, str(ROOT / folder))
import places  # noqa: E402  (tests/ is no package)
import real_networks  # noqa: E402

SOURCES = real_networks.FOLDER


def are_there() -> bool:
    return SOURCES.is_dir()


def write_set(models: Path) -> None:
    """MODELS/set.yaml and the matcher's golden file, which is made once: computing it takes seconds."""
    models.mkdir(parents=True, exist_ok=True)
    golden, said = models / "pair.golden", models / "set.yaml"
    if golden.is_file() and said.is_file():
        return
    places.write_set_yaml(said, real_networks.set_networks(real_networks.write_matcher_golden(golden)))
