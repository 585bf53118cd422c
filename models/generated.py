"""What a folder of generated networks depends on, and whether it is up to date. Needs no torch."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from pathlib import Path

RECORD = "generated.json"
FOLDER = Path(__file__).resolve().parent


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def identity(sources: tuple[str, ...], packages: tuple[str, ...]) -> dict[str, object]:
    """Digest of the generator's sources (paths from this folder) and the versions of its packages."""
    digest = hashlib.sha256()
    for name in sources:
        digest.update(f"{name}\0{file_sha256(FOLDER / name)}\0".encode())
    versions = {name: importlib.metadata.version(name) for name in packages}
    return {"sources_sha256": digest.hexdigest(), "versions": versions}


def read_record(out: Path) -> dict:
    """The record of a folder; empty when there is none that can be read."""
    try:
        record = json.loads((out / RECORD).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def write_record(folder: Path, record: dict) -> None:
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", "utf-8")


def are_unchanged(out: Path, digests: dict[str, str]) -> bool:
    """Whether every file is there with its digest."""
    try:
        return all(file_sha256(out / name) == digest for name, digest in digests.items())
    except OSError:
        return False
