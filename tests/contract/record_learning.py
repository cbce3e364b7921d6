"""Runs sixty steps of every method on every model of `method_cases` and records the loss: `method_learning.json`.

    python tests/contract/record_learning.py [FAMILY[:METHOD,METHOD] ...]

What is named is run anew, everything else keeps its last result. docs/capabilities.md shows the file.
"""

import json
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from learning import learn
from method_cases import FAMILIES, Case, all_cases

RECORD = Path(__file__).with_name("method_learning.json")


def row(case: Case, root: Path) -> dict[str, Any]:
    """What came of one case; an error is a result too."""
    try:
        found = learn(case, root, to_the_end=True)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"[:200]}
    return {
        "start_loss": round(found.start_loss, 3),
        "end_loss": round(found.end_loss, 3),
        "tensors": found.tensors,
        "still": list(found.still),
    }


def record_family(asked: str, root: Path) -> None:
    """Run the cases of a family, or those methods of it that are named, and keep each."""
    family, _, named = asked.partition(":")
    methods = set(named.split(",")) if named else None
    for case in all_cases():
        if case.family != family or case.method_id == "head-only" or (methods and case.method_id not in methods):
            continue
        found = row(case, root)
        kept = json.loads(RECORD.read_text()) if RECORD.exists() else {}
        one = kept.setdefault(family, {})
        one["date"] = datetime.now(UTC).date().isoformat()
        one["versions"] = {name: version(name) for name in ("torch", "transformers", "peft")}
        one.setdefault("methods", {})[case.method_id] = found
        ordered = {name: kept[name] for name in FAMILIES if name in kept}
        RECORD.write_text(json.dumps(ordered, indent=1) + "\n")
        print(family, case.method_id, found, flush=True)


def main() -> None:
    """Run what is named, or everything."""
    with tempfile.TemporaryDirectory() as folder:
        for asked in sys.argv[1:] or FAMILIES:
            record_family(asked, Path(folder))


if __name__ == "__main__":
    main()
