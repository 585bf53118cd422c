"""What can be called of src/cache: the functions that its headers, and the public headers it implements, declare."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
PUBLIC = ("engine_filename.h", "public_key.h", "sidecar.h")
# Not calls: what a name before a parenthesis may be as well.
KEYWORDS = {"if", "for", "while", "switch", "return", "sizeof", "decltype", "noexcept", "alignas", "operator"}


def headers():
    return sorted((ROOT / "src" / "cache").glob("*.h")) + [ROOT / "include" / "skua" / name for name in PUBLIC]


def without_bodies(text):
    """The text without comments, preprocessor lines, private parts, default member initialisers and function bodies."""
    text = re.sub(r"//[^\n]*", "", text)
    text = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"\bprivate:.*?(?=\bpublic:|^\};)", "", text, flags=re.MULTILINE | re.DOTALL)
    kept, depth, body = [], 0, 0
    for index, letter in enumerate(text):
        if letter == "{":
            depth += 1
            opens_scope = re.search(r"(namespace[\w:\s]*|(struct|class|enum class)\s[^;{}()]*)$", text[:index])
            if body or not opens_scope:
                body = body or depth
        if not body:
            kept.append(letter)
        if letter == "}":
            if body == depth:
                body = 0
                kept.append(";")
            depth -= 1
    return "".join(kept)


def entries_of(path):
    """Names of the functions and constructors that can fail, as "header: name"."""
    names = set()
    for statement in re.split(r"[;{}]", without_bodies(path.read_text(encoding="ascii"))):
        statement = re.sub(r"\b(public|private):", " ", statement)
        found = re.search(r"(?<![<\w])(~?[A-Za-z_]\w*)\s*\(", statement.split("=")[0] if "operator" in statement else statement)
        if not found or found.group(1) in KEYWORDS or found.group(1).startswith("~"):
            continue
        is_sure = re.search(r"\)\s*(const\s*)?noexcept|=\s*(default|delete)\b|\bconstexpr\b|\bfriend\b|\busing\b", statement)
        if not is_sure:
            names.add(f"{path.name}: {found.group(1)}")
    return names


def entries():
    return sorted(set().union(*(entries_of(path) for path in headers())))


if __name__ == "__main__":
    print("\n".join(entries()))
