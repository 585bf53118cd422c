"""scripts/break_rules.py: every statement that is to be broken stands once where the rule says; every test has its program."""

import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import break_rules  # noqa: E402  (its folder is only known from here on)


@pytest.mark.parametrize("name", break_rules.GROUPS)
def test_every_statement_stands_once(name):
    group = break_rules.GROUPS[name]
    found = {rule.name: (ROOT / group.folder / rule.source).read_text("ascii").count(rule.statement) for rule in group.rules}
    assert {rule: times for rule, times in found.items() if times != 1} == {}


@pytest.mark.parametrize("name", break_rules.GROUPS)
def test_every_rule_has_a_name_of_its_own_and_tests(name):
    rules = break_rules.GROUPS[name].rules
    assert len({rule.name for rule in rules}) == len(rules)
    assert [rule.name for rule in rules if not rule.tests] == []
