"""The C++ and the Python interface as reference pages: what headers and docstrings say, with the signatures."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import header_docs

ROOT = Path(__file__).resolve().parents[1]
PYTHON_FILES = ["factory.py", "_skua.pyi", "types.py", "config.py", "enums.py", "errors.py"]


def plain(text: str) -> str:
    """A comment as Markdown: what stands in backticks as it is, nothing else with a meaning of its own."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    return "".join(part if part.startswith("`") else re.sub(r"([*\[\]])", r"\\\1", part).replace("<", "&lt;") for part in parts)


def line(signature: str, doc: str) -> str:
    return f"- `{' '.join(signature.split())}`" + (f": {plain(doc)}" if doc else "")


def cpp_entry(made: header_docs.Declaration) -> Iterator[str]:
    if made.kind == "type":
        yield f"\n### {made.text.split(' : ')[0] if len(made.text) < 80 else made.name}\n\n{plain(made.doc)}\n"
        yield from (line(name, doc) for name, doc in made.enumerators)
    elif not made.is_special:
        yield line(f"#define {made.text}" if made.kind == "macro" else made.text, made.doc)


def cpp(header: Path) -> str:
    """One public header: what it is for, then its declarations in their order."""
    found = header_docs.read(header)
    parts, owner = [plain(found.about) + "\n"], ""
    for made in found.declarations:
        is_free = made.kind != "type" and "::" not in made.name
        if is_free and owner:
            parts.append("\nBeside it:\n")
        owner = "" if is_free else made.name
        parts += cpp_entry(made)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts).strip())


def signature(node: ast.FunctionDef) -> str:
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{node.name}({ast.unparse(node.args)}){returns}"


def doc_of(node: ast.ClassDef | ast.FunctionDef) -> str:
    return ast.get_docstring(node) or ""


def text_of(node: ast.stmt | None) -> str:
    """The text that stands alone as a statement, which documents the field before it."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return node.value.value
    return ""


def python_class(node: ast.ClassDef) -> Iterator[str]:
    bases = f"({', '.join(ast.unparse(base) for base in node.bases)})" if node.bases else ""
    yield f"\n### class {node.name}{bases}\n\n{plain(doc_of(node))}\n"
    body = node.body
    for at, item in enumerate(body):
        if isinstance(item, ast.AnnAssign) and not ast.unparse(item.target).startswith("_"):
            after = body[at + 1] if at + 1 < len(body) else None
            yield line(ast.unparse(item), text_of(after))
        elif isinstance(item, ast.Assign) and not ast.unparse(item.targets[0]).startswith("_"):
            yield line(ast.unparse(item), "")
        elif isinstance(item, ast.FunctionDef) and (not item.name.startswith("_") or ast.get_docstring(item)):
            is_property = any(ast.unparse(decorator) == "property" for decorator in item.decorator_list)
            returns = f": {ast.unparse(item.returns)}" if item.returns else ""
            yield line(f"{item.name}{returns}" if is_property else signature(item), doc_of(item))


def python(file: Path, exported: set[str]) -> str:
    """One file of the package: the exported names that it defines, in their order."""
    tree = ast.parse(file.read_text("utf-8"))
    parts = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name in exported:
            parts += list(python_class(node))
        elif isinstance(node, ast.FunctionDef) and node.name in exported:
            parts += [f"\n### {node.name}\n", f"```python\n{signature(node)}\n```\n", paragraphs(doc_of(node))]
        elif isinstance(node, ast.AnnAssign) and ast.unparse(node.target) in exported:
            parts += [f"\n### {ast.unparse(node.target)}\n", f"```python\n{ast.unparse(node)}\n```\n"]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts).strip())


def paragraphs(doc: str) -> str:
    return "\n\n".join(plain(paragraph) for paragraph in doc.split("\n\n")) + "\n"


def exported_names(package: Path) -> set[str]:
    for node in ast.parse((package / "__init__.py").read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    raise ValueError(f"{package}/__init__.py has no __all__")
