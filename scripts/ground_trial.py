"""What somebody does with the ground package in a clean root: steps of scripts/try_packages.py. Each returns what is wrong."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

import check_packages
import howto_pages
from clean_root import BROUGHT, CleanRoot, RootError

ROOT = pathlib.Path(__file__).resolve().parents[1]
GROUND = "/opt/skua-ground"
CPP_PAGE = ROOT / "docs" / "reference" / "cpp.md"
OPERATE = ROOT / "docs" / "howto" / "operate.md"
REPORT = ROOT / "docs" / "howto" / "report.md"
TEMPLATE = "/opt/skua/share/skua/airborne.yaml"
PYTHON = "/opt/skua-python"
WHEELS = f"{BROUGHT}/wheels"
AS_SKUA = f"sudo -u skua {GROUND}/bin/skua "
REFUSALS = (2, 5)  # exit statuses of a command that may not read or write (docs/reference/cli.md)


def page_cmake() -> str:
    """The CMakeLists.txt of a program of somebody else's, as the page has it."""
    blocks = [block.text for block in howto_pages.blocks_of(CPP_PAGE) if block.language == "cmake"]
    if len(blocks) != 1:
        raise RootError(f"{CPP_PAGE}: expected one block of cmake, found {len(blocks)}")
    return blocks[0]


def build_program(source: pathlib.Path, prefix: pathlib.Path) -> pathlib.Path:
    """README's ten lines, compiled on this machine: no compiler is in the root. Nothing but `prefix` is Skua's."""
    source.mkdir()
    (source / "CMakeLists.txt").write_text(page_cmake(), "ascii")
    shutil.copy(ROOT / "docs" / "examples" / "first_inference.cpp", source)
    where = [f"-DCMAKE_PREFIX_PATH={prefix}", "-DCMAKE_BUILD_WITH_INSTALL_RPATH=ON", f"-DCMAKE_INSTALL_RPATH={GROUND}/lib"]
    for command in (["-S", source, "-B", source / "build", *where], ["--build", source / "build"]):
        done = subprocess.run(["cmake", *map(str, command)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RootError(f"cmake {' '.join(map(str, command))}: {done.stdout}{done.stderr}")
    return source / "build" / "first_inference"


def program_on_it(root: CleanRoot, source: pathlib.Path) -> str:
    """Built against what is installed in the root, and run there on a set of ONNX Runtime's."""
    shutil.copy(build_program(source, root.path(GROUND).resolve()), root.path(BROUGHT))
    root.path(f"{BROUGHT}/onnx.yaml").write_text(json.dumps({
        "runtime": "onnx_trt_ep", "execution_provider": "cpu",
        "networks": [{"name": "demo_vpr", "onnx": "/srv/set/models/demo_vpr.onnx", "precision": "fp32"}]}), "ascii")
    root.ok("skua", "provision", f"{BROUGHT}/onnx.yaml", "--out", f"{BROUGHT}/onnx", "--cache", f"{BROUGHT}/cache", "--sign",
            f"{BROUGHT}/flight.key")
    current = root.path(f"{BROUGHT}/onnx/CURRENT").read_text("ascii").strip()
    told = root.ok(f"{BROUGHT}/first_inference", f"{BROUGHT}/onnx/{current}", "demo_vpr", f"{BROUGHT}/flight.pub")
    print(f"      {told.strip()}")
    return "" if re.fullmatch(r"1x\d+ -?[\d.e-]+\n", told) else f"expected a shape and a value, found {told}"


def page_commands_of_skua() -> list[list[str]]:
    """What the how-to types as the user that flies, with the ground tool."""
    lines = OPERATE.read_text("ascii").splitlines()
    typed = [line.removeprefix("$ ") for line in lines if line.removeprefix("$ ").startswith(AS_SKUA)]
    return [shlex.split(line.removeprefix("sudo -u skua "), comments=True) for line in typed]


def is_denied(done: subprocess.CompletedProcess[str]) -> bool:
    """Skua itself says that it may not; a command that could not be started as somebody else shows nothing."""
    return done.returncode in REFUSALS and re.fullmatch(r"skua: error: .*\[permission_denied\]\n", done.stderr) is not None


def commands_of_the_user_that_flies(root: CleanRoot) -> str:
    """They work as that user, and, as a control, as no other but root: its folders are its own. Nobody can run others."""
    commands = page_commands_of_skua()
    if len(commands) < 4:
        return f"expected four commands on the page, found {commands}"
    root.ok(f"{GROUND}/bin/skua", "--version", user="nobody")
    for command in commands:
        allowed, denied = root.run(*command, user="skua"), root.run(*command, user="nobody")
        if allowed.returncode != 0 or not allowed.stdout:
            return f"{shlex.join(command)}: status {allowed.returncode}: {allowed.stdout}{allowed.stderr}"
        if not is_denied(denied):
            return (f"{shlex.join(command)}: expected Skua's refusal for the user nobody, found status {denied.returncode}: "
                    f"{denied.stdout}{denied.stderr}")
    return ""


def reports_of_a_flight(root: CleanRoot) -> dict[str, str]:
    """The folder that the page makes for them, and the options that write them there, by the page's names."""
    made = howto_pages.claimed_alone(REPORT, "scripts/ground_trial.py")
    root.ok(*shlex.split(made.text.removeprefix("sudo ")))
    folder = shlex.split(made.text)[-1]
    return dict(re.findall(rf"(--[\w-]+) ({folder}/\S+)", REPORT.read_text("ascii")))


def reports_problem(root: CleanRoot, reports: dict[str, str]) -> str:
    """Both are written, by the user that flies. They go before the packages are purged."""
    if set(reports) != {"--report", "--frame-lines"}:
        return f"{REPORT}: expected where a flight's report and frame lines go, found {reports}"
    sizes = {file: root.path(file).stat().st_size for file in reports.values() if root.path(file).exists()}
    shutil.rmtree(root.path(reports["--report"]).parent)
    return "" if len(sizes) == 2 and all(sizes.values()) else f"expected {sorted(reports.values())}, found {sizes}"


def bring_wheels(root: CleanRoot, folder: pathlib.Path) -> None:
    """What pip installs in the root, fetched by this machine's pip, which knows where from; the same Python reads them."""
    requirements = root.path(f"{GROUND}/share/skua/python/requirements.txt")
    done = subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--only-binary", ":all:", "--dest", folder, "-r",
                           requirements], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RootError(f"pip download: {done.stdout}{done.stderr}")
    root.mount(folder, WHEELS)


def page_python() -> list[list[str]]:
    """The commands that make the Python of `skua quantize`."""
    blocks = [block.text for block in howto_pages.claimed(OPERATE, "scripts/ground_trial.py") if PYTHON in block.text]
    if len(blocks) != 1:
        raise RootError(f"{OPERATE}: expected one block with {PYTHON}, found {len(blocks)}")
    return [shlex.split(line.removeprefix("sudo ")) for line in blocks[0].splitlines()]


def on_the_page(command: str, root: CleanRoot) -> str:
    """What a command of the how-to prints: a script of the tree on this machine, which the root has not, the others in the root."""
    if command.startswith("scripts/"):
        typed = shlex.split(command.replace("/opt/skua", str(root.path("/opt/skua").resolve())))
        done = subprocess.run([sys.executable, *typed], cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RootError(f"{command}: status {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout
    inside = command.removeprefix("sudo ").replace("apt-get install ", "apt-get install -y -q ")
    return root.ok("sh", "-euc", inside.replace("./out/packages", BROUGHT), network=inside.startswith("apt-get "))


def page_of_installing() -> tuple[str, list[str]]:
    """The command that installs both packages (`make packages` made what is here), and the dialogue that looks at them."""
    blocks = howto_pages.claimed(OPERATE, "scripts/ground_trial.py")
    script = next(block for block in blocks if block.language == "sh")
    dialogue = next(block for block in blocks if block.language == "console")
    made, *install = script.text.splitlines()
    if not made.startswith("make packages") or len(install) != 1 or dialogue.text.count("$ ") != 2:
        raise RootError(f"{OPERATE}: expected make packages, one command to install and two to look, found {made}, {install}")
    return install[0], dialogue.text.splitlines()


def dialogue_problem(root: CleanRoot, dialogue: list[str]) -> str:
    """What the page shows of them must be printed, but for figures."""
    told = "".join(on_the_page(line.removeprefix("$ "), root) for line in dialogue if line.startswith("$ "))
    shown = [line for line in dialogue if not line.startswith("$ ") and not re.search(r"\d|^\.\.\.$", line)]
    missing = [line for line in shown if line not in told.splitlines()]
    return f"the page shows {missing}, the commands print {told[-1000:]}" if missing or not shown else ""


def rebuild(root: CleanRoot, folder: pathlib.Path) -> None:
    """Both packages again, of the same version; the airborne one has another template."""
    (airborne,), (ground,) = (list(root.path(BROUGHT).glob(f"{name}_*.deb")) for name in ("skua-airborne", "skua-ground"))
    folder.mkdir()
    shutil.copy(ground, folder)
    with tempfile.TemporaryDirectory(prefix="skua-rebuilt-") as tree:
        check_packages.tool("dpkg-deb", "--raw-extract", airborne, tree)
        pathlib.Path(tree).chmod(0o755)  # it stands for /, and is nobody else's until now
        with (pathlib.Path(tree) / TEMPLATE.lstrip("/")).open("a", encoding="ascii") as template:
            template.write("# rebuilt\n")
        check_packages.tool("dpkg-deb", "-Znone", "--build", tree, folder / airborne.name)


def replacing_problem(root: CleanRoot, install: str) -> str:
    """What was built again takes the place of what is there, though its version is the same. Without --reinstall, the control, it
    does not."""
    rebuild(root, root.path(f"{BROUGHT}/rebuilt"))
    again = install.replace("./out/packages", f"{BROUGHT}/rebuilt")
    tried = []
    for command in (again.replace(" --reinstall", ""), again, install):
        on_the_page(command, root)
        tried.append("# rebuilt" in root.path(TEMPLATE).read_text("ascii"))
    shutil.rmtree(root.path(f"{BROUGHT}/rebuilt"))
    return "" if tried == [False, True, False] else f"without --reinstall, with it, and back: expected False, True, False, found {tried}"


def installing_as_the_page_says(root: CleanRoot) -> str:
    """By the page's one command, where neither is, and where both are."""
    install, dialogue = page_of_installing()
    root.ok("apt-get", "purge", "-y", "-q", *check_packages.NAMES)
    if left := [place for place in ("/opt/skua", GROUND, "/usr/bin/skua-flight") if os.path.lexists(root.path(place))]:
        return f"expected neither package to be there, found {left}"
    on_the_page(install, root)
    return dialogue_problem(root, dialogue) or replacing_problem(root, install)


def quantize_with_its_python(root: CleanRoot, wheels: pathlib.Path) -> str:
    """By the how-to's commands, then a network in half precision. What the operator made goes before the packages are purged."""
    bring_wheels(root, wheels)
    for command in page_python():
        is_apt = command[0] == "apt-get"
        asked = [*command[:2], "-y", "-q", "--no-install-recommends", *command[2:]] if is_apt else command
        root.ok("env", "PIP_NO_INDEX=1", f"PIP_FIND_LINKS={WHEELS}", *asked, network=is_apt)
    told = json.loads(root.ok("skua", "quantize", "/srv/set/models/demo_vpr.onnx", "--precision", "fp16", "--out",
                              f"{BROUGHT}/half/demo_vpr.onnx", "--json"))
    made = root.path(f"{BROUGHT}/half/demo_vpr.onnx").stat().st_size
    whole = (root.mounts["/srv/set"] / "models" / "demo_vpr.onnx").stat().st_size
    shutil.rmtree(root.path(PYTHON))
    print(f"      demo_vpr in fp16: {made} bytes, of {whole}; {json.dumps(told.get('outputs'))[:200]}")
    return "" if 0.4 * whole < made < 0.7 * whole else f"expected about half of {whole} bytes, found {made}"
