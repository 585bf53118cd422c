"""What mkdocs.yml needs beside mkdocs: the navigation by folder, and the files outside docs/ that pages link to.

A link in docs/ is written for a repository browser, `../../benchmarks/README.md`. Here every file that a page links to becomes
a page of the site, below repository/: Markdown as it is, all else as its text. Links are rewritten to match.
"""

import html
import posixpath
import re
from pathlib import Path

import markdown_pages
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

LONGEST_WORD = 20
# Who searches "log field" wants to be told where it is before he reads every page that has one.
SEARCH_BOOST = {"where-to-change.md": 30, "concepts.md": 2, "reference/cpp.md": 0.5, "reference/python.md": 0.5}
JOINT = re.compile(r"([_/]|::)(?=.)")
PICTURES = {".png", ".svg", ".jpg"}
LANGUAGES = {".cpp": "cpp", ".h": "cpp", ".py": "python", ".sh": "bash", ".yaml": "yaml", ".yml": "yaml", ".json": "json",
             ".toml": "toml", ".service": "ini"}


def root_of(config: MkDocsConfig) -> Path:
    return Path(config.config_file_path).resolve().parent


def site_name(path: str) -> str:
    """What a file of the repository is called in the site, both relative to their roots."""
    suffix = posixpath.splitext(path)[1]
    inside = path.startswith("docs/")
    if suffix in PICTURES or suffix == ".md":
        return path.removeprefix("docs/") if inside else f"repository/{path}"
    return f"repository/{path}.md"


def linked(root: Path, path: str) -> dict[str, str]:
    """{target as written: file of the repository} of what a page's links name; what is not there is left to mkdocs."""
    found = {}
    for target in markdown_pages.links((root / path).read_text("utf-8")):
        name = target.partition("#")[0]
        if not name or markdown_pages.is_external(target):
            continue
        file = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
        if (root / file).is_dir():
            file = posixpath.join(file, "README.md")
        if not file.startswith("..") and (root / file).is_file():
            found[target] = file
    return found


def as_code(root: Path, path: str) -> str:
    text = (root / path).read_text("utf-8")
    language = LANGUAGES.get(posixpath.splitext(path)[1], "text")
    if posixpath.basename(path) == "CMakeLists.txt" or path.endswith(".cmake"):
        language = "cmake"
    return f"---\ntitle: {path}\nsearch:\n  exclude: true\n---\n\n# `{path}`\n\n~~~~~{language}\n{text.rstrip()}\n~~~~~\n"


def reached(root: Path, pages: list[str]) -> dict[str, str]:
    """{name in the site: file of the repository} of all that the pages link to, and that those link to."""
    found: dict[str, str] = {}
    queue = list(pages)
    while queue:
        for file in linked(root, queue.pop()).values():
            name = site_name(file)
            if name not in found:
                found[name] = file
                if file.endswith(".md"):
                    queue.append(file)
    return found


def expanded(item: object, names: list[str], taken: set[str]) -> list[object]:
    """A navigation in which `folder/*` stands for every page of that folder that is not named elsewhere."""
    if isinstance(item, dict):
        return [{title: value if isinstance(value, str) else [e for v in value for e in expanded(v, names, taken)]
                 for title, value in item.items()}]
    if isinstance(item, str) and item.endswith("/*"):
        return [name for name in names if name.startswith(item[:-1]) and name not in taken]
    return [item]


def named(item: object) -> set[str]:
    if isinstance(item, dict):
        return set().union(*(named(value) for value in item.values()))
    if isinstance(item, list):
        return set().union(*(named(value) for value in item))
    return {item} if isinstance(item, str) else set()


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    config.mdx_configs.setdefault("toc", {})["slugify"] = markdown_pages.slug
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    root = root_of(config)
    pages = [f"docs/{file.src_uri}" for file in files.documentation_pages()]
    for name, path in sorted(reached(root, pages).items()):
        if files.get_file_from_path(name) is None:
            files.append(made(root, name, path, config))
    names = sorted((f.src_uri for f in files.documentation_pages() if f.inclusion.is_in_nav()), key=str.lower)
    config.nav = [e for item in config.nav or [] for e in expanded(item, names, named(config.nav))]
    return files


def made(root: Path, name: str, path: str, config: MkDocsConfig) -> File:
    if not path.endswith(".md") and Path(path).suffix not in PICTURES:
        file = File.generated(config, name, content=as_code(root, path), inclusion=InclusionLevel.NOT_IN_NAV)
    else:
        file = File.generated(config, name, abs_src_path=str(root / path))
    file.repository_path = path  # type: ignore[attr-defined]
    return file


def apart(markdown: str) -> str:
    """A list that begins right below a line of text, with the blank line that the site's reader of Markdown wants there."""
    fenced = {line for fence in markdown_pages.FENCED.finditer(markdown)
              for line in range(markdown.count("\n", 0, fence.start()), markdown.count("\n", 0, fence.end()) + 1)}
    lines = []
    is_text = is_list = False
    for number, line in enumerate(markdown.split("\n")):
        if number in fenced or not line.strip() or line.startswith(("#", "|", "<")):
            is_text = is_list = False
        elif re.match(r"[-*+] \S|1\. \S", line):
            lines += [""] if is_text and not is_list else []
            is_list = True
        elif not is_list and not line.startswith((" ", "\t")):
            is_text = True
        lines.append(line)
    return "\n".join(lines)


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    if page.file.src_uri in SEARCH_BOOST:
        page.meta["search"] = {"boost": SEARCH_BOOST[page.file.src_uri]}
    path = getattr(page.file, "repository_path", f"docs/{page.file.src_uri}")
    if not path.endswith(".md"):
        return markdown
    targets = linked(root_of(config), path)
    here = posixpath.dirname(page.file.src_uri) or "."
    done, parts = 0, []
    for begin, end, target in markdown_pages.link_spans(markdown):
        file = targets.get(target)
        anchor = target.partition("#")[2]
        written = target if file is None else posixpath.relpath(site_name(file), here) + (f"#{anchor}" if anchor else "")
        parts += [markdown[done:begin], written]
        done = end
    return apart("".join([*parts, markdown[done:]]))


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Code within text: a short word stays on one line (`--config` has no break behind its dashes), a long one breaks at
    its joints."""
    def joined(match: re.Match[str]) -> str:
        word = match[1]
        if " " not in word and len(html.unescape(word)) <= LONGEST_WORD:
            return f'<code class="word">{word}</code>'
        return "<code>" + JOINT.sub(r"\1<wbr>", word) + "</code>"
    return re.sub(r"<code>([^<\n]+)</code>", joined, content)
