"""Fixtures: the programs, tiny models, and one provisioned flight set that every test copies."""

import pathlib

import numpy as np
import pytest

import flight_programs
import programs
import sil_build
import trees
from places import Place, tiny_networks

def pytest_collection_modifyitems(items):
    """Without programs nothing here can be judged: say so once per test, as an error, never as a skip."""
    if programs.program_exists():
        return
    for item in items:
        if pathlib.Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.usefixtures("programs_are_built"))


@pytest.fixture(name="programs_are_built")
def no_programs():
    pytest.fail(f"{programs.SKUA} does not exist: build the preset, or set SKUA_BUILD_DIR", pytrace=False)


@pytest.fixture(name="home")
def empty_home(tmp_path):
    """An empty $HOME; a test that leaves something in it fails."""
    home = tmp_path / "home"
    home.mkdir()
    yield home
    assert not list(home.rglob("*")), "a program wrote into $HOME"


@pytest.fixture(name="skua")
def skua_program(home):
    return programs.Programs(home)


@pytest.fixture(scope="session", name="sil")
def build_over_the_sil():
    """Skips where the build under test is not over the software-in-the-loop SDK. A build that is has to work."""
    if not sil_build.is_sil():
        pytest.skip("this build is not over the software-in-the-loop SDK; use `make sil`, or SKUA_BUILD_DIR=build/sil")


@pytest.fixture(name="trt")
def programs_over_the_sil(sil, skua):
    return skua


@pytest.fixture(name="place")
def working_place(tmp_path):
    """Where a test puts its models, cache and sets."""
    return Place(tmp_path)


@pytest.fixture(scope="session", name="original")
def provisioned_original(tmp_path_factory):
    """A provisioned place, made once. Never touched: see `flight`."""
    shared = tmp_path_factory.mktemp("original")
    home = shared / "home"
    home.mkdir()
    place = Place(shared)
    yaml = place.set_yaml(tiny_networks(place.models))
    place.report = programs.Programs(home).ok(*place.provision_arguments(yaml), "--json")
    before = trees.tree(place.sets), trees.tree(place.cache)
    yield place
    assert (trees.tree(place.sets), trees.tree(place.cache)) == before, "a test changed the original"


@pytest.fixture(name="flight")
def copied_flight(original, tmp_path):
    """A copy of the provisioned place, for this test to damage. Holds models, cache, sets and SET.yaml."""
    for name in ("models", "cache", "sets"):
        trees.copy(original.folder / name, tmp_path / name)
    place = Place(tmp_path)
    place.yaml = place.set_yaml([{**network, "onnx": place.models / network["onnx"].name}
                                 for network in tiny_networks(place.models)])
    return place


@pytest.fixture(scope="session", name="torch_original")
def provisioned_torchscript(tmp_path_factory):
    """As `original`, of TorchScript networks on the default runtime. Never touched: see `torch_flight`."""
    from torch_places import networks  # torch is imported only where it is needed

    shared = tmp_path_factory.mktemp("torch_original")
    home = shared / "home"
    home.mkdir()
    place = Place(shared)
    yaml = place.set_yaml(networks(place.models), runtime=None, execution_provider=None)
    place.report = programs.Programs(home).ok(*place.provision_arguments(yaml), "--json")
    before = trees.tree(place.sets), trees.tree(place.cache)
    yield place
    assert (trees.tree(place.sets), trees.tree(place.cache)) == before, "a test changed the original"


@pytest.fixture(name="torch_flight")
def copied_torch_flight(torch_original, tmp_path):
    """A copy of the provisioned TorchScript place, for this test to damage."""
    from torch_places import networks

    for name in ("models", "cache", "sets"):
        trees.copy(torch_original.folder / name, tmp_path / name)
    place = Place(tmp_path)
    place.yaml = place.set_yaml([{**network, "pt": place.models / network["pt"].name}
                                 for network in networks(None)], runtime=None, execution_provider=None)
    return place


@pytest.fixture(name="inputs")
def inputs_of_add_relu(tmp_path):
    """Arguments of `skua run SET add_relu`."""
    np.save(tmp_path / "x.npy", np.linspace(-1, 1, 8, dtype=np.float32).reshape(1, 8))
    return ("--input", f"x={tmp_path / 'x.npy'}", "--output-dir", tmp_path / "out")


@pytest.fixture(scope="session", name="flown_original")
def provisioned_flight(tmp_path_factory):
    """Sets signed with flight.key, map and frames for skua-flight, made once. Never touched: see `flight_place`."""
    import flights  # numpy and the tables of models/ are imported only where they are needed

    shared = tmp_path_factory.mktemp("flown")
    home = shared / "home"
    home.mkdir()
    flights.generate(shared)
    place = Place(shared)
    yaml = place.set_yaml(flights.demo_networks(place.models), runtime=None, execution_provider=None)
    skua = programs.Programs(home)
    skua.ok(*place.provision_arguments(yaml), *flights.make_key(skua, shared, "flight"), "--json")
    before = trees.tree(place.sets)
    yield shared
    assert trees.tree(place.sets) == before, "a flight changed the sets"


def pytest_generate_tests(metafunc):
    """Tests that fly run over the programs that flight_programs.py says."""
    if "flight_program" not in metafunc.fixturenames:
        return
    chosen = flight_programs.programs_of(metafunc.definition.path.name, metafunc.definition.originalname)
    if chosen != (flight_programs.CPP,):
        metafunc.parametrize("flight_program", chosen)


@pytest.fixture(name="flight_program")
def program_that_flies():
    return flight_programs.CPP


@pytest.fixture(name="flight_place")
def place_of_a_flight(flown_original, tmp_path, home, flight_program):
    import flights

    return flights.FlightPlace(tmp_path, flown_original, home, flight_program)
