"""Writes docs/licences.md: everything that `pip install autopeft` brings, with its licence as pip-licenses reads it.

python benchmarks/licences.py    needs pip-licenses; exit with 1 where a licence is not on the list of `ALLOWED`
"""

import json
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PAGE = Path(__file__).parents[1] / "docs" / "licences.md"
# Words of licences that ask for their own text beside the package, or (weak copyleft) for changes to it alone.
ALLOWED = re.compile(
    r"apache|mit\b|bsd|isc|python software foundation|psf|mozilla|mpl|unlicense|zlib|cc0|hpnd|boost|lgpl|public domain",
    re.IGNORECASE,
)


def main() -> int:
    """Write the page; the exit status."""
    listed = subprocess.run(
        [sys.executable, "-m", "piplicenses", "--format=json", "--from=mixed"],
        capture_output=True,
        text=True,
        check=True,
    )
    licences = {canonicalize_name(one["Name"]): one["License"] for one in json.loads(listed.stdout)}
    brought = sorted(_brought("autopeft") & licences.keys())
    lines = {name: " ".join(licences[name].split())[:120] for name in brought}
    head = [
        "# Licences",
        "",
        "What `pip install autopeft` brings, without extras, and the licence that each package states. Written by",
        "`make licences`; the versions are those of `constraints.txt`.",
        "",
        "| package | licence |",
        "| --- | --- |",
    ]
    rows = [f"| {name} | {licence.replace('|', '&#124;')} |" for name, licence in lines.items()]
    PAGE.write_text("\n".join([*head, *rows]) + "\n", encoding="utf-8")
    unknown = [f"{name}: {licence}" for name, licence in lines.items() if not ALLOWED.search(licence)]
    print(f"{len(lines)} packages in {PAGE.name}", *unknown, sep="\n")
    return 1 if unknown else 0


def _brought(name: str) -> set[str]:
    """The packages that a package needs, and those that they need."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        try:
            needed = requires(waiting.pop()) or []
        except PackageNotFoundError:  # for another system, or another Python
            continue
        for text in needed:
            requirement = Requirement(text)
            other = canonicalize_name(requirement.name)
            if other not in found and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
                found.add(other)
                waiting.append(other)
    return found


if __name__ == "__main__":
    sys.exit(main())
