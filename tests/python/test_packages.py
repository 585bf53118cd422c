"""scripts/check_packages.py and scripts/try_packages.py: each finding, on small packages made here. The packages of the
build, in a clean root: scripts/try_packages.sh."""

import hashlib
import importlib.metadata
import json
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import sys

import pytest

import check_packages
import clean_root
import ground_trial
import try_packages
from test_find_tensorrt import put, tensorrt_tree

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None or shutil.which("cc") is None, reason="needs dpkg-deb and cc")

SDK = {"skua-airborne": "tensorrt: not built\npytorch_fp16: libtorch 2.13.0 at /opt/libtorch/lib/libtorch.so, not shipped\n"
                        "onnx_trt_ep: not in this package, it never flies\n",
       "skua-ground": "tensorrt: not built\npytorch_fp16: libtorch 2.13.0 at /opt/libtorch/lib/libtorch.so, not shipped\n"
                      "onnx_trt_ep: ONNX Runtime 1.23.x at /opt/onnxruntime/lib/libonnxruntime.so, not shipped\n"}
FOREIGN = b"/build/of/somebody/"
VERSION = "0.1.0+git20261130120000.0123456789ab"


def compiled(path, source="int nothing(void) { return 0; }\n", *options):
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-o", path, "-", *options], input=source, text=True, check=True)


class Fakes:
    """Two small packages, as trees to change before they are packed."""

    def __init__(self, folder, library):
        self.folder = folder
        for name, prefix in check_packages.NAMES.items():
            for folder_of in ("lib", "bin"):
                (self.tree(name) / prefix / folder_of).mkdir(parents=True)
            shutil.copy(library, self.tree(name) / prefix / "lib" / "libskua.so.0")
            documents = self.tree(name) / "usr/share/doc" / name
            documents.mkdir(parents=True)
            (documents / "SDK").write_text(f"What is expected.\n\n{SDK[name]}")
            self.control(name)
        shutil.copy(library, self.tree("skua-airborne") / "opt/skua/bin/skua-flight")
        (self.tree("skua-ground") / "opt/skua-ground/bin/skua").write_text("a program")

    def tree(self, name):
        return self.folder / "trees" / name

    def control(self, name, version=VERSION, depends="libc6", sdk=None):
        folder = self.tree(name) / "DEBIAN"
        folder.mkdir(exist_ok=True)
        lines = (sdk or SDK[name]).strip().replace("\n", "\n ")
        (folder / "control").write_text(f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nDepends: {depends}\n"
                                        f"Maintainer: Nobody <nobody@nowhere.invalid>\nDescription: short\n .\n {lines}\n")

    def findings(self):
        out = self.folder / "packages"
        out.mkdir()
        for name in check_packages.NAMES:
            subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", self.tree(name), out / f"{name}.deb"],
                           check=True, capture_output=True)
        sums = [f"{hashlib.sha256(deb.read_bytes()).hexdigest()}  {deb.name}\n" for deb in sorted(out.glob("*.deb"))]
        (out / "SHA256SUMS").write_text("".join(sums))
        return check_packages.check(out, [FOREIGN])


@pytest.fixture(scope="module", name="library")
def any_library(tmp_path_factory):
    library = tmp_path_factory.mktemp("library") / "libany.so"
    compiled(library)
    return library


@pytest.fixture(name="fakes")
def small_packages(tmp_path, library):
    return Fakes(tmp_path, library)


def test_packages_that_are_right_have_no_findings(fakes):
    assert fakes.findings() == []


def test_a_compiler_module_in_the_airborne_package_is_found(fakes):
    compiled(fakes.tree("skua-airborne") / "opt/skua/lib/libskua_runtime_tensorrt.so",
             "void *skua_compiler_module(void) { return 0; }\n")
    assert any("exports ['skua_compiler_module']" in text for text in fakes.findings())


@pytest.mark.parametrize("name", ["opt/skua/lib/libskua.so.0", "DEBIAN/postinst", "opt/skua/share/skua/airborne.yaml"])
def test_a_folder_of_the_machine_that_built_it_is_found(fakes, name):
    file = fakes.tree("skua-airborne") / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes((file.read_bytes() if file.exists() else b"#!/bin/sh\n") + FOREIGN)
    file.chmod(0o755)
    assert f"skua-airborne: {name}: names {FOREIGN.decode()} of the machine that built it" in fakes.findings()


def test_a_link_to_a_folder_of_that_machine_is_found(fakes):
    (fakes.tree("skua-ground") / "opt/skua-ground/bin/link").symlink_to(FOREIGN.decode() + "skua")
    assert any("bin/link: names" in text for text in fakes.findings())


def test_a_run_path_elsewhere_is_found(fakes):
    compiled(fakes.tree("skua-ground") / "opt/skua-ground/lib/libskua_x.so", "int x;\n", "-Wl,-rpath,/somewhere/else")
    assert "skua-ground: opt/skua-ground/lib/libskua_x.so: seeks libraries in '/somewhere/else'" in fakes.findings()


@pytest.mark.parametrize("name, is_linked", [("libskua_runtime_tensorrt.so", True), ("libskua_runtime_pytorch_fp16.so", False)])
def test_the_one_module_that_is_linked_may_seek_its_sdk_where_the_file_says(fakes, name, is_linked):
    sdk = SDK["skua-airborne"].replace("tensorrt: not built\n", "tensorrt: TensorRT 10.3.0 at /sdk/lib/libnvinfer.so.10, not shipped\n"
                                       "tensorrt libraries: sought in /sdk/lib /cuda/lib\n")
    (fakes.tree("skua-airborne") / "usr/share/doc/skua-airborne/SDK").write_text(f"What is expected.\n\n{sdk}")
    fakes.control("skua-airborne", sdk=sdk)
    compiled(fakes.tree("skua-airborne") / "opt/skua/lib" / name, "int skua_runtime_module;\n",
             "-Wl,-rpath,$ORIGIN:/sdk/lib:/cuda/lib")
    found = fakes.findings()
    assert (found == []) == is_linked, found


def test_a_file_in_both_is_found(fakes):
    for name in check_packages.NAMES:
        (fakes.tree(name) / "usr/bin").mkdir()
        (fakes.tree(name) / "usr/bin/skua").write_text("one of us")
    assert "usr/bin/skua: in both packages" in fakes.findings()


@pytest.mark.parametrize("mode", [0o757, 0o775])
def test_what_others_may_write_to_is_found(fakes, mode):
    (fakes.tree("skua-ground") / "opt/skua-ground/bin/skua").chmod(mode)
    assert any("writable by nobody else" in text for text in fakes.findings())


@pytest.mark.parametrize("changed, told", [({"version": "0.2.0~unknown"}, f"Version: 0.2.0~unknown and {VERSION}"),
                                           ({"version": "0.1.0"}, "Version: 0.1.0, expected one that names the commit"),
                                           ({"depends": "skua-ground"}, "depends on skua-ground"),
                                           ({"depends": "libc6\nPre-Depends: skua-ground"}, "(Pre-Depends)"),
                                           ({"depends": "libc6\nRecommends: x, skua-ground"}, "(Recommends)"),
                                           ({"sdk": "tensorrt: built"}, "the description 'built'")])
def test_control_fields_that_are_wrong_are_found(fakes, changed, told):
    fakes.control("skua-airborne", **changed)
    assert any(told in text for text in fakes.findings())


@pytest.mark.parametrize("old, new, told", [
    ("tensorrt: not built\n", "", "no line for runtime tensorrt"),
    ("/opt/libtorch/lib", "lib", "expected 'NAME VERSION at /PATH, not shipped'"),
    ("2.13.0", "2.12.0", "the description 'libtorch 2.13.0")])
def test_what_the_file_sdk_says_wrongly_is_found(fakes, old, new, told):
    file = fakes.tree("skua-airborne") / "usr/share/doc/skua-airborne/SDK"
    file.write_text(file.read_text().replace(old, new))
    assert any(told in text for text in fakes.findings())


def test_wrong_sums_are_found(fakes):
    assert fakes.findings() == []
    sums = fakes.folder / "packages" / "SHA256SUMS"
    sums.write_text(sums.read_text().replace("skua-ground", "skua-other"))
    assert any(text.startswith("SHA256SUMS: ") for text in check_packages.check(sums.parent, []))


def test_two_packages_of_one_name_are_found(fakes):
    assert fakes.findings() == []
    out = fakes.folder / "packages"
    shutil.copy(out / "skua-ground.deb", out / "a-second.deb")
    sums = (out / "SHA256SUMS").read_text()
    (out / "SHA256SUMS").write_text(sums + sums.splitlines()[1].replace("skua-ground.deb", "a-second.deb") + "\n")
    assert check_packages.check(out, []) == ["a-second.deb: a second package skua-ground"]


def test_a_missing_package_proves_nothing(fakes):
    assert fakes.findings() == []
    (fakes.folder / "packages" / "skua-ground.deb").unlink()
    assert any("expected the packages" in text for text in check_packages.check(fakes.folder / "packages", []))


def test_this_machines_folders_are_looked_for():
    assert f"{check_packages.ROOT}/".encode() in check_packages.build_folders()
    for clone in ("/opt/skua-source", "/usr/src/skua-source"):  # every package names /opt
        folders = check_packages.build_folders(pathlib.Path(clone))
        assert f"{clone}/".encode() in folders and not {b"/opt/", b"/usr/src/"} & set(folders)


# ---- what a trial makes of answers ----------------------------------------------------------------------------------

def answer(status, stderr):
    return subprocess.CompletedProcess([], status, "", stderr)


@pytest.mark.parametrize("status, stderr", [(0, "airborne_bootstrap: x [no_sdk]\n"), (5, "x [no_sdk]\n"), (5, ""),
                                            (5, "airborne_bootstrap: x [other]\n"),
                                            (5, "airborne_bootstrap: x [no_sdk]\nand more\n")])
def test_another_refusal_is_noticed(status, stderr):
    assert try_packages.refusal_problem(answer(5, "airborne_bootstrap: x [no_sdk]\n"), 5, "no_sdk") == ""
    assert try_packages.refusal_problem(answer(status, stderr), 5, "no_sdk") != ""


def doctor(**changed):
    torch = {"label": "pytorch_fp16", "is_built": True, "is_loadable": False, "reason": "cannot open /opt/libtorch.so",
             "expects": {"sdk": "libtorch", "version": "2.13.0", "library": "/opt/libtorch.so"}}
    return {"runtimes": [{"label": "tensorrt", "is_built": False}, torch | changed]}


SAID = {"tensorrt": "not built", "pytorch_fp16": "libtorch 2.13.0 at /opt/libtorch.so, not shipped"}


def test_doctor_and_the_file_agree():
    assert try_packages.doctor_problem(doctor(), SAID, is_loadable=False) == ""
    further = {"runtimes": [*doctor()["runtimes"], {"label": "toy", "is_built": True, "is_loadable": True}]}
    assert try_packages.doctor_problem(further, SAID | {"toy": "no SDK library stated"}, is_loadable=False) == ""
    assert "the file SDK 'no line'" in try_packages.doctor_problem(further, SAID, is_loadable=False)


@pytest.mark.parametrize("changed, told", [
    ({"is_loadable": True}, "is_loadable True"), ({"reason": "no reason"}, "does not name /opt/libtorch.so"),
    ({"expects": {"sdk": "libtorch", "version": "2.12.0", "library": "/opt/libtorch.so"}}, "skua doctor says"),
    ({"is_built": False}, "skua doctor says 'not built'")])
def test_a_doctor_that_says_something_else_is_noticed(changed, told):
    assert told in try_packages.doctor_problem(doctor(**changed), SAID, is_loadable=False)


def test_what_a_purge_leaves_is_noticed():
    kept = {"/etc/skua", "/etc/skua/airborne.yaml", "/var/lib/skua", "/var/lib/skua/state/ratchet"}
    assert try_packages.leftovers(kept, "skua:x:999:999::/nonexistent:/usr/sbin/nologin\n") == []
    for name in ("/opt/skua", "/usr/bin/skua-flight", "/etc/systemd/system/multi-user.target.wants/skua-flight.service",
                 "/var/lib/skua/engines", "/var/lib/skua/models"):
        assert try_packages.leftovers(kept | {name}, "") == [name]
    assert try_packages.leftovers(set(), "root:x:0\nskua:x:999\n") == ["user skua"]


def test_the_pages_configuration_is_found():
    assert "trusted_key: /etc/skua/flight.pub" in try_packages.page_configuration()


def test_what_the_pages_type_is_found():
    install, dialogue = ground_trial.page_of_installing()
    assert re.fullmatch(r"sudo apt-get install --reinstall( \./out/packages/skua-(airborne|ground)_\*\.deb){2}", install)
    assert [line.split()[1] for line in dialogue if line.startswith("$ ")] == ["scripts/check_airborne.py", "skua-flight"]
    assert "target_link_libraries(first_inference skua::bootstrap)" in ground_trial.page_cmake()
    assert [command[0] for command in ground_trial.page_python()] == ["apt-get", "python3", "/opt/skua-python/bin/pip"]
    typed = ground_trial.page_commands_of_skua()
    assert {command[1] for command in typed} == {"ratchet", "recorder"}
    assert all("#" not in command and command[0] == "/opt/skua-ground/bin/skua" for command in typed)


@pytest.mark.parametrize("status, stderr, is_one", [
    (2, "skua: error: IoError: opening folder '/x': Permission denied; check owner and mode [permission_denied]\n", True),
    (5, "skua: error: ManifestError: cannot read /x: Permission denied [permission_denied]\n", True),
    (0, "", False), (127, "skua: error: x [permission_denied]\n", False), (2, "skua: error: x [not_found]\n", False),
    (1, "setpriv: failed to parse regid: 'nobody'\n", False), (2, "", False)])
def test_only_skuas_own_refusal_shows_that_somebody_is_denied(status, stderr, is_one):
    assert ground_trial.is_denied(answer(status, stderr)) == is_one


def test_who_is_become_is_in_their_own_group():
    here = clean_root.CleanRoot.__new__(clean_root.CleanRoot)  # this machine's accounts, without a copy of a tree
    here.folder = pathlib.Path("/")
    nobody = pwd.getpwnam("nobody")
    become = here.becoming("nobody")
    assert become == ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    if os.geteuid() == 0:  # none but root becomes somebody else
        assert subprocess.run([*become, "id", "-un"], capture_output=True, text=True, check=True).stdout == "nobody\n"
    with pytest.raises(clean_root.RootError, match="expected one user somebody-else, found 0"):
        here.becoming("somebody-else")


def test_the_page_names_the_oldest_python_that_the_shipped_requirements_install_on():
    listing = (ground_trial.ROOT / "cmake/SkuaPackages.cmake").read_text("ascii")
    (names,) = re.findall(r'"\^\(([\w|]+)\)=="', listing)
    asked = {name: importlib.metadata.metadata(name)["Requires-Python"] or "" for name in names.split("|")}
    oldest = {name: int(match.group(1)) for name, text in asked.items() if (match := re.search(r">=\s*3\.(\d+)", text))}
    page = ground_trial.OPERATE.read_text("ascii")
    assert f"Python 3.{max(oldest.values())} or newer" in page and oldest["numpy"] == max(oldest.values())


def test_without_root_no_clean_root_is_claimed(monkeypatch):
    monkeypatch.setattr(clean_root.os, "geteuid", lambda: 1000)
    assert clean_root.why_not().startswith("expected root")


@pytest.mark.parametrize("names", [[], ["a_1.deb", "a_2.deb"]])
def test_none_and_two_of_a_file_are_told_apart_from_one(tmp_path, names):
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(clean_root.RootError, match=f"expected one .*, found {len(names)}"):
        try_packages.one_of(tmp_path, "a_*.deb")


def mounts_below(folder):
    lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if line.split()[4].startswith(f"{folder}/")]


@pytest.fixture(name="debootstrap")
def a_debootstrap(tmp_path, monkeypatch):
    """A program of that name, which mounts as it does and then goes on as a test says."""
    if clean_root.why_not():
        pytest.skip(clean_root.why_not())
    program = tmp_path / "bin" / "debootstrap"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(clean_root, "release_and_mirror", lambda: ("bookworm", "http://mirror.invalid"))

    def goes_on(text):
        program.write_text(f'#!/bin/sh\nmkdir -p "$3/proc" && mount -t tmpfs none "$3/proc" && touch "$3/proc/mounted" || exit 9\n{text}\n')
        program.chmod(0o755)
    return goes_on


def test_a_debootstrap_that_is_killed_leaves_nothing_mounted(debootstrap, tmp_path):
    debootstrap("kill -KILL $$")
    kept = tmp_path / "kept"
    (kept / "bookworm.123" / "usr").mkdir(parents=True)  # of a run that was killed as a whole
    with pytest.raises(clean_root.RootError, match="debootstrap: exit status -9"):
        clean_root.kept_tree(kept)
    assert mounts_below(kept) == [] and [path.name for path in kept.iterdir()] == ["lock"]


def test_control_a_tree_is_kept_and_made_once(debootstrap, tmp_path):
    debootstrap("exit 0")
    tree = clean_root.kept_tree(tmp_path / "kept")
    assert tree.is_dir() and mounts_below(tmp_path / "kept") == [] and not (tree / "proc" / "mounted").exists()
    debootstrap("exit 1")
    assert clean_root.kept_tree(tmp_path / "kept") == tree


def test_a_machine_that_cannot_is_told_so_and_fails():
    as_nobody = ["setpriv", "--reuid=65534"] if os.geteuid() == 0 else []
    result = subprocess.run([*as_nobody, sys.executable, try_packages.__file__, "/usr"], capture_output=True, text=True,
                            check=False, cwd="/")
    assert result.returncode == 1 and "no clean root can be made here" in result.stderr, result.stderr


def test_the_presets_paths_are_what_a_package_expects():
    """None of a developer's machine."""
    presets = json.loads((check_packages.ROOT / "CMakePresets.json").read_text("ascii"))["configurePresets"]
    found = next(preset for preset in presets if preset["name"] == "package")["cacheVariables"]
    assert {name for name in found if name.endswith("_RUNTIME_PATH")} == {"SKUA_TORCH_RUNTIME_PATH",
                                                                          "SKUA_ONNXRUNTIME_RUNTIME_PATH"}
    assert all(path.startswith("/opt/") for path in found.values())


def configured(tmp_path, *options):
    """The files SDK, by package, of a configuration with TensorRT as on a Jetson; the SDK's files are empty."""
    sdk = tensorrt_tree(tmp_path / "trt")
    put(tmp_path / "cuda/include/cuda_runtime_api.h")
    put(tmp_path / "cuda/lib64/libcudart.so")
    command = ["cmake", "-S", check_packages.ROOT, "-B", tmp_path / "build", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
               f"-DTENSORRT_ROOT={sdk}", f"-DCUDA_ROOT={tmp_path / 'cuda'}", "-DBUILD_TENSORRT_RUNTIME=ON", "-DSKUA_BUILD_TESTS=OFF",
               "-DBUILD_PYTORCH_FP16_RUNTIME=OFF", "-DBUILD_ONNX_TRT_EP_RUNTIME=OFF", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    read = {name: (tmp_path / "build/packaging" / f"SDK-{name.removeprefix('skua-')}") for name in check_packages.NAMES}
    return done, {name: check_packages.sdk_lines(file.read_text()) for name, file in read.items() if file.exists()}


def test_a_jetsons_package_says_where_tensorrt_is(tmp_path):
    done, said = configured(tmp_path)
    assert done.returncode == 0, done.stderr
    for lines in said.values():
        assert lines["tensorrt"] == f"TensorRT 10.3.0 at {tmp_path}/trt/lib/libnvinfer.so.10, not shipped"
        assert lines["tensorrt libraries"] == f"sought in {tmp_path}/trt/lib {tmp_path}/cuda/lib64"
        assert lines["pytorch_fp16"] == "not built"


def test_a_version_names_the_commit_and_the_build_id_does_not(tmp_path):
    packaging, build_id = tmp_path / "build/packaging", tmp_path / "build/generated/skua_build_id.h"
    seen = []
    for version in ("~unknown", "+git20261130120000.0123456789ab"):
        configured(tmp_path, f"-DSKUA_SOURCE_VERSION={version}")
        for name in ("airborne", "ground"):
            assert f'include("{tmp_path}/build/CPackConfig.cmake")' in (packaging / f"{name}.cmake").read_text("utf-8")
        seen.append(build_id.read_bytes())
        configuration = (tmp_path / "build/CPackConfig.cmake").read_text("utf-8")
        (said,) = re.findall(r'^set\(CPACK_DEBIAN_PACKAGE_VERSION "(.*)"\)$', configuration, re.MULTILINE)
        assert said.endswith(version) and check_packages.VERSION.fullmatch(said)
    assert seen[0] == seen[1] and b"interface-" in seen[0]


def test_a_template_names_a_runtime_that_is_in_the_package(tmp_path):
    template = tmp_path / "build/packaging/airborne.yaml"
    configured(tmp_path)
    of_a_jetson = template.read_text("ascii")
    example = (check_packages.ROOT / "docs/examples/airborne.yaml").read_text("ascii")
    assert "    runtime: tensorrt\n" in of_a_jetson and "runtime: pytorch_fp16" not in of_a_jetson
    assert of_a_jetson == example.replace("runtime: pytorch_fp16", "runtime: tensorrt") != example


def test_a_path_where_it_will_be_wins_and_must_be_absolute(tmp_path):
    _, said = configured(tmp_path, "-DSKUA_TENSORRT_RUNTIME_PATH=/opt/trt/lib;/opt/cuda/lib64")
    assert said["skua-airborne"]["tensorrt"] == "TensorRT 10.3.0 at /opt/trt/lib/libnvinfer.so.10, not shipped"
    assert said["skua-ground"]["tensorrt libraries"] == "sought in /opt/trt/lib /opt/cuda/lib64"
    done, _ = configured(tmp_path, "-DSKUA_TENSORRT_RUNTIME_PATH=lib")
    assert done.returncode != 0 and "SKUA_TENSORRT_RUNTIME_PATH=lib: expected an absolute path" in " ".join(done.stderr.split())
