"""Fixtures: the package of the build tree, provisioned places, and runtimes over them.

Everything here that runs in the process of the tests is on the CPU provider of ONNX Runtime: libtorch, which other
tests import, may be in a process once. What needs the runtime of the aircraft runs in processes of its own.
"""

import pathlib

import numpy as np
import package
import pytest

X = np.linspace(-1, 1, 8, dtype=np.float32).reshape(1, 8)


def pytest_collection_modifyitems(items):
    """Without the package nothing here can be judged: say so once per test, as an error, never as a skip."""
    if package.is_built():
        return
    for item in items:
        if pathlib.Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.usefixtures("package_is_built"))


@pytest.fixture(name="package_is_built")
def no_package():
    pytest.fail(f"{package.FOLDER}/skua has no extension module: build the preset, or set SKUA_BUILD_DIR",
                pytrace=False)


@pytest.fixture(scope="session", name="place")
def provisioned_place(tmp_path_factory):
    """Tiny networks in a set of the CPU provider, not signed, and their cache. Nobody writes there."""
    import networks

    return networks.provisioned(tmp_path_factory.mktemp("place"))


@pytest.fixture(name="make_runtime")
def runtime_factory(place):
    """Builds a ground runtime over the place's cache; keyword arguments are fields or arguments of the factory."""
    import skua

    def make(role="ground", recorder=None, log=False, **fields):
        config = {**package.CPU, "engine_cache_dir": place.cache, **fields}
        return skua.build_inference_runtime(config, role=role, recorder=recorder, log=log)

    return make


@pytest.fixture(name="runtime")
def ground_runtime(make_runtime):
    return make_runtime()


@pytest.fixture(name="flight_set")
def loaded_set(runtime, place):
    return load(runtime, place)


def load(runtime, place):
    import skua

    return runtime.load_flight_set(place.current(), skua.GatePolicy(allow_unsigned=True))


@pytest.fixture(name="bound")
def bound_add_relu(runtime, flight_set):
    return runtime.bind(flight_set["add_relu"], runtime.create_lane("test"))


@pytest.fixture(scope="session", name="aircraft")
def signed_place(tmp_path_factory):
    """A signed set of the default runtime with a matcher: what an aircraft is given. Nobody writes there."""
    import networks

    return networks.signed(tmp_path_factory.mktemp("aircraft"))
