"""Runs every method on every small model of `method_cases` and records what held: `method_matrix.json`.

    python tests/contract/record_matrix.py [FAMILY[:METHOD,METHOD] ...]

One family at a time, in a process of its own; what is named is run anew, everything else keeps its last result.
The page docs/capabilities.md is made from the file.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from method_cases import FAMILIES

HERE = Path(__file__).parent
REFUSAL = "test_what_a_family_cannot_take_is_refused_before_training"
RECORD = HERE / "method_matrix.json"


def run_family(family: str, methods: list[str]) -> dict[str, Any]:
    """The checks of one family, or of these methods on it: what passed, was refused and failed, in one process."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "slow or not slow"]
        longer = [f"not [{other}-" for other in FAMILIES if other.startswith(f"{family}-")]
        named = " or ".join(f"[{family}-{method}]" for method in methods)
        chosen = " and ".join([f"({named})" if named else f"[{family}-", *longer])
        command += [f"--junitxml={report}", "-k", chosen, str(HERE / "test_methods.py")]
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})
        cases = list(ElementTree.parse(report).getroot().iter("testcase"))  # pytest's own file
    passed: dict[str, int] = {}
    failed: dict[str, list[str]] = {}
    refused: list[str] = []
    for case in cases:
        name, _, method = str(case.get("name")).rstrip("]").partition(f"[{family}-")
        if case.find("skipped") is not None:
            continue
        if name == REFUSAL:
            refused.append(method)
        held = case.find("failure") is None and case.find("error") is None
        passed[method] = passed.get(method, 0) + held
        if not held:
            failed.setdefault(method, []).append(name.removeprefix("test_"))
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "wall_seconds": round(time.perf_counter() - began),
        "versions": {name: version(name) for name in ("torch", "transformers", "peft")},
        "passed": dict(sorted(passed.items())),
        "refused": sorted(refused),
        "failed": dict(sorted(failed.items())),
    }


def _with_kept(found: dict[str, Any], earlier: dict[str, Any], methods: list[str]) -> dict[str, Any]:
    """What was found, and for the methods that were not run what had been found before."""

    def kept(table: str) -> dict[str, Any]:
        return {name: one for name, one in earlier[table].items() if name not in methods}

    refused = set(earlier["refused"]) - set(methods) | set(found["refused"])
    tables = {table: dict(sorted((kept(table) | found[table]).items())) for table in ("passed", "failed")}
    return found | tables | {"refused": sorted(refused), "wall_seconds": earlier["wall_seconds"]}


def main() -> None:
    """Run the families named, or all; keep each as it ends."""
    for asked in sys.argv[1:] or FAMILIES:
        family, _, named = asked.partition(":")
        methods = named.split(",") if named else []
        found = run_family(family, methods)
        record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
        record[family] = _with_kept(found, record[family], methods) if methods else found
        ordered = {name: record[name] for name in FAMILIES if name in record}
        RECORD.write_text(json.dumps(ordered, indent=1) + "\n")
        print(family, sum(found["passed"].values()), "passed; failed:", found["failed"], flush=True)


if __name__ == "__main__":
    main()
