#!/usr/bin/env python3
"""Checks who may include what. Prints `path:line: [rule] message` and exits 1 when a rule is broken.

direction        a folder of src/ includes only itself, include/skua/ and folders below it; siblings never meet;
                 the Python bindings stand where programs do
sdk-header       vendor headers stay in src/runtimes/, out of the public headers and of everything else
third-party      include/skua/ knows the standard library only
public-internal  include/skua/ includes nothing of src/
build-flag       BUILD_* is tested in src/bootstrap/registry.cpp alone
"""

import pathlib
import re
import sys

CORE = {"core"}
FILES = {"yaml", "image"}  # what reads foreign formats, for whoever needs them
LIBRARY = CORE | {"cache", "telemetry", "events", "calibration", "inference"}
BOOTSTRAP = LIBRARY | FILES | {"runtimes", "bootstrap"}
# What each folder of src/ may include besides itself. runtimes/X may never include runtimes/Y.
BELOW = {
    "core": set(),
    "cache": CORE,
    "telemetry": CORE,
    "events": CORE,
    "inference": LIBRARY,
    "yaml": CORE | {"cache"},
    "image": CORE,
    "calibration": CORE | {"cache"} | FILES,
    "onnx": CORE,
    "compile": LIBRARY | {"onnx"},
    "runtimes": LIBRARY | {"onnx", "compile"},
    "bootstrap": BOOTSTRAP,
    "builder": BOOTSTRAP,
    "bench": BOOTSTRAP,
    "cli": BOOTSTRAP | {"bench", "onnx"},
    "flight": BOOTSTRAP,
}
GENERATED = {"skua_build_flags.h", "skua_build_id.h", "skua_runtimes.h", "skua_sdk_paths.h"}
REGISTRY = "src/bootstrap/registry.cpp"
SDK = re.compile(r"^(onnxruntime|core/session/onnxruntime|NvInfer|NvOnnx|cuda|cudnn|nvml|torch/|ATen/|c10/)")
FOREIGN_NAMES = re.compile(r"\b(nlohmann|spdlog|fmt|YAML|CLI|nvinfer1|nvonnxparser|at|c10|torch)::|\b(EVP_|Ort[A-Z])")
INCLUDE = re.compile(r'^\s*#\s*(?:include|include_next|import)\s*([<"])([^>"]+)[>"]')
FLAG_TEST = re.compile(r"^\s*#\s*(if|ifdef|ifndef|elif|elifdef|elifndef)\b.*\bBUILD_\w+|\bBUILD_\w+_RUNTIME\b")
TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)


def without_comments(text, strings):
    """The text with comments (and, if asked, string literals) blanked; line numbers stay as they are."""

    def blank(match):
        token = match.group(0)
        is_comment = token.startswith(("//", "/*"))
        return "\n" * token.count("\n") if is_comment or strings else token

    # A backslash at a line's end joins lines; the joined line keeps the first one's number.
    text = re.sub(r"\\\n([^\n]*)", r" \1", text)
    return TOKEN.sub(blank, text)


def folder_of(path):
    """('runtimes', 'runtimes/onnxruntime') for src/runtimes/onnxruntime/x.cpp, ('core', 'core') for src/core/x.h."""
    parts = path.split("/")
    if parts[0] == "runtimes":
        return "runtimes", "/".join(parts[:2])
    return parts[0], parts[0]


def check_source_include(own_path, form, target):
    """Rule broken by a file of src/ (path relative to src/) including `target`, or None."""
    layer, folder = folder_of(own_path)
    if SDK.match(target):
        return None if layer == "runtimes" else ("sdk-header", f"{target} belongs into src/runtimes/ only")
    target_layer, target_folder = folder_of(target)
    if target_layer in BELOW and "/" in target:
        allowed = target_folder == folder or (target_layer in BELOW[layer] and target_layer != layer)
        return None if allowed else ("direction", f"{folder} may not include {target}")
    if form == '"' and ("/" not in target or ".." in target) and target not in GENERATED:
        return "direction", f'write "{target}" as "folder/file.h", so that its direction shows'
    return None


def check_binding_include(target):
    """Rule broken by a file of python/ including `target`, or None."""
    if SDK.match(target):
        return "sdk-header", f"{target} belongs into src/runtimes/ only"
    layer = folder_of(target)[0]
    if layer in BELOW and "/" in target and layer not in BOOTSTRAP - {"runtimes"}:
        return "direction", f"the Python package may not include {target}"
    return None


def check_public_include(form, target):
    if SDK.match(target):
        return "sdk-header", f"{target} in a public header"
    if target.startswith("skua/"):
        return None
    if target in GENERATED or folder_of(target)[0] in BELOW or form == '"':
        return "public-internal", f"{target} is not part of the public interface"
    if "/" in target or "." in target:
        return "third-party", f"{target} is not a standard C++ header"
    return None


def check_file(name, text):
    """Yields (line, rule, message) for one file; `name` is its path in the tree."""
    public = name.startswith("include/")
    for number, line in enumerate(without_comments(text, strings=False).split("\n"), 1):
        found = INCLUDE.match(line)
        broken = None
        if found and public:
            broken = check_public_include(*found.groups())
        elif found and name.startswith("python/"):
            broken = check_binding_include(found.group(2))
        elif found and name.startswith("src/"):
            broken = check_source_include(name[len("src/") :], *found.groups())
        if not broken and found and found.group(2) == "skua_build_flags.h" and name != REGISTRY:
            broken = "build-flag", f"only {REGISTRY} may include skua_build_flags.h"
        if broken:
            yield number, *broken
    for number, line in enumerate(without_comments(text, strings=True).split("\n"), 1):
        if public and FOREIGN_NAMES.search(line) and not INCLUDE.match(line):
            yield number, "third-party", f"foreign name in a public header: {line.strip()}"
        if name != REGISTRY and FLAG_TEST.search(line):
            yield number, "build-flag", f"BUILD_* may be tested in {REGISTRY} only"


def check_tree(root):
    problems = []
    for top in ("include", "src", "python", "tests", "benchmarks"):
        for path in sorted((root / top).rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.suffix not in {".h", ".hpp", ".cpp", ".cc", ".inc"} or "/fixtures/" in name:
                continue
            if top == "src" and folder_of(name[len("src/") :])[0] not in BELOW:
                problems.append((name, 1, "direction", "this folder has no place in the layer table"))
                continue
            text = path.read_text(encoding="utf-8", errors="replace")
            problems += [(name, *problem) for problem in check_file(name, text)]
    return problems


def main():
    default_root = pathlib.Path(__file__).resolve().parents[1]
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default_root
    if not (root / "src").is_dir() and not (root / "include").is_dir():
        sys.exit(f"{root}: neither src/ nor include/ there")
    problems = check_tree(root)
    for name, line, rule, message in problems:
        print(f"{name}:{line}: [{rule}] {message}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
