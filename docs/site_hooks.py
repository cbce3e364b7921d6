"""What MkDocs asks while it builds the site: pages that lie outside docs/, the list of decisions, and links to both.

In the repository a link is relative to the file that holds it, so that it works where the file is read. The site has
the same pages at other places, and leaves out some files: links to those become plain text.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).parents[1]
OUTSIDE = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md", "README.md": "index.md"}
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")
FENCE = re.compile(r"^( *)(`{3,}).*?^\1\2`*$", re.MULTILINE | re.DOTALL)


def outside() -> Iterator[tuple[str, str]]:
    """(path in the repository, path on the site) of the pages that lie outside docs/."""
    yield from OUTSIDE.items()
    for path in sorted((REPOSITORY / "benchmarks").glob("*.md")):
        yield f"benchmarks/{path.name}", f"benchmarks/{path.name}"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put every decision, and every page of measured rows, into the navigation."""
    for section in config.nav:
        for entry in section.get("Project", []) if isinstance(section.get("Project"), list) else []:
            if "Decisions" in entry:
                entry["Decisions"] = [f"adr/{path.name}" for path in sorted((REPOSITORY / "docs" / "adr").glob("*.md"))]
    project = next(section["Project"] for section in config.nav if "Project" in section)
    rows = [place for _, place in outside() if place.startswith("benchmarks/") and "README" not in place]
    project.insert(1, {"Measured rows": rows})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside docs/."""
    for source, place in outside():
        if source != "README.md":
            files.append(File.generated(config, place, abs_src_path=str(REPOSITORY / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn the repository's links into the site's."""
    places = dict(outside())
    source = next((s for s, place in places.items() if place == page.file.src_uri and s != "README.md"), None)
    origin = source or f"docs/{page.file.src_uri}"

    def turned(match: re.Match[str]) -> str:
        label, target = match.groups()
        if re.match(r"[a-z]+:|#", target):
            return match.group()
        path, hash_, anchor = target.partition("#")
        inside = posixpath.normpath(posixpath.join(posixpath.dirname(origin), path))
        place = places.get(inside) or inside.removeprefix("docs/")
        if place == inside and inside not in places:
            return label
        if files.get_file_from_path(place) is None and not place.endswith(".md"):
            return label
        link = posixpath.relpath(place, posixpath.dirname(page.file.src_uri) or ".")
        return f"[{label}]({link}{hash_}{anchor})"

    pieces, end = [], 0
    for fence in FENCE.finditer(markdown):
        pieces += [LINK.sub(turned, markdown[end : fence.start()]), fence.group()]
        end = fence.end()
    return "".join([*pieces, LINK.sub(turned, markdown[end:])])
