#!/usr/bin/env python3
"""Tries both Debian packages in a clean root (clean_root.py): try_packages.py FOLDER. scripts/try_packages.sh starts it.

First as they are: what is installed, that nothing of it can build an engine, what `skua doctor` says, what refuses to start
and how: what docs/howto/operate.md shows. Then with the SDK libraries of .venv where the packages expect them: the demo networks become a signed set and fly.
At last they are removed and purged. One line a check, and out/results/packages.checks.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import pathlib
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable

import check_airborne
import check_packages
import clean_root
import ground_trial
from clean_root import BROUGHT, CleanRoot, RootError
from ground_trial import TEMPLATE

ROOT = pathlib.Path(__file__).resolve().parents[1]
RESULTS = ROOT / "out" / "results"
SCRATCH = ROOT / "out" / "packages-trial"
SKUA = ROOT / "build" / "package" / "bin" / "skua"
CONFIGURATION = "/etc/skua/airborne.yaml"
PAGE = ROOT / "docs" / "howto" / "operate.md"
TILES = 9
USAGE, REFUSED, NO_RUNTIME = 2, 5, 9  # exit statuses (docs/reference/cli.md)
# What the page says is kept when the packages are purged.
KEPT = re.compile(r"/etc/skua(/.*)?|/var/lib/skua(/(sets|state|recorder|map|frames)(/.*)?)?")


def refusal_problem(done: subprocess.CompletedProcess[str], status: int, reason: str) -> str:
    """What is wrong with a refused start: it is one line on stderr, with the prefix and the reason, and this status."""
    lines = done.stderr.splitlines()
    if done.returncode == status and len(lines) == 1 and lines[0].startswith("airborne_bootstrap: ") and f"[{reason}]" in lines[0]:
        print(f"      {status}  {lines[0]}")
        return ""
    return f"expected status {status} and one line with [{reason}], found {done.returncode}: {done.stdout}{done.stderr}"


def doctor_problem(report: dict, said: dict[str, str], is_loadable: bool) -> str:
    """How `skua doctor` and the package's file SDK differ, or what can be loaded and should not be."""
    wrong = []
    for runtime in report["runtimes"]:
        label, line = runtime["label"], said.get(runtime["label"], "no line")
        text = "not built"
        if runtime["is_built"] and "expects" not in runtime:
            text = "no SDK library stated"
        elif runtime["is_built"]:
            expects = runtime["expects"]
            text = f"{expects['sdk']} {expects['version']} at {expects['library']}, not shipped"
            if runtime["is_loadable"] != is_loadable:
                wrong.append(f"{label}: is_loadable {runtime['is_loadable']}: {runtime['reason']}")
            if not is_loadable and expects["library"] not in runtime["reason"]:
                wrong.append(f"{label}: the reason does not name {expects['library']}: {runtime['reason']}")
        if text != line:
            wrong.append(f"{label}: skua doctor says '{text}', the file SDK '{line}'")
    return "; ".join(wrong)


def leftovers(names: set[str], accounts: str) -> list[str]:
    """What purging left and should not have."""
    found = [name for name in sorted(names) if "skua" in name and not KEPT.fullmatch(name)]
    keeps_files = any(name.startswith(("/var/lib/skua/state", "/var/lib/skua/recorder")) for name in names)
    return found + ["user skua" for line in accounts.splitlines() if line.startswith("skua:") and not keeps_files]


def page_configuration() -> str:
    """The configuration that the how-to flies the demo set with."""
    match = re.search(r"```yaml\n(.*?)```", PAGE.read_text("ascii"), re.DOTALL)
    if match is None:
        raise RootError(f"{PAGE}: no configuration")
    return match.group(1)


def one_of(folder: pathlib.Path, pattern: str) -> pathlib.Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise RootError(f"{folder}: expected one {pattern}, found {len(found)}")
    return found[0]


class Trial:
    def __init__(self, root: CleanRoot, packages: pathlib.Path) -> None:
        self.root = root
        self.files = {name: one_of(packages, f"{name}_*.deb") for name in check_packages.NAMES}
        for file in self.files.values():
            shutil.copy(file, root.path(BROUGHT))
        self.lines: list[str] = []

    def check(self, name: str, step: Callable[[], str | None]) -> None:
        started = time.monotonic()
        try:
            problem = step() or ""
        except (RootError, OSError, KeyError, ValueError, subprocess.SubprocessError) as error:
            problem = f"{type(error).__name__}: {error}"
        verdict = "fail" if problem else "pass"
        print(f"{verdict}  {name}  {time.monotonic() - started:.1f} s{': ' if problem else ''}{problem}", flush=True)
        self.lines.append(f"{verdict} {name}")

    # ---- as they are ------------------------------------------------------------------------------------------------
    def install(self, name: str) -> None:
        self.root.ok("apt-get", "install", "-y", "-q", "--no-install-recommends", f"{BROUGHT}/{self.files[name].name}",
                     network=True)

    def installs_airborne(self) -> None:
        self.root.ok("apt-get", "update", "-q", network=True)
        self.install("skua-airborne")

    def untouched_purge(self) -> str:
        self.root.ok("apt-get", "purge", "-y", "-q", "skua-airborne")
        left = leftovers(self.root.files(), self.root.path("/etc/passwd").read_text("ascii"))
        present = [name for name in self.root.files() if KEPT.fullmatch(name)]
        self.install("skua-airborne")
        return f"left behind: {left + present}" if left or present else ""

    def cannot_build(self) -> str:
        with contextlib.redirect_stdout(io.StringIO()):
            return "; ".join(check_airborne.check(self.root.path("/opt/skua").resolve()))

    def control_compiler(self) -> str:
        """With a compiler module under another name the same check has a finding."""
        disguised = self.root.path("/opt/skua/lib/libskua_runtime_tensorrt.so")
        shutil.copy(self.root.path("/opt/skua-ground/lib/libskua_compiler_pytorch_fp16.so"), disguised)
        found = self.cannot_build()
        disguised.unlink()
        return "" if "skua_compiler_module" in found and not self.cannot_build() else f"not found: {found}"

    def user_and_folders(self) -> str:
        listed = self.root.ok("stat", "-c", "%n %a %U:%G", "/etc/skua", "/var/lib/skua", "/var/lib/skua/sets",
                              "/var/lib/skua/state", "/var/lib/skua/recorder").splitlines()
        expected = ["/etc/skua 755 root:root", "/var/lib/skua 755 root:root", "/var/lib/skua/sets 755 root:root",
                    "/var/lib/skua/state 700 skua:skua", "/var/lib/skua/recorder 700 skua:skua"]
        account = self.root.ok("getent", "passwd", "skua").strip()
        return "" if listed == expected and account.endswith("/usr/sbin/nologin") else f"found {listed}, {account}"

    def configure_again(self) -> str:
        """What an operator changed stays."""
        self.root.ok("chmod", "711", "/var/lib/skua/sets")
        self.root.ok("/var/lib/dpkg/info/skua-airborne.postinst", "configure")
        found = self.root.ok("stat", "-c", "%a", "/var/lib/skua/sets").strip()
        self.root.ok("chmod", "755", "/var/lib/skua/sets")
        return "" if found == "711" else f"expected mode 711 to stay, found {found}"

    def neither_started_nor_enabled(self) -> str:
        enabled = [str(path) for path in self.root.path("/etc/systemd").rglob("*skua*")]
        return f"found {enabled}" if enabled else ""

    def unit_complaints(self) -> str:
        """Of this machine's systemd; the program that the unit starts is looked for in the root."""
        done = subprocess.run(["systemd-analyze", f"--root={self.root.folder}", "--recursive-errors=no", "verify",
                               "skua-flight.service"], capture_output=True, text=True, check=False)
        told = [line for line in (done.stdout + done.stderr).splitlines() if "skua-flight" in line]
        return "; ".join(told) or ("" if done.returncode == 0 else done.stderr)

    def unit(self) -> str:
        """As it is; and, as a control, when the program is gone that it starts."""
        if shutil.which("systemd-analyze") is None:
            return "systemd-analyze is not installed (scripts/setup.sh test)"
        found, program = self.unit_complaints(), self.root.path("/opt/skua/bin/skua-flight")
        program.rename(program.with_suffix(".away"))
        control = self.unit_complaints()
        program.with_suffix(".away").rename(program)
        return found or ("" if "skua-flight" in control else "a program that is not there is not noticed")

    def start(self, *more: str) -> subprocess.CompletedProcess[str]:
        return self.root.run("skua-flight", "--config", CONFIGURATION, *more, user="skua")

    def configure(self, text: str) -> None:
        self.root.path(CONFIGURATION).write_text(text, "ascii")

    def no_configuration(self) -> str:
        return refusal_problem(self.start(), USAGE, "not_found")

    def no_sdk(self) -> str:
        """The template as it is."""
        self.configure(self.root.path(TEMPLATE).read_text("ascii"))
        return refusal_problem(self.start(), NO_RUNTIME, "sdk_missing")

    def no_key_file(self) -> str:
        """The template names a key that nobody has put there."""
        self.configure(self.root.path(TEMPLATE).read_text("ascii"))
        self.root.path("/etc/skua/flight.pub").unlink()
        return refusal_problem(self.start(), USAGE, "not_found")

    def no_key(self) -> str:
        template = self.root.path(TEMPLATE).read_text("ascii")
        self.configure(re.sub(r"(?m)^ *trusted_key:.*\n", "", template))
        return refusal_problem(self.start(), USAGE, "no_trusted_key")

    def version(self) -> str:
        flight, ground = self.root.ok("skua-flight", "--version"), self.root.ok("skua", "--version")
        return "" if flight.split()[0] in ground else f"skua-flight: {flight}, skua: {ground}"

    def doctor(self) -> dict:
        return json.loads(self.root.ok("skua", "doctor", "--json"))

    def doctor_without_sdk(self) -> str:
        said = check_packages.sdk_lines(self.root.path("/usr/share/doc/skua-ground/SDK").read_text("ascii"))
        human, report = self.root.ok("skua", "doctor"), self.doctor()
        here = json.loads(subprocess.run([SKUA, "doctor", "--json"], capture_output=True, text=True, check=True).stdout)
        if report["host"] != here["host"] or report["skua"] != here["skua"]:
            return f"on this machine {here['host']}, in the root {report['host']}"
        print("\n".join(f"      {line}" for line in human.splitlines() if not line.startswith("  runtime:"))[:1500])
        missing = [line for label, line in said.items() if label in check_packages.RUNTIMES and
                   line not in check_packages.ABSENT and f"expects {line}" not in human]
        return f"skua doctor does not say {missing}" if missing else doctor_problem(report, said, is_loadable=False)

    # ---- with SDK libraries ------------------------------------------------------------------------------------------
    def place_sdk(self) -> str:
        """Where the packages expect them, out of .venv."""
        packages = one_of(ROOT / ".venv" / "lib", "python3*/site-packages")
        libraries = {runtime["label"]: runtime["expects"]["library"] for runtime in self.doctor()["runtimes"] if "expects" in runtime}
        self.root.mount(packages / "torch" / "lib", str(pathlib.PurePosixPath(libraries["pytorch_fp16"]).parent))
        target = self.root.path(libraries["onnx_trt_ep"])
        target.parent.mkdir(parents=True)
        shutil.copy(one_of(packages / "onnxruntime" / "capi", "libonnxruntime.so.*"), target)
        said = check_packages.sdk_lines(self.root.path("/usr/share/doc/skua-ground/SDK").read_text("ascii"))
        return doctor_problem(self.doctor(), said, is_loadable=True)

    def no_set(self) -> str:
        return refusal_problem(self.start(), REFUSED, "current_missing")

    def install_key(self) -> None:
        self.root.ok("install", "-m", "644", f"{BROUGHT}/flight.pub", "/etc/skua/flight.pub")

    def provision(self) -> str:
        """As root in the root, as the how-to does."""
        self.root.mount(SCRATCH / "set", "/srv/set")
        self.root.ok("skua", "keygen", f"{BROUGHT}/flight")
        self.install_key()
        made = self.root.ok("skua", "provision", "/srv/set/SET.yaml", "--out", "/var/lib/skua/sets", "--sign",
                            f"{BROUGHT}/flight.key")
        judged = self.root.ok("skua", "verify", "/var/lib/skua/sets", "--trust", "/etc/skua/flight.pub")
        print("\n".join(f"      {line}" for line in (made + judged).splitlines()))
        return "" if judged.startswith("go ") else f"skua verify: {judged}"

    def quantize(self) -> str:
        """It needs a Python that no package brings, and says where."""
        done = self.root.run("skua", "quantize", "/srv/set/models/demo_vpr.onnx", "--precision", "fp16", "--out", "/tmp/q.onnx")
        said = check_packages.sdk_lines(self.root.path("/usr/share/doc/skua-ground/SDK").read_text("ascii"))["skua quantize"]
        place = said.removeprefix("Python at ").split()[0]
        good = done.returncode == USAGE and "[builder_missing]" in done.stderr and place in done.stderr
        return "" if good else f"expected a refusal that names {place}, found {done.returncode}: {done.stderr}"

    def flies(self) -> str:
        """With the page's configuration; what is judged is that it answers, also on a busy machine."""
        self.install_key()
        self.configure(page_configuration() + "  deadline_ms: 5000\n")
        dry = self.start("--check")
        if dry.returncode != 0:
            return f"--check: status {dry.returncode}: {dry.stderr}"
        reports = ground_trial.reports_of_a_flight(self.root)
        flown = self.start("--duration", "3", *itertools.chain(*reports.items()))
        end = [line for line in flown.stdout.splitlines() if "c7.flight_ended" in line]
        if flown.returncode != 0 or not end:
            return f"status {flown.returncode}: {flown.stdout[-1000:]}{flown.stderr}"
        told = json.loads(end[-1])
        print(f"      {told['msg']}")
        if told["kv"]["no_result_count"] >= told["kv"]["frame_count"]:
            return f"no frame has a result: {told}"
        return ground_trial.reports_problem(self.root, reports)

    # ---- and away ----------------------------------------------------------------------------------------------------
    def running_stays(self) -> str:
        """Where systemd says that the service flies, or is being started again, nothing is removed; a script plays systemd's
        part here. The control: it says that the service rests."""
        answer = self.root.path("/usr/bin/systemctl")
        self.root.path("/run/systemd/system").mkdir(parents=True)
        upgrade = ("dpkg", "-i", f"{BROUGHT}/{self.files['skua-airborne'].name}")
        tried = []
        for state in ("active", "activating", "inactive"):
            answer.write_text(f"#!/bin/sh\n[ $1 != show ] || echo ActiveState={state}\n", "ascii")
            answer.chmod(0o755)
            if state != "inactive":
                tried.append(self.root.run("apt-get", "remove", "-y", "-q", "skua-airborne"))
                tried.append(self.root.run(*upgrade))
        control = self.root.run(*upgrade)
        answer.unlink()
        self.root.path("/run/systemd/system").rmdir()
        whole = self.root.run("dpkg", "--verify", "skua-airborne")
        if control.returncode != 0:
            return f"refused while the service rests: {control.stdout}{control.stderr}"
        for done in tried:
            if done.returncode == 0 or "this aircraft may be flying" not in done.stderr + done.stdout:
                return f"expected a refusal, found status {done.returncode}: {done.stdout}{done.stderr}"
        return whole.stdout + whole.stderr

    def reinstall(self) -> str:
        """The control: with the service stopped, the same is done, and the operator's files stay."""
        before = self.root.path(CONFIGURATION).read_text("ascii")
        self.root.ok("dpkg", "-i", f"{BROUGHT}/{self.files['skua-airborne'].name}")
        return "" if self.root.path(CONFIGURATION).read_text("ascii") == before else "the configuration was changed"

    def purge(self) -> str:
        flown = {name for name in self.root.files() if re.match("/var/lib/skua/(sets|state|recorder)/|/etc/skua/", name)}
        self.root.ok("apt-get", "purge", "-y", "-q", "skua-airborne", "skua-ground")
        names = self.root.files()
        lost = flown - names
        left = leftovers(names, self.root.path("/etc/passwd").read_text("ascii"))
        return f"left {left}, lost {sorted(lost)}" if left or lost or not flown else ""


def make_inputs() -> None:
    """Demo networks, map and frames, made once for this trial."""
    for script, more in (("scripts/demo_set.py", [SCRATCH / "set"]),
                         ("models/make_flight.py", ["--out", SCRATCH / "flight", "--frames", str(TILES)])):
        subprocess.run([sys.executable, ROOT / script, *map(str, more)], check=True, stdout=subprocess.DEVNULL)
    tiles = SCRATCH / "flight" / "map" / "map.json"  # frame n shows tile n; every start describes the whole map
    document = json.loads(tiles.read_text("ascii"))
    tiles.write_text(json.dumps(document | {"tiles": document["tiles"][:TILES]}), "ascii")


def try_airborne_alone(trial: Trial) -> None:
    """What an aircraft has that compiles elsewhere."""
    check = trial.check
    check("airborne_installs", trial.installs_airborne)
    check("an_unused_airborne_purges_whole", trial.untouched_purge)
    check("airborne_cannot_build", trial.cannot_build)
    check("user_and_folders", trial.user_and_folders)
    check("configured_again", trial.configure_again)
    check("neither_started_nor_enabled", trial.neither_started_nor_enabled)
    check("unit", trial.unit)
    trial.root.mount(SCRATCH / "flight" / "frames", "/var/lib/skua/frames")
    trial.root.mount(SCRATCH / "flight" / "map", "/var/lib/skua/map")
    check("refused_no_configuration", trial.no_configuration)
    check("refused_no_sdk", trial.no_sdk)


def try_with_ground(trial: Trial) -> None:
    """Both, and what an operator does with the ground tools."""
    check = trial.check
    check("ground_installs", lambda: trial.install("skua-ground"))
    check("installed_as_the_page_says", lambda: ground_trial.installing_as_the_page_says(trial.root))
    check("control_compiler_is_found", trial.control_compiler)
    check("version", trial.version)
    check("doctor_says_what_is_expected", trial.doctor_without_sdk)
    check("doctor_with_sdk", trial.place_sdk)
    check("refused_no_set", trial.no_set)
    check("provision_and_verify", trial.provision)
    check("a_program_is_built_on_it", lambda: ground_trial.program_on_it(trial.root, SCRATCH / "program"))
    check("quantize_says_what_it_needs", trial.quantize)
    check("quantize_with_its_python", lambda: ground_trial.quantize_with_its_python(trial.root, SCRATCH / "wheels"))


def try_flying_and_removing(trial: Trial) -> None:
    """The set that is there by now; and what stays when both go."""
    check = trial.check
    check("refused_no_key_file", trial.no_key_file)
    check("refused_no_key", trial.no_key)
    check("flies", trial.flies)
    check("commands_of_the_user_that_flies", lambda: ground_trial.commands_of_the_user_that_flies(trial.root))
    check("a_running_service_stays", trial.running_stays)
    check("reinstall", trial.reinstall)
    check("purge", trial.purge)


def main() -> int:
    if len(sys.argv) != 2 or not pathlib.Path(sys.argv[1]).is_dir():
        sys.exit("usage: try_packages.py FOLDER (with both packages)")
    started = time.monotonic()
    if why := clean_root.why_not():
        sys.exit(f"try_packages: no clean root can be made here: {why}")
    shutil.rmtree(SCRATCH, ignore_errors=True)
    make_inputs()
    root = CleanRoot(clean_root.kept_tree(ROOT / ".deps" / "clean-root"), SCRATCH / "root")
    print(f"try_packages: a clean root after {time.monotonic() - started:.0f} s", flush=True)
    trial = Trial(root, pathlib.Path(sys.argv[1]))
    try_airborne_alone(trial)
    try_with_ground(trial)
    try_flying_and_removing(trial)
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "packages.checks").write_text("".join(f"{line}\n" for line in trial.lines), "ascii")
    failed = sum(line.startswith("fail") for line in trial.lines)
    print(f"{len(trial.lines) - failed} of {len(trial.lines)} checks passed, {time.monotonic() - started:.0f} s")
    if not failed:
        root.remove()
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RootError as error:
        sys.exit(f"try_packages: {error}")
