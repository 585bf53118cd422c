"""scripts/aarch64_checks.py: what it must not take for a build or a run of aarch64."""

import pathlib
import struct

import pytest

import aarch64_checks

SHIPPED = aarch64_checks.lines_of(aarch64_checks.LEFT_OUT)


def elf(path, machine):
    path.write_bytes(b"\x7fELF" + bytes(14) + struct.pack("<H", machine) + bytes(44))
    return path


def ran(path, *machines):
    said = "".join(f'<property name="machine" value="{machine}"/>' for machine in machines)
    path.write_text(f'<testsuites><testcase name="a"><properties>{said}</properties></testcase></testsuites>', "ascii")
    return path


def test_files_of_another_machine_are_told(tmp_path):
    good, foreign, text = elf(tmp_path / "good", 183), elf(tmp_path / "foreign", 62), tmp_path / "text"
    text.write_text("#!/bin/sh")
    aarch64_checks.check_machines([good])
    for wrong in ([good, foreign], [good, text], []):
        with pytest.raises(SystemExit):
            aarch64_checks.check_machines(wrong)


def test_a_run_that_does_not_name_aarch64_is_told(tmp_path):
    aarch64_checks.check_ran(ran(tmp_path / "good.xml", "aarch64"))
    for machines in ((), ("x86_64",), ("aarch64", "x86_64")):
        with pytest.raises(SystemExit):
            aarch64_checks.check_ran(ran(tmp_path / "bad.xml", *machines))


def test_what_is_left_out_is_said_with_its_reason(capsys):
    names = ["unit_a.One.x", "unit_a.One.y", "unit_b.Two.x"]
    assert aarch64_checks.left_out([("One[.]", "it forks")], names) == "One[.]"
    assert capsys.readouterr().err == "left out: 2 tests One[.]: it forks\n"
    with pytest.raises(SystemExit, match="Three"):
        aarch64_checks.left_out([("One", "it forks"), ("Three", "gone")], names)


@pytest.mark.parametrize("line", ["unit_a.One", "unit_a.One  #", "  # why"])
def test_a_line_without_a_reason_is_refused(tmp_path, line):
    path = pathlib.Path(tmp_path / "left_out.txt")
    path.write_text(f"# head\n{line}\n", "ascii")
    with pytest.raises(SystemExit, match="left_out.txt"):
        aarch64_checks.lines_of(path)


def test_the_shipped_list_leaves_out_no_whole_program():
    assert not [expression for expression, _ in SHIPPED if "." not in expression]
