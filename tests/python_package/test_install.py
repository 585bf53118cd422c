"""What is installed for a wheel: where it lies, that it runs from there, and that the airborne one holds nothing that builds."""

import shutil
import sys

import airborne_package
import package
import programs
import pytest

IMPORT = """
import json, os, pathlib, sys
import skua
folder = pathlib.Path(skua.__file__).parent
told = {"folder": str(folder)}
runtime = skua.build_inference_runtime({"runtime": "pytorch_fp16", "engine_cache_dir": sys.argv[1]}, role="ground")
mapped = {line.split()[-1] for line in open("/proc/self/maps")}
told["mapped"] = sorted(path for path in mapped if "skua" in os.path.basename(path))  # the tree's folder may be skua, too
for role in ("airborne", "ground"):
    runtime = skua.build_inference_runtime({"runtime": "pytorch_fp16", "engine_cache_dir": sys.argv[1]}, role=role)
    try:
        entry = runtime.compile_engine(sys.argv[2], skua.BuildConfig(optimization_profiles=[
            skua.OptimizationProfile(input_name="x", min=(1, 8), opt=(1, 8), max=(1, 8))]))
        told[role] = entry.model
    except skua.EngineBuildError as error:
        told[role] = error.reason
print(json.dumps(told))
"""


def install(folder, *components):
    """The folder `skua` of a wheel with these components."""
    target = folder / "packages" / "skua"
    for component in components:
        airborne_package.install(component, target)
    return target


@pytest.fixture(scope="module", name="airborne")
def airborne_wheel(tmp_path_factory):
    return install(tmp_path_factory.mktemp("airborne"), "python", "airborne")


@pytest.fixture(scope="module", name="ground")
def ground_wheel(tmp_path_factory):
    return install(tmp_path_factory.mktemp("ground"), "python", "python-ground", "airborne", "ground")


def use(target, aircraft, tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    return package.run(IMPORT, cache, aircraft.models / "matmul_relu.pt", env={"PYTHONPATH": str(target.parent)})


def test_the_airborne_package_builds_nothing(airborne, aircraft, tmp_path):
    status, lines, found = airborne_package.check(airborne)
    assert (status, found) == (0, []), found
    assert any(line.startswith("good  _skua.") for line in lines) and any("good  __init__.py" in line for line in lines)
    told = use(airborne, aircraft, tmp_path)
    assert told["folder"] == str(airborne)
    assert (told["airborne"], told["ground"]) == ("airborne_cannot_build", "builder_missing")


def test_control_the_ground_package_builds(ground, aircraft, tmp_path):
    told = use(ground, aircraft, tmp_path)
    assert (told["airborne"], told["ground"]) == ("airborne_cannot_build", "matmul_relu")
    assert airborne_package.check(ground)[0] == 1


def test_everything_that_is_mapped_is_the_packages_own(ground, aircraft, tmp_path):
    """Neither the build tree nor another installation is found, whatever lies there."""
    told = use(ground, aircraft, tmp_path)
    assert {path.removeprefix(str(ground) + "/") for path in told["mapped"]} >= {"lib/libskua.so.0.1.0"}
    assert all(path.startswith(str(ground)) for path in told["mapped"]), told


def test_the_programs_are_in_the_package(ground, airborne, tmp_path):
    import subprocess

    for target, names in ((ground, ("skua", "skua-flight", "skua-build")), (airborne, ("skua-flight",))):
        assert sorted(path.name for path in (target / "bin").iterdir()) == sorted(names)
    done = subprocess.run([ground / "bin" / "skua", "--version"], capture_output=True, text=True, check=False,
                          env=programs.environment(tmp_path))
    assert done.returncode == 0 and done.stdout.startswith("0."), done


@pytest.mark.parametrize("name", ["libskua_compiler_pytorch_fp16.so", "libskua_compiler_onnx_trt_ep.so"])
def test_control_a_compiler_module_in_the_python_package_is_found(airborne, tmp_path, name):
    copy = shutil.copytree(airborne, tmp_path / "skua", symlinks=True)
    (extension,) = copy.glob("_skua.*.so")
    shutil.copy(programs.BUILD / "lib" / name, extension)
    status, _, found = airborne_package.check(copy)
    assert status == 1 and any("skua_compiler_module" in line and extension.name in line for line in found), found


def test_control_a_file_that_is_no_part_of_it_is_found(airborne, tmp_path):
    copy = shutil.copytree(airborne, tmp_path / "skua", symlinks=True)
    (copy / "bin" / "skua-build").write_text("anything")
    (copy / "lib" / "build.py").write_text("anything")
    (copy / "__pycache__").mkdir()
    for name in ("factory", "builder"):  # what pip makes of a source of the package, and what it cannot have made
        (copy / "__pycache__" / f"{name}.cpython-311.pyc").write_text("anything")
    _, _, found = airborne_package.check(copy)
    assert sum("no file of an airborne package" in line for line in found) == 3, found


def test_every_source_is_there_and_what_is_for_the_ground_does_not_fly(ground, airborne):
    sources = package.ROOT / "python" / "skua"
    names = {path.relative_to(sources).as_posix() for path in sources.rglob("*.py")}
    for target, expected in ((ground, names), (airborne, {name for name in names if "/" not in name})):
        assert {path.relative_to(target).as_posix() for path in target.rglob("*.py")} == expected


def test_the_stub_and_the_marker_are_there(ground):
    import importlib.machinery

    names = {path.name for path in ground.iterdir()}
    assert {"__init__.py", "py.typed", "LICENSE"} <= names
    assert ("_skua.pyi" in names) == (package.FOLDER / "skua" / "_skua.pyi").exists()
    assert any(name == "_skua" + suffix for suffix in importlib.machinery.EXTENSION_SUFFIXES for name in names), names
    assert not [path for path in ground.rglob("*.pyc")] and sys.version_info >= (3, 10)
