"""Tests import modules of these folders by their name alone, in one process: two of one name would be taken for each other."""

import collections
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("scripts", "benchmarks", "models", "tests/support", "tests/e2e", "tests/python", "tests/stack")
PYTEST_S = {"conftest"}


def twice(root):
    """Test files are not imported by others."""
    names = collections.Counter(path.stem for folder in FOLDERS for path in (root / folder).glob("*.py")
                                if not path.stem.startswith("test_"))
    return sorted(name for name, count in names.items() if count > 1 and name not in PYTEST_S)


def test_every_module_has_a_name_of_its_own():
    assert twice(ROOT) == []


def test_control_two_of_one_name_are_found(tmp_path):
    for folder in ("scripts", "benchmarks"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "artifacts.py").touch()
    assert twice(tmp_path) == ["artifacts"]
