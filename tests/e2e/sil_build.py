"""The build over the software-in-the-loop SDK of tests/sil: whether this is one, and programs that fail on command."""

import re
import shutil

import programs

BUILD = programs.BUILD
TRTEXEC = BUILD / "sil" / "sil_trtexec"
ILLEGAL_ADDRESS = 700  # of CUDA: sticky, the device is lost
LATER_THAN_LOADING = 1000  # calls of cudaEventRecord; proving one engine takes fewer, a run takes one, a frame about 15


def is_sil():
    """Whether the build under test was configured with SKUA_TENSORRT_SIL=ON."""
    cache = BUILD / "CMakeCache.txt"
    return cache.exists() and re.search(r"^SKUA_TENSORRT_SIL:BOOL=ON$", cache.read_text("utf-8"), re.MULTILINE) is not None


def failing(orders):
    """What a program is started under, so that the SDK in its process obeys (tests/sil/README.md)."""
    return ("env", f"SKUA_SIL_FAULTS={orders}")


def link_libraries(folder, left_out=()):
    """folder/lib as the build's, without some. libskua is a copy: what lies beside it is what it seeks programs by."""
    (folder / "lib").mkdir()
    (folder / "sil").symlink_to(BUILD / "sil")
    for file in (BUILD / "lib").iterdir():
        if file.name.startswith("libskua.so"):
            shutil.copy2(file, folder / "lib", follow_symlinks=False)
        elif file.name not in left_out:
            (folder / "lib" / file.name).symlink_to(file)


class ProgramsWithBuilder(programs.Programs):
    """`skua` with a build executable whose SDK obeys `orders`: a build gets a clean environment, so that these would not
    reach it through the variable of `skua` itself."""

    def __init__(self, home, folder, orders):
        super().__init__(home)
        self.folder = folder
        (folder / "bin").mkdir()
        link_libraries(folder)
        (folder / "bin" / "skua").write_bytes(programs.SKUA.read_bytes())
        (folder / "bin" / "skua-build").write_text(
            f"#!/bin/sh\nSKUA_SIL_FAULTS='{orders}' exec {BUILD}/bin/skua-build \"$@\"\n", "ascii")
        for name in ("skua", "skua-build"):
            (folder / "bin" / name).chmod(0o700)

    def command(self, *args):
        return [str(self.folder / "bin" / "skua"), *map(str, args)]
