"""Scripts that build stop where a question that they ask has no answer: in a tree with the scripts, and programs that write down how
they are called."""

import os
import pathlib
import shutil
import subprocess

import pytest

import readme_python

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Tree:
    def __init__(self, folder):
        self.folder = folder
        for name in ("bin", "scripts", "out/packages"):
            (folder / name).mkdir(parents=True)
        for path in [*(ROOT / "scripts").glob("*.sh"), ROOT / "Makefile", ROOT / "CMakeLists.txt"]:
            shutil.copy(path, folder / path.relative_to(ROOT))
        self.put("scripts/setup.sh", "")
        for name in ("cmake", "dpkg-deb", "dpkg-shlibdeps", "file"):
            self.put(f"bin/{name}", f'echo "{name} $*" >>{folder}/called\n')
        (folder / "out/packages/of_before.deb").touch()

    def put(self, name, text):
        path = self.folder / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{text}", "ascii")
        path.chmod(0o755)

    def start(self, *command):
        """What is left to run after cmake is not there: only what was called is looked at, and how a script stopped before."""
        variables = {"PATH": f"{self.folder}/bin:{os.environ['PATH']}", "HOME": str(self.folder), "SKUA_SETUP_SYSTEM": "no"}
        return subprocess.run(command, cwd=self.folder, env=variables, capture_output=True, text=True, check=False)

    def called(self):
        file = self.folder / "called"
        return file.read_text("ascii").splitlines() if file.exists() else []


@pytest.fixture(name="tree")
def tree_of_scripts(tmp_path):
    return Tree(tmp_path)


def test_packages_are_not_built_where_git_cannot_name_the_commit(tree):
    (tree.folder / ".git").mkdir()
    done = tree.start("scripts/packages.sh")
    assert done.returncode == 1 and done.stderr.count("source_version: ") == 1 and tree.called() == []
    assert (tree.folder / "out/packages/of_before.deb").exists()


def test_control_packages_of_a_copy_are_built_and_of_no_known_commit(tree):
    tree.start("scripts/packages.sh")
    assert "cmake --preset package -DSKUA_SOURCE_VERSION=~unknown" in tree.called()


BUILDING = {"packages": ["scripts/packages.sh"], "bench": ["scripts/bench.sh"], "demo": ["scripts/demo.sh"],
            "parity": ["scripts/parity.sh"], "reference": ["scripts/reference.sh"], "make build": ["make", "build"]}


@pytest.mark.parametrize("name", BUILDING)
def test_nothing_is_built_where_the_number_of_compilers_is_not_known(tree, name):
    tree.put("scripts/jobs.sh", "echo jobs: expected a line MemTotal >&2; exit 1\n")
    done = tree.start(*BUILDING[name])
    assert done.returncode != 0 and "jobs: expected a line MemTotal" in done.stderr
    assert [call for call in tree.called() if "--build" in call] == []


@pytest.mark.parametrize("name", BUILDING)
def test_control_as_many_are_started_as_it_says(tree, name):
    tree.put("scripts/jobs.sh", "echo 7\n")
    tree.start(*BUILDING[name])
    first = [call for call in tree.called() if "--build" in call][0]
    assert " --parallel 7" in first


@pytest.mark.parametrize(("blocks", "told"), [(0, "expected a block below"), (2, "found 2, at lines 2, 6; keep one")])
def test_readme_with_another_number_of_blocks_is_told_which(monkeypatch, tmp_path, blocks, told):
    block = "<!-- runs: scripts/readme_python.py -->\n```sh\ntrue\n```\n"
    (tmp_path / "README.md").write_text(block * blocks, "ascii")
    monkeypatch.setattr(readme_python, "ROOT", tmp_path)
    with pytest.raises(SystemExit, match=f"^readme_python: .*{told}"):
        readme_python.main()
