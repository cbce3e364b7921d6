"""Runs every method on every small model of `method_cases` and records what held: `method_matrix.json`.

    python tests/contract/record_matrix.py [FAMILY ...]

One family at a time, in a process of its own; a family that is named is run anew, the others keep their last result.
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

from method_cases import FAMILIES

HERE = Path(__file__).parent
REFUSAL = "test_what_a_family_cannot_take_is_refused_before_training"
RECORD = HERE / "method_matrix.json"


def run_family(family: str) -> dict[str, object]:
    """The checks of one family: method -> the names of those that failed, in one pytest process."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "slow or not slow"]
        longer = [f"not [{other}-" for other in FAMILIES if other.startswith(f"{family}-")]
        chosen = " and ".join([f"[{family}-", *longer])
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


def main() -> None:
    """Run the families named, or all; keep each as it ends."""
    for family in sys.argv[1:] or FAMILIES:
        found = run_family(family)
        record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
        record[family] = found
        ordered = {name: record[name] for name in FAMILIES if name in record}
        RECORD.write_text(json.dumps(ordered, indent=1) + "\n")
        print(family, sum(found["passed"].values()), "passed; failed:", found["failed"], flush=True)


if __name__ == "__main__":
    main()
