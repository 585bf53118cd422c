"""One rule of the code, and how it is broken to see the tests that show it fail (break_rules.py)."""

import typing


class Rule(typing.NamedTuple):
    name: str
    source: str  # in the group's folder of src/
    statement: str  # there once
    instead: str
    tests: tuple  # of the group's program, or "program:test"; `*` for whatever follows, of which one has to fail
