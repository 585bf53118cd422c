"""benchmarks/profile_sessions.py: what it reads from callgrind's file."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import profile_sessions  # noqa: E402

# deserialize (own 30) calls the SDK (own 900, and 50 in libc on its behalf) and libc (20).
TEXT = """events: Ir
ob=(1) /lib/libskua_runtime_x.so
fl=(1) a.cpp
fn=(1) deserialize
5 10
+2 20
cob=(2) /lib/libonnxruntime.so.1
cfi=(2) ???
cfn=(2) CreateSession
calls=1 0
* 950
cob=(3) /lib/libc.so.6
cfn=(3) memcpy
calls=4 0
7 20

ob=(2)
fn=(2)
0 900
cob=(3)
cfn=(3)
calls=9 0
0 50

ob=(3)
fn=(3)
0 70

totals: 1000
"""


def test_costs_are_told_by_object_and_those_of_callees_once() -> None:
    found = profile_sessions.read_profile(TEXT)
    own = {(Path(where).name, name): cost for (where, name), cost in found.own.items()}
    assert own == {("libskua_runtime_x.so", "deserialize"): 30, ("libonnxruntime.so.1", "CreateSession"): 900,
                   ("libc.so.6", "memcpy"): 70}
    assert profile_sessions.share_outside_sdk(found) == pytest.approx(0.05)
    table = profile_sessions.table(found)
    assert "| 90.00% | libonnxruntime.so.1 |" in table and "| 7.00% | memcpy | libc.so.6 |" in table
    assert table[-1] == "outside of the SDK's calls 5.00%, of 1000 instructions"
