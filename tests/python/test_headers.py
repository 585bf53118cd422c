"""Public headers are documented per function, and the check that says so sees each kind of gap."""

import re
from pathlib import Path

import pytest

import check_headers
import header_docs

HEADERS = sorted((check_headers.ROOT / "include/skua").glob("*.h"))
GOOD = """// What this is for.
#pragma once

namespace skua {

/// Doubles. Requires x < 100.
#define SKUA_TWICE(x) \\
  (2 * (x))

/// A thing.
class Thing {
 public:
  Thing() = default;
  Thing(const Thing&) = delete;
  ~Thing();
  friend bool operator==(const Thing&, const Thing&) = default;
  explicit operator bool() const noexcept { return true; }
  /// The part of that name; InvalidArgumentError where there is none.
  Result<Part> part(std::string_view name) const;
  /// Parts, in their order.
  std::map<int, Part>::const_iterator begin() const noexcept { return parts_.begin(); }
  std::map<int, Part>::const_iterator begin() noexcept { return parts_.begin(); }
  std::function<Result<int>(int)> is_no_function = {};

 private:
  void hidden();
  std::map<int, Part> parts_;
};

struct ForwardDeclared;

}  // namespace skua
"""


def found_in(tmp_path: Path, text: str) -> list[str]:
    header = tmp_path / "thing.h"
    header.write_text(text, "ascii")
    return list(check_headers.problems(header))


@pytest.mark.parametrize("header", HEADERS, ids=lambda header: header.name)
def test_every_function_and_type_says_what_it_is_and_how_it_fails(header: Path) -> None:
    assert list(check_headers.problems(header)) == []


def test_the_headers_are_read_whole() -> None:
    """What the reader finds, against what a look at the words finds."""
    for header in HEADERS:
        found = header_docs.read(header).declarations
        text = header.read_text("ascii")
        fallible = re.findall(r"^ *(?:static )?(?:Result<.*>|Status) \w+\(", text, re.MULTILINE)
        assert len([made for made in found if made.is_fallible]) >= len(fallible), header.name
        assert [made.text for made in found if made.text.count("(") != made.text.count(")")] == [], header.name


def test_a_documented_header_passes(tmp_path: Path) -> None:
    assert found_in(tmp_path, GOOD) == []


@pytest.mark.parametrize(("old", "new", "problem"), [
    ("// What this is for.\n", "", "thing.h:1: no comment at the top that says what the header is for"),
    ("/// Doubles. Requires x < 100.\n", "", "macro SKUA_TWICE has no comment (///)"),
    ("/// A thing.\n", "", "type Thing has no comment (///)"),
    ("/// A thing.\n", "/// A thing.\n\n", "type Thing has no comment (///)"),
    ("/// A thing.\n", "// A thing.\n", "type Thing has no comment (///)"),
    ("  /// The part of that name; InvalidArgumentError where there is none.\n", "",
     "function Thing::part has no comment (///)"),
    ("; InvalidArgumentError where there is none", "", "Thing::part can fail and its comment names no error"),
    ("  ~Thing();\n", "  ~Thing();\n  Thing(int size);\n", "function Thing::Thing has no comment (///)"),
    ("struct ForwardDeclared;", "struct Open {\n  void go();\n};", "type Open has no comment (///)"),
    ("struct ForwardDeclared;", "/// It.\nstruct Open {\n  int size() { return 1; }\n};",
     "function Open::size has no comment (///)"),
    ("struct ForwardDeclared;", "Status go(int x) noexcept;", "function go has no comment (///)"),
    ("struct ForwardDeclared;", "/// It goes.\nStatus go(int x) noexcept;", "go can fail and its comment names no error"),
    ("struct ForwardDeclared;", "enum class Kind { kA, kB };", "type Kind has no comment (///)"),
])
def test_each_kind_of_gap_is_found(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in GOOD
    found = found_in(tmp_path, GOOD.replace(old, new, 1))
    assert found and found[0].endswith(problem), found
