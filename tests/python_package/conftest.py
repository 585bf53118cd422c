"""Fixtures: the package of the build tree, a provisioned flight set, and runtimes over it."""

import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / (os.environ.get("SKUA_BUILD_DIR") or "build/dev")
PACKAGE = BUILD / "python"
for folder in (PACKAGE, ROOT / "tests" / "e2e"):
    sys.path.insert(0, str(folder))

CPU = {"runtime": "onnx_trt_ep", "execution_provider": "cpu"}


def pytest_collection_modifyitems(items):
    """Without the package nothing here can be judged: say so once per test, as an error, never as a skip."""
    if list((PACKAGE / "skua").glob("_skua.*.so")):
        return
    for item in items:
        if pathlib.Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.usefixtures("package_is_built"))


@pytest.fixture(name="package_is_built")
def no_package():
    pytest.fail(f"{PACKAGE}/skua has no extension module: build the preset, or set SKUA_BUILD_DIR", pytrace=False)


@pytest.fixture(scope="session", name="place")
def provisioned_place(tmp_path_factory):
    """Three tiny networks in a set of the CPU provider, not signed. Nobody writes there."""
    import programs
    from places import Place, tiny_networks

    folder = tmp_path_factory.mktemp("place")
    home = folder / "home"
    home.mkdir()
    place = Place(folder)
    yaml = place.set_yaml(tiny_networks(place.models))
    programs.Programs(home).ok(*place.provision_arguments(yaml), "--json")
    return place


@pytest.fixture(name="runtime")
def ground_runtime():
    import skua

    return skua.build_inference_runtime(CPU, role="ground")


@pytest.fixture(name="flight_set")
def loaded_set(runtime, place):
    import skua

    return runtime.load_flight_set(place.current(), skua.GatePolicy(allow_unsigned=True))
