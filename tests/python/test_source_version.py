"""scripts/source_version.sh: which commit a tree is, in words that Debian orders by the commits' times."""

import pathlib
import re
import shutil
import subprocess

import pytest

import artifacts
import check_packages

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts/source_version.sh"
pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def git(folder, *arguments, when="2026-11-30T12:00:00+0300"):
    variables = {"GIT_COMMITTER_DATE": when, "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": str(folder), "PATH": "/usr/bin:/bin"}
    identity = ["-c", "user.name=Nobody", "-c", "user.email=nobody@nowhere.invalid"]
    return subprocess.run(["git", *identity, *arguments], cwd=folder, env=variables, check=True, capture_output=True,
                          text=True).stdout.strip()


def script(folder, **variables):
    surroundings = {"PATH": "/usr/bin:/bin", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(folder)}
    return subprocess.run(["bash", SCRIPT, folder], capture_output=True, text=True, check=False, env=surroundings | variables)


def version(folder, zone="UTC0"):
    done = script(folder, TZ=zone)
    assert done.returncode == 0, done.stderr
    ending, commit = done.stdout.split()
    assert check_packages.VERSION.fullmatch(f"0.1.0{ending}")
    return ending, commit


@pytest.fixture(name="tree")
def repository(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text("/build/\n")
    (tmp_path / "file").write_text("first")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "First")
    return tmp_path


def test_a_commit_is_named_with_its_time_wherever_it_is_read(tree):
    commit = git(tree, "rev-parse", "HEAD")
    assert version(tree) == (f"+git20261130090000.{commit[:12]}", commit)
    assert version(tree, "Pacific/Auckland") == version(tree)


@pytest.mark.parametrize("name", ["file", "new"])
def test_what_no_commit_has_is_told(tree, name):
    clean = version(tree)
    (tree / "build").mkdir()
    (tree / "build" / "program").write_text("ignored")
    assert version(tree) == clean
    (tree / name).write_text("changed")
    assert version(tree) == (f"{clean[0]}.dirty", f"{clean[1]}-dirty")


def test_a_later_commit_is_a_higher_version_and_an_unknown_one_the_lowest(tree):
    first = version(tree)[0]
    git(tree, "commit", "-q", "--allow-empty", "-m", "Second", when="2026-11-30T12:00:01+0300")
    for lower, higher in ((first, version(tree)[0]), ("~unknown", first), (first, f"{first}.dirty")):
        subprocess.run(["dpkg", "--compare-versions", f"0.1.0{lower}", "lt", f"0.1.0{higher}"], check=True)


def test_outside_of_a_repository_and_within_another_ones_folder_nothing_is_claimed(tree):
    (tree / "copy").mkdir()
    assert version(tree / "copy") == ("~unknown", "unknown")
    shutil.rmtree(tree / ".git")
    assert version(tree) == ("~unknown", "unknown")


# ---- a repository that git cannot read --------------------------------------------------------------------------------------

def take_head(tree):
    (tree / ".git" / "HEAD").unlink()
    return {}


def give_it_to_somebody_else(_tree):
    return {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}  # as git's own tests do where nobody is root


def uninstall_git(tree):
    (tree / "bin").mkdir()
    for tool in ("bash", "dirname"):
        (tree / "bin" / tool).symlink_to(shutil.which(tool))
    return {"PATH": str(tree / "bin")}


def forget_every_commit(tree):
    shutil.rmtree(tree / ".git")
    git(tree, "init", "-q")
    return {}


BROKEN = [(take_head, "not a git repository"), (give_it_to_somebody_else, "dubious ownership"),
          (uninstall_git, "git: command not found"), (forget_every_commit, "'git rev-parse --verify HEAD' fails")]


@pytest.mark.parametrize(("breaks", "why"), BROKEN)
def test_a_repository_that_git_cannot_read_is_no_unknown_one(tree, breaks, why):
    done = script(tree, **breaks(tree))
    assert (done.returncode, done.stdout) == (1, "")
    assert why in done.stderr and f"source_version: {tree}/.git is there, and " in done.stderr and "remove .git" in done.stderr


def test_a_repository_within_another_one_that_git_does_not_see_is_none(tree):
    (tree / "copy" / ".git").mkdir(parents=True)
    done = script(tree / "copy")
    assert (done.returncode, done.stdout) == (1, "") and f"git takes this for a part of {tree}" in done.stderr


def test_nothing_is_left_of_a_tree_whose_commit_cannot_be_read(monkeypatch, tmp_path):
    """What is left beside packages names the commit, too."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(SCRIPT, tmp_path / "scripts")
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(artifacts, "ROOT", tmp_path)
    with pytest.raises(artifacts.ArtifactError, match="source_version: .*is there, and"):
        artifacts.source_version()
    (tmp_path / ".git").rmdir()
    assert artifacts.source_version() == ("~unknown", "unknown")


def test_the_commit_is_hexadecimal(tree):
    assert re.fullmatch("[0-9a-f]{40}", version(tree)[1])
