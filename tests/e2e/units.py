"""Reading systemd units, and what of one can be kept without systemd (service_cage.py)."""

import errno
import re
import socket
import subprocess

import programs

UNIT = programs.ROOT / "packaging" / "skua-flight.service"


class Unit:
    """Sections of directives; one that is given several times has several values, an empty one begins anew."""

    def __init__(self, text):
        self.values, section = {}, ""
        for line in text.splitlines():
            line = line.strip()
            if line.startswith("["):
                section = line[1:-1]
            elif line and line[0] not in "#;":
                key, _, value = line.partition("=")
                self.values.setdefault((section, key), []).append(value)

    def all(self, key, section="Service"):
        return [word for value in self.values.get((section, key), []) for word in value.split()]

    def one(self, key, section="Service"):
        (value,) = self.values[section, key]
        return value

    def is_set(self, key):
        return self.values.get(("Service", key)) == ["yes"]

    def seconds(self, key, section="Service"):
        """A time that is a plain number of seconds."""
        return int(self.one(key, section))


def filter_sets():
    """{@name: its system calls and further sets}, as this machine's systemd has them."""
    text = subprocess.run(["systemd-analyze", "syscall-filter"], capture_output=True, text=True, check=True).stdout
    sets, current = {}, None
    for line in text.splitlines():
        if line.startswith("@"):
            current = sets.setdefault(line.strip(), set())
        elif line.startswith("    ") and not line.strip().startswith("#") and current is not None:
            current.add(line.strip())
        elif not line.strip() or not line.startswith(" "):
            current = current if line.startswith("@") else None
    return sets


def expand(name, sets):
    if not name.startswith("@"):
        return {name}
    return set().union(*(expand(inner, sets) for inner in sets[name]))


def system_calls(unit):
    """The names that SystemCallFilter allows: a list without ~ allows, one with ~ takes away again."""
    sets, allowed = filter_sets(), set()
    for words in (value.split() for value in unit.values["Service", "SystemCallFilter"]):
        is_taken = words[0].startswith("~")
        names = set().union(*(expand(word.lstrip("~"), sets) for word in words))
        allowed = allowed - names if is_taken else allowed | names
    return allowed


def numbers(names):
    """Of this machine's architecture; what it does not have is left out."""
    defines = subprocess.run(["cc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"],
                             capture_output=True, text=True, check=True).stdout
    known = dict(re.findall(r"^#define __NR_(\w+) (\d+)$", defines, re.MULTILINE))
    return sorted(int(known[name]) for name in names if name in known)


def cage_plan(unit, binds, etc, user):
    """service_cage.py's plan: what the unit says, with the test's folders and configuration in its places."""
    families = [int(getattr(socket, name)) for name in unit.all("RestrictAddressFamilies")]
    assert unit.one("ProtectSystem") == "strict" and unit.is_set("ProtectHome") and unit.is_set("PrivateNetwork")
    assert unit.is_set("PrivateTmp") and unit.one("CapabilityBoundingSet") == ""
    return {"binds": binds, "etc": etc, "uid": user, "gid": user, "umask": int(unit.one("UMask"), 8),
            "hidden": ["/home", "/root"], "writable": unit.all("ReadWritePaths"),
            "devices": [word.removeprefix("/dev/") for word in unit.all("DeviceAllow") if word.startswith("/dev/")],
            "no_new_privileges": unit.is_set("NoNewPrivileges"), "address_families": families,
            "socket": numbers({"socket"})[0], "system_calls": numbers(system_calls(unit)),
            "system_call_error": getattr(errno, unit.one("SystemCallErrorNumber"))}
