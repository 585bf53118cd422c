"""The example that README.md shows runs as it stands; stubs and package pass mypy --strict."""

import re
import subprocess
import sys

import networks
import package
import programs
import pytest
from places import tiny_networks

EXAMPLE = package.ROOT / "docs" / "examples" / "first_inference.py"
WRONG = [
    ('network.inputs["x"] = values', "index"),
    ("skua.BuildConfig(precison=skua.Precision.FP16)", "precison"),
    ("runtime.load(set_dir)", "load"),
    ("runtime.bind(flight_set[model], flight_set[model])", "Lane"),
    ('skua.build_inference_runtime({}, role="ground", recorder=3)', "Recorder"),
]


def mypy(folder, *files):
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(folder / "mypy"), *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder,
                          env=package.environment({"MYPYPATH": str(package.FOLDER)}))


@pytest.fixture(scope="module", name="signed_set")
def set_signed_with_a_key(tmp_path_factory):
    folder = tmp_path_factory.mktemp("signed")
    (folder / "home").mkdir()
    place, skua = networks.Place(folder), programs.Programs(folder / "home")
    skua.ok("keygen", folder / "flight")
    yaml = place.set_yaml(tiny_networks(place.models))
    skua.ok(*place.provision_arguments(yaml), "--sign", folder / "flight.key", "--json")
    return place


def test_the_readme_shows_the_example():
    """Some lines of it in a row, word for word."""
    (quoted,) = re.findall(r"^```python\n(.*?)^```$", (package.ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert "load_flight_set" in quoted and "\n" + quoted in EXAMPLE.read_text()


def test_the_example_runs(signed_set):
    code = f"import runpy, sys; sys.argv[0] = {str(EXAMPLE)!r}; runpy.run_path(sys.argv[0])"
    told = package.run(code, signed_set.current(), "add_relu", signed_set.folder / "flight.pub")
    assert told.startswith("y (1, 8) "), told


def test_control_another_key_is_refused(signed_set, tmp_path):
    (tmp_path / "home").mkdir()
    programs.Programs(tmp_path / "home").ok("keygen", tmp_path / "other")
    code = f"import runpy, sys; sys.argv[0] = {str(EXAMPLE)!r}; runpy.run_path(sys.argv[0])"
    with package.start(code, signed_set.current(), "add_relu", tmp_path / "other.pub") as process:
        stderr = package.end_of(process)[1]
    assert process.returncode == 1 and "ManifestError" in stderr and "signature_key_unknown" in stderr


@pytest.mark.skipif(not (package.FOLDER / "skua" / "_skua.pyi").exists(), reason="a build under a sanitizer has no stub")
def test_example_package_and_stub_pass_mypy(tmp_path):
    done = mypy(tmp_path, EXAMPLE, package.FOLDER / "skua")
    assert done.returncode == 0, done.stdout + done.stderr
    # The control: each of these lines is found.
    source = EXAMPLE.read_text()
    (tmp_path / "wrong.py").write_text(source + "".join(line + "\n" for line, _ in WRONG))
    done = mypy(tmp_path, tmp_path / "wrong.py")
    for number, (line, word) in enumerate(WRONG, len(source.splitlines()) + 1):
        found = [told for told in done.stdout.splitlines() if told.startswith(f"wrong.py:{number}: error")]
        assert found and any(word in told for told in found), f"{line}\n{done.stdout}"


def test_the_version_is_the_projects():
    import re
    import tomllib

    version = re.search(r"^project\(skua VERSION (\S+)", (package.ROOT / "CMakeLists.txt").read_text(), re.MULTILINE)[1]
    for project in ("pyproject.toml", "packaging/airborne-python/pyproject.toml"):
        document = tomllib.loads((package.ROOT / project).read_text("utf-8"))
        assert document["project"]["version"] == version
        pinned = set((package.ROOT / "requirements.txt").read_text().replace("_", "-").split())
        assert set(document["build-system"]["requires"]) <= pinned, "built with what CI has"
