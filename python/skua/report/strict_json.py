"""JSON from files, read strictly: no key twice, no NaN, no number beyond a double, every field of the type asked for."""

from __future__ import annotations

import json
import math
from typing import NoReturn

from .files import ReportError, printable

LARGEST_NUMBER, LARGEST_INTEGER = 1e18, 1 << 53


class BadJson(Exception):
    """Why a text is no JSON that is accepted here."""


def _no_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadJson("a key stands twice in one object")
    return found


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise BadJson(f"{text[:40]} is beyond a double")
    return value


def _no_constant(text: str) -> NoReturn:
    raise BadJson(f"{text} is no JSON")


def parse(text: bytes) -> object:
    """Raises BadJson. Half a surrogate pair is refused as well: no UTF-8 output could hold it."""
    try:
        value: object = json.loads(text.decode("utf-8"), object_pairs_hook=_no_repeats, parse_float=_number,
                                   parse_constant=_no_constant)
        if b"\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise BadJson("it is nested too deep") from None
    except ValueError as error:
        raise BadJson(str(error)) from None
    return value


def parse_object(text: bytes, where: str) -> Fields:
    try:
        value = parse(text)
    except BadJson as bad:
        raise ReportError(f"{where}: expected JSON, found something else: {printable(str(bad))}") from None
    if not isinstance(value, dict):
        raise ReportError(f"{where}: expected a JSON object, found another value")
    return Fields(value, where)


class Fields:
    """An object whose fields are asked for by type. What is missing or of another type is a ReportError with its place."""

    def __init__(self, value: dict[str, object], where: str) -> None:
        self.value, self.where = value, where

    def __contains__(self, key: str) -> bool:
        return key in self.value

    def _wrong(self, key: str, expected: str) -> NoReturn:
        found = f"{type(self.value[key]).__name__}" if key in self.value else "nothing"
        raise ReportError(f"{self.where}: {printable(key)}: expected {expected}, found {found}; is it the right file?")

    def text(self, key: str) -> str:
        value = self.value.get(key)
        return value if isinstance(value, str) else self._wrong(key, "text")

    def number(self, key: str) -> float:
        """Bounded, so that what is computed with it stays finite."""
        value = self.value.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > LARGEST_NUMBER:
            self._wrong(key, f"a number of at most {LARGEST_NUMBER:.0e}")
        return float(value)

    def optional_number(self, key: str) -> float | None:
        return None if self.value.get(key) is None else self.number(key)

    def integer(self, key: str) -> int:
        value = self.value.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > LARGEST_INTEGER:
            self._wrong(key, "a whole number of at most 53 bits")
        return value

    def flag(self, key: str) -> bool:
        value = self.value.get(key)
        return value if isinstance(value, bool) else self._wrong(key, "true or false")

    def object(self, key: str) -> Fields:
        value = self.value.get(key)
        return Fields(value, f"{self.where}: {key}") if isinstance(value, dict) else self._wrong(key, "an object")

    def objects(self, key: str) -> list[Fields]:
        value = self.value.get(key)
        if not isinstance(value, list):
            self._wrong(key, "a list")
        found = []
        for at, element in enumerate(value):
            if not isinstance(element, dict):
                raise ReportError(f"{self.where}: {key}[{at}]: expected an object, found another value")
            found.append(Fields(element, f"{self.where}: {key}[{at}]"))
        return found

    def texts(self, key: str) -> dict[str, str]:
        """An object of nothing but text."""
        return {name: self.object(key).text(name) for name in self.object(key).value}

    def counts(self, key: str) -> dict[str, int]:
        return {name: self.object(key).integer(name) for name in self.object(key).value}

    def numbers(self, key: str) -> dict[str, float]:
        return {name: self.object(key).number(name) for name in self.object(key).value}
