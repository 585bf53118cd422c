"""The stack's own Python `Sha256Sidecar` and file-name rules, written anew from what the stack says of them: path + `.sha256`,
exactly 64 lower-case hex digits; `<model>__sm<SM>_jp<JP>_trt<TRT>_<precision>.engine`. Nothing here knows of Skua."""

import hashlib
import os
import pathlib
import re

NAME = re.compile(r"(?P<model>[a-z0-9_]{1,64})__sm(?P<sm>\d+)_jp(?P<jp>\d+(?:\.\d+)*)_trt(?P<trt>\d+(?:\.\d+)*)"
                  r"_(?P<precision>fp16|int8|mixed|fp32)\.engine", re.ASCII)
HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)


class SidecarError(Exception):
    """A sidecar that is missing or malformed."""


def sidecar_of(path):
    return pathlib.Path(f"{path}.sha256")


def write_atomic(path, payload):
    temporary = pathlib.Path(f"{path}.tmp")
    temporary.write_bytes(payload)
    os.replace(temporary, path)


def write_atomic_and_sidecar(path, payload):
    write_atomic(path, payload)
    write_atomic(sidecar_of(path), hashlib.sha256(payload).hexdigest().encode("ascii"))


def verify(path):
    if not pathlib.Path(path).exists():
        return False
    try:
        told = sidecar_of(path).read_bytes().decode("ascii")
    except (FileNotFoundError, UnicodeDecodeError) as error:
        raise SidecarError(str(path)) from error
    if not HEX.fullmatch(told):
        raise SidecarError(str(path))
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest() == told


def aggregate_hash(paths):
    """Sorted by base name, which it covers; independent of the order given. The exact bytes are docs/formats' to say."""
    whole = hashlib.sha256()
    for path in sorted(map(pathlib.Path, paths), key=lambda path: path.name.encode()):
        whole.update(f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.name}\n".encode())
    return whole.hexdigest()


def build_name(model, sm, jp, trt, precision):
    return f"{model}__sm{sm}_jp{jp}_trt{trt}_{precision}.engine"


def parse_name(name):
    """The five parts, or None. A model has no double underscore; what may end it is one."""
    found = NAME.fullmatch(name)
    if found is None or "__" in found["model"].rstrip("_") or found["model"].endswith("__"):
        return None
    return found["model"], int(found["sm"]), found["jp"], found["trt"], found["precision"]
