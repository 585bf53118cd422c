"""Runs a program as a systemd unit says, without systemd: the directives that mounts, user, capabilities and a filter
of system calls can keep. Linux, as root; started by test_service.py:

    unshare --mount --net python service_cage.py PLAN.json COMMAND...

PLAN.json is what `cage_plan` of units.py makes of the unit. What is not kept here: cgroups (DevicePolicy,
IPAddressDeny; a /dev and a network of its own stand for them), what only restricts further system calls by their
arguments (RestrictNamespaces and its like), the supervision itself.
"""

import ctypes
import errno
import json
import os
import pathlib
import re
import resource
import shutil
import struct
import subprocess
import sys

PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 24, 38, 22, 2
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF: ld [k]; jeq k; ret k
NR, ARCH, FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
SAFE_DEVICES = ("null", "zero", "full", "random", "urandom")

libc = ctypes.CDLL(None, use_errno=True)


def mount(*arguments, check=True):
    result = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True, check=False)
    if check and result.returncode != 0:
        sys.exit(f"service_cage: mount {' '.join(map(str, arguments))}: {result.stderr.strip()}")


def tmpfs(folder, mode="755"):
    mount("-t", "tmpfs", "-o", f"mode={mode}", "none", folder)


def own_etc(plan):
    """/etc with what the operator puts there: a copy, since a new folder in it would be the machine's."""
    stage = pathlib.Path("/mnt")
    tmpfs(stage)
    subprocess.run(["cp", "-a", "/etc", stage], check=True, stderr=subprocess.DEVNULL)
    for name, source in plan["etc"].items():
        target = stage / "etc" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
        os.chown(target, os.stat(source).st_uid, os.stat(source).st_gid)
    mount("--bind", stage / "etc", "/etc")
    subprocess.run(["umount", stage], check=False)


def own_devices(plan):
    stage = pathlib.Path("/mnt")
    tmpfs(stage)
    for name in (*SAFE_DEVICES, *plan["devices"]):
        source, target = pathlib.Path("/dev") / name, stage / name
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
            mount("--bind", source, target)
    mount("--rbind", stage, "/dev")


def place_folders(plan):
    """The folders of the test where the unit has them."""
    for top in sorted({pathlib.Path(target).parents[-2] for target in plan["binds"]}):
        # Only what is empty, or the unit's, may be covered: /var holds what programs need, so go one deeper there.
        tmpfs(top if top != pathlib.Path("/var") else "/var/lib")
    for target, source in plan["binds"].items():
        pathlib.Path(target).mkdir(parents=True, exist_ok=True)
        mount("--bind", source, target)


def all_mounts():
    """Their places; the kernel writes a space as \\040. (A codec would be loaded from a folder that is hidden now.)"""
    lines = pathlib.Path("/proc/self/mountinfo").read_text("utf-8").splitlines()
    return [re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), line.split()[4]) for line in lines]


def read_only(writable):
    """ProtectSystem=strict: every mount but the writable ones."""
    for place in dict.fromkeys(all_mounts()):
        if not any(place == own or place.startswith(own + "/") for own in writable):
            mount("-o", "remount,bind,ro", place, check=place == "/")


def drop_rights(plan):
    os.setgroups([])
    for capability in range(int(pathlib.Path("/proc/sys/kernel/cap_last_cap").read_text()) + 1):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    os.setresgid(plan["gid"], plan["gid"], plan["gid"])
    os.setresuid(plan["uid"], plan["uid"], plan["uid"])
    if plan["no_new_privileges"] and libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        sys.exit("service_cage: no_new_privs")


def seccomp_program(plan):
    """SystemCallFilter (others get the unit's error), SystemCallArchitectures, RestrictAddressFamilies."""
    def step(code, jump_true, jump_false, k):
        return struct.pack("HBBI", code, jump_true, jump_false, k)

    steps = [step(LOAD, 0, 0, ARCH), step(EQUAL, 1, 0, AUDIT_ARCH[os.uname().machine]), step(RETURN, 0, 0, KILL)]
    families = plan["address_families"]
    tests = [step(EQUAL, len(families) - i, 0, family) for i, family in enumerate(families)]
    # socket() with a family that is not allowed; everything else goes on.
    steps += [step(LOAD, 0, 0, NR), step(EQUAL, 0, len(families) + 2, plan["socket"]),
              step(LOAD, 0, 0, FIRST_ARGUMENT), *tests, step(RETURN, 0, 0, ERRNO | errno.EAFNOSUPPORT)]
    steps.append(step(LOAD, 0, 0, NR))
    for number in plan["system_calls"]:
        steps += [step(EQUAL, 0, 1, number), step(RETURN, 0, 0, ALLOW)]
    steps.append(step(RETURN, 0, 0, ERRNO | plan["system_call_error"]))
    return steps


def filter_system_calls(plan):
    steps = seccomp_program(plan)
    code = ctypes.create_string_buffer(b"".join(steps), len(steps) * 8)
    program = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code))
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_char_p(program), 0, 0) != 0:
        sys.exit(f"service_cage: seccomp: {os.strerror(ctypes.get_errno())}")


def main():
    plan = json.loads(pathlib.Path(sys.argv[1]).read_text("utf-8"))
    mount("--make-rprivate", "/")
    own_etc(plan)
    place_folders(plan)
    own_devices(plan)
    for folder in ("/tmp", "/var/tmp"):
        tmpfs(folder, "1777")
    for folder in plan["hidden"]:
        tmpfs(folder, "000")
    mount("-t", "proc", "-o", "hidepid=invisible", "proc", "/proc", check=False)  # ProtectProc
    read_only(plan["writable"] + ["/tmp", "/var/tmp"])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(plan["umask"])
    os.chdir("/")
    drop_rights(plan)
    filter_system_calls(plan)
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
