"""Faults by the hundred: whatever befalls a search, is anything lost, mixed, or left behind?

    python -m benchmarks.faults [--faults 200] [--more] [--kinds "killed,disk full"]

Each fault is one of the kinds in `tests/faults/kinds/`, at a moment drawn from its number: a real `autopeft search`
in a process of its own over made-up training, the fault, and as many `autopeft resume` as it takes. After each command
and at the end it is held to `tests/faults/invariants.py`. A fault that breaks one is a lost slice or a corrupt result,
whichever the message says. Writes `faults.json` after every fault and the table of `reliability.md`; `--more` goes on
where the file ends. Every fifth fault draws the reports' pictures too.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.faults.registry import FaultKind, NotHere, fault_kinds
from tests.faults.scene import Workshop

FIGURES = Path(__file__).with_suffix(".json")
PAGE = Path(__file__).with_name("reliability.md")
MARKS = ("<!-- faults -->", "<!-- /faults -->")
PICTURES_EVERY = 5


def main(faults: int, names: list[str], *, more: bool) -> None:
    kinds = {name: kind for name, kind in fault_kinds().items() if not names or name in names}
    done: list[dict[str, Any]] = json.loads(FIGURES.read_text())["faults"] if more else []
    with tempfile.TemporaryDirectory() as folder:
        workshop = Workshop(Path(folder))
        for number in range(len(done), faults):
            kind = list(kinds.values())[number % len(kinds)]
            workshop.pictures = number % PICTURES_EVERY == 0
            done.append(_happened(kind, workshop, number))
            print(done[-1], flush=True)
            FIGURES.write_text(json.dumps({"faults": done}, indent=0) + "\n")
            _write_table(_markdown(done, kinds))


def _happened(kind: FaultKind, workshop: Workshop, number: int) -> dict[str, Any]:
    began = time.monotonic()
    fault: dict[str, Any] = {"number": number, "kind": kind.name, "outcome": "held", "statuses": [], "message": ""}
    try:
        scene = kind.happen(workshop, number)
        fault["statuses"] = [outcome.status for outcome in scene.outcomes]
    except NotHere as reason:
        fault |= {"outcome": "not here", "message": str(reason)}
    except Exception as broken:  # whatever it is, the promise was not kept
        text = f"{type(broken).__name__}: {broken}".strip()
        fault |= {"outcome": "lost" if "lost finished slices" in text else "broken", "message": text[:500]}
    return fault | {"seconds": round(time.monotonic() - began, 1)}


def _markdown(done: list[dict[str, Any]], kinds: dict[str, FaultKind]) -> str:
    outcomes = Counter((fault["kind"], fault["outcome"]) for fault in done)
    rows = []
    for name, kind in kinds.items():
        counts = [outcomes[name, outcome] for outcome in ("held", "lost", "broken")]
        ended = Counter(fault["statuses"][0] for fault in done if fault["kind"] == name and fault["statuses"])
        statuses = ", ".join(f"{status}: {count}" for status, count in sorted(ended.items()))
        rows.append(f"| {name} | {kind.about} | {sum(counts)} | {' | '.join(map(str, counts))} | {statuses} |")
    total = [sum(fault["outcome"] == outcome for fault in done) for outcome in ("held", "lost", "broken")]
    tried = len({fault["kind"] for fault in done if fault["outcome"] != "not here"})
    return "\n".join(
        [
            f"{sum(total)} faults of {tried} kinds: {total[0]} held, {total[1]} lost a finished slice, {total[2]} "
            "broke another promise.",
            "",
            "| kind | what happens | faults | held | lost | broken | exit status of the first command: how often |",
            "| --- | --- | ---: | ---: | ---: | ---: | --- |",
            *rows,
        ]
    )


def _write_table(text: str) -> None:
    """Put the table between its marks; whatever else the page says stays."""
    before, _, rest = PAGE.read_text().partition(MARKS[0])
    PAGE.write_text(f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{rest.partition(MARKS[1])[2]}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--kinds", default="")
    parser.add_argument("--more", action="store_true")
    chosen = parser.parse_args()
    main(chosen.faults, [name for name in chosen.kinds.split(",") if name], more=chosen.more)
