"""Reads the public headers as their readers do: every declaration with its comment.

Not a C++ parser. It knows the forms that clang-format leaves in include/skua: `///` in front of a declaration, or `///<`
behind it.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

TYPE = re.compile(r"^(?:template <.*?> ?)?(?P<kind>enum class|enum|class|struct) (?:\[\[\w+\]\] )?(?P<name>\w+)")
FORWARD = re.compile(r"^(?:class|struct|enum class) \w+(?: : [\w:]+)?$")
SPECIAL = re.compile(r"^(?P<name>\w+)\((?:(?:const )?(?P=name)\s*&&?(?: \w+)?)?\)")


@dataclass
class Declaration:
    kind: str  # type, function, value, alias, macro
    name: str  # with the class it is in: EngineSet::find
    text: str  # on one line, without its body
    doc: str
    line: int
    is_fallible: bool = False
    enumerators: list[tuple[str, str]] = field(default_factory=list)  # name with its value, comment
    is_special: bool = False  # what the language defines: copies, moves, destructors, comparisons, defaulted and deleted ones


@dataclass
class Scope:
    kind: str
    name: str
    is_public: bool


@dataclass
class Header:
    path: Path
    about: str = ""  # the comment at the top
    declarations: list[Declaration] = field(default_factory=list)


def without_templates(text: str) -> str:
    """The text without what stands in angle brackets; `->`, `<=`, `<<` and operators are none."""
    text = re.sub(r"operator\s*[<>=!]+|->|<=|>=|<<|>>(?=[^>]*\()", " ", text) if "operator" in text else text
    depth, kept = 0, []
    for letter in text:
        depth += letter == "<"
        if depth == 0:
            kept.append(letter)
        depth -= letter == ">" and depth > 0
    return "".join(kept)


def is_function(text: str) -> bool:
    plain = without_templates(text)
    return "(" in plain and ("=" not in plain[:plain.index("(")] or "operator" in text)


def enumerators(body: str) -> list[tuple[str, str]]:
    """Of an enumeration's braces: each with the `///<` behind it."""
    found = re.findall(r"(?<!\w)(k[A-Z]\w*(?: = \w+)?) *[,}\n] *(?:///< *([^\n]*))?", body)
    return [(name, doc) for name, doc in found]


class Reader:
    """One pass over a header's text."""

    def __init__(self, path: Path) -> None:
        self.text = path.read_text("ascii")
        self.header = Header(path)
        self.at = 0
        self.scopes: list[Scope] = []
        self.pending: list[str] = []  # comment lines that wait for their declaration
        self.buffer = ""

    def read(self) -> Header:
        lines = []
        for line in self.text.splitlines():
            if not line.startswith("//"):
                break
            lines.append(line.removeprefix("//").strip())
        self.header.about = " ".join(lines)
        while self.at < len(self.text):
            self.step()
        return self.header

    def step(self) -> None:
        rest = self.text[self.at:self.at + 4]
        if rest.startswith("//"):
            self.comment()
        elif rest.startswith("#") and not self.buffer.strip():
            self.directive()
        elif rest.startswith("\n\n") and not self.buffer.strip():
            self.pending = []
            self.at += 1
        elif rest[0] in "\"'":
            end = self.at + 1
            while self.text[end] != rest[0]:
                end += 2 if self.text[end] == "\\" else 1
            self.take(end + 1)
        elif rest[0] in "{};:":
            {"{": self.opened, "}": self.closed, ";": self.ended, ":": self.colon}[rest[0]]()
        else:
            self.take(self.at + 1)

    def take(self, end: int) -> None:
        self.buffer += self.text[self.at:end]
        self.at = end

    def comment(self) -> None:
        end = self.text.find("\n", self.at)
        line = self.text[self.at:end]
        self.at = end
        if line.startswith("///<"):
            if self.buffer.strip():
                self.pending.append(line[4:].strip())
            elif self.header.declarations:
                last = self.header.declarations[-1]
                last.doc = f"{last.doc} {line[4:].strip()}".strip()
        elif line.startswith("///") and not self.buffer.strip():
            self.pending.append(line[3:].strip())

    def directive(self) -> None:
        end = self.at
        while True:
            end = self.text.find("\n", end + 1)
            if end < 0 or self.text[end - 1] != "\\":
                break
        line = self.text[self.at:end if end >= 0 else len(self.text)]
        self.at += len(line)
        found = re.match(r"#define (\w+)(\([^)]*\))?", line)
        if found:
            self.emit("macro", found[1], found[0].removeprefix("#define "))
        self.pending = []

    def opened(self) -> None:
        text = " ".join(self.buffer.split())
        found = TYPE.match(text)
        if text.startswith(("namespace", "extern")):
            self.scopes.append(Scope("namespace", "", "detail" not in text and "internal" not in text))
            self.buffer, self.pending = "", []
            self.at += 1
        elif found and not is_function(text):
            self.emit("type", found["name"], text)
            if found["kind"].startswith("enum"):
                begin = self.at
                self.skip_block()
                if self.header.declarations:
                    self.header.declarations[-1].enumerators = enumerators(self.text[begin:self.at])
            else:
                self.scopes.append(Scope(found["kind"], found["name"], found["kind"] == "struct"))
                self.at += 1
            self.buffer, self.pending = "", []
        elif is_function(text) and text.count("(") == text.count(")"):
            self.skip_block()
            self.declared(text)
        else:
            begin = self.at
            self.skip_block()
            self.buffer += self.text[begin:self.at]

    def skip_block(self) -> None:
        depth = 0
        while True:
            depth += {"{": 1, "}": -1}.get(self.text[self.at], 0)
            self.at += 1
            if depth == 0:
                return

    def closed(self) -> None:
        if self.scopes:
            self.scopes.pop()
        self.buffer, self.pending = "", []
        self.at += 1

    def ended(self) -> None:
        self.at += 1
        text = " ".join(self.buffer.split())
        if text and not FORWARD.match(text):
            self.declared(text)
        self.buffer = ""
        if text:
            self.pending = []

    def colon(self) -> None:
        word = self.buffer.strip()
        if word in ("public", "private", "protected"):
            self.scopes[-1].is_public = word == "public"
            self.buffer, self.pending = "", []
            self.at += 1
        else:
            self.take(self.at + (2 if self.text.startswith("::", self.at) else 1))

    def declared(self, text: str) -> None:
        """A declaration that is no type: what kind, and what it is called."""
        self.buffer = ""
        if text.startswith(("friend", "static_assert")):
            self.pending = []
            return
        if text.startswith("using "):
            self.emit("alias", text.split()[1].rstrip("="), text)
        elif is_function(text):
            plain = without_templates(text)
            name = re.search(r"(operator\s*\S+?|~?\w+)\s*\(", text if "operator" in text else plain)
            self.emit("function", name[1] if name else text, text)
        else:
            self.emit("value", re.split(r"\s*[={\[]", without_templates(text))[0].split()[-1], text)
        self.pending = []

    def emit(self, kind: str, name: str, text: str) -> None:
        if not all(scope.is_public for scope in self.scopes):
            return
        owners = [scope.name for scope in self.scopes if scope.kind != "namespace"]
        plain = re.sub(r"^(?:\[\[\w+\]\] |explicit |static |inline |virtual |constexpr |friend |template <.*?> )*", "", text)
        line = self.text.count("\n", 0, self.at) + 1
        made = Declaration(kind, "::".join([*owners, name]), text, " ".join(self.pending), line)
        made.is_fallible = kind == "function" and re.match(r"(?:Result<|Status\b)", plain) is not None
        made.is_special = kind == "function" and (
            "~" in name or re.search(r"= (?:default|delete)$", text) is not None or re.match(r"operator\W", name) is not None
            or (bool(owners) and name == owners[-1] and SPECIAL.match(plain) is not None))
        self.header.declarations.append(made)


def read(path: Path) -> Header:
    return Reader(path).read()
