"""Which tests of flights run over both programs: skua-flight, and python_flight.py, the same flight through `import skua`.

What a test shows of Skua itself (gates, keys, the budget, the record of the flight, positions) has to hold for both. Every
test that flies stands in one of the two tables: one that stands in neither is an error, so that nobody forgets to choose.
"""

import os
import sys

import programs

CPP, PYTHON = "skua-flight", "python"
SKUA_FLIGHT = programs.BUILD / "bin" / "skua-flight"
PYTHON_FLIGHT = programs.ROOT / "tests" / "e2e" / "python_flight.py"
ALL = None  # every test of a file

ON_BOTH = {
    "test_flight_signatures.py": ALL,
}

# Why a test is about skua-flight alone.
ONLY_CPP = {
    "the systemd unit, its watchdog and last words are skua-flight's": {"test_service.py": ALL},
    "the page quotes what skua-flight says": {"test_operate.py": ALL},
    "it flies a copy of the program beside modules of the test's own": {"test_flight_faults.py": ALL,
                                                                        "test_tensorrt_flight.py": ALL},
}


def programs_of(file, test):
    """The programs that `test` of `file` flies."""
    def has(table):
        return file in table and (table[file] is ALL or test in table[file])

    reasons = [reason for reason, table in ONLY_CPP.items() if has(table)]
    if has(ON_BOTH) + len(reasons) != 1:
        raise LookupError(f"{file}::{test} flies, and stands {'in several tables' if reasons else 'in no table'} of "
                          "tests/e2e/flight_programs.py: say whether it flies both programs, or why not")
    return (CPP, PYTHON) if not reasons else (CPP,)


def python_environment():
    """What an interpreter needs to find the package of the build under test, and the stack's consumers."""
    folders = (programs.BUILD / "python", programs.ROOT / "tests" / "stack", programs.ROOT / "tests" / "e2e")
    return {"PYTHONPATH": os.pathsep.join(map(str, folders))}


def command(program):
    """What starts it: an interpreter, where it needs one, and the program."""
    return ((sys.executable,), PYTHON_FLIGHT) if program == PYTHON else ((), SKUA_FLIGHT)
