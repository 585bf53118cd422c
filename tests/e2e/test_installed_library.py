"""A program of somebody else's, built on what is installed for the ground: docs/examples/first_inference.cpp by the CMakeLists.txt
of docs/reference/cpp.md, against a moved installation and nothing of this tree."""

import os
import shutil
import subprocess

import pytest

import airborne_package
import howto_pages
import programs
from places import Place
from tiny_models import add_relu

PAGE = programs.ROOT / "docs/reference/cpp.md"
EXAMPLE = programs.ROOT / "docs/examples/first_inference.cpp"
# Calls what the public headers declare and the archive holds.
CALLS_ALL = """#include "skua/airborne_bootstrap.h"
#include "skua/runtime_factory.h"
int main(int argc, char**) {
  if (argc > 1) {
    skua::RuntimeConfig runtime;
    (void)skua::resolve_defaults(runtime).ok();
    (void)skua::build_pre_constructed({}, {}).ok();
    (void)skua::build_inference_runtime({}).ok();
  }
  const skua::ConsumerFactory factory{"c2_vpr", {}};
  const auto composed = skua::compose_root({}, {}, {&factory, 1});
  const bool refused = !composed.ok() && !skua::operator_text(composed.error()).empty();
  return refused && !skua::find_built_runtime("no_runtime").ok() && skua::runtime_registry().size() >= 3 ? 0 : 1;
}
"""


@pytest.fixture(scope="module", name="installed")
def installed_once(tmp_path_factory):
    """Both components, as the package skua-ground has them, moved after they were installed."""
    folder = tmp_path_factory.mktemp("library")
    for component in ("airborne", "ground"):
        airborne_package.install(component, folder / "first")
    return (folder / "first").rename(folder / "moved")


def page(language, number=0):
    return [block.text for block in howto_pages.blocks_of(PAGE) if block.language == language][number]


def build(folder, prefix, source, number=0):
    """Builds `source` as first_inference.cpp by the page's commands, of which there are two sets. Returns what they said."""
    folder.mkdir()
    (folder / "CMakeLists.txt").write_text(page("cmake"), "ascii")
    (folder / "first_inference.cpp").write_text(source, "ascii")
    environment = {"PATH": os.environ["PATH"], **{name: os.environ[name] for name in ("CXX",) if name in os.environ}}
    commands = page("sh", number).replace("/opt/skua-ground", str(prefix))
    done = subprocess.run(["bash", "-ec", commands], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def run(program, *arguments):
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False, cwd="/",
                          env={"PATH": "/usr/bin:/bin"}, timeout=programs.TIMEOUT_S)


def needed(program):
    said = subprocess.run(["readelf", "-d", program], capture_output=True, text=True, check=True).stdout
    return {line.rsplit("[", 1)[1].rstrip("]") for line in said.splitlines() if "(NEEDED)" in line}


def test_readmes_ten_lines_run_on_a_signed_set(installed, tmp_path, skua):
    said = build(tmp_path / "program", installed, EXAMPLE.read_text("ascii"))
    program = tmp_path / "program/build/first_inference"
    assert program.exists(), said
    place = Place(tmp_path)
    yaml = place.set_yaml([{"name": "add_relu", "onnx": add_relu(place.models / "add_relu.onnx"), "precision": "fp32"}])
    skua.ok("keygen", tmp_path / "flight")
    skua.ok(*place.provision_arguments(yaml), "--sign", tmp_path / "flight.key")
    done = run(program, place.current(), "add_relu", tmp_path / "flight.pub")
    assert done.returncode == 0 and done.stdout.startswith("1x8 "), done.stdout + done.stderr
    assert "libskua.so.0" in needed(program)


def test_all_that_the_headers_declare_needs_libskua_alone(installed, tmp_path):
    said = build(tmp_path / "program", installed, CALLS_ALL)
    program = tmp_path / "program/build/first_inference"
    assert program.exists(), said
    assert not {name for name in needed(program) if not name.startswith(("libskua.so.", "libstdc++", "libc.", "libm.", "libgcc_s"))}
    assert run(program).returncode == 0


def test_without_cmake_the_pages_compiler_call_will_do(installed, tmp_path):
    said = build(tmp_path / "program", installed, EXAMPLE.read_text("ascii"), 1)
    assert (tmp_path / "program/first_inference").exists(), said
    assert run(tmp_path / "program/first_inference").returncode == 2, "it wants three arguments"


def test_nothing_of_this_tree_is_named(installed):
    for name in ("skuaConfig.cmake", "skuaConfigVersion.cmake"):
        text = (installed / "lib/cmake/skua" / name).read_text("utf-8")
        assert str(programs.ROOT) not in text and "$<" not in text and "@" not in text


@pytest.mark.parametrize("name", ["lib/libskua_bootstrap.a", "lib/libskua.so"])
def test_control_half_an_installation_is_refused_by_name(installed, tmp_path, name):
    half = shutil.copytree(installed, tmp_path / "half", symlinks=True)
    (half / name).unlink()
    said = build(tmp_path / "program", half, EXAMPLE.read_text("ascii"))
    assert not (tmp_path / "program/build/first_inference").exists() and f"expected {half}/{name}, found none" in " ".join(said.split())
