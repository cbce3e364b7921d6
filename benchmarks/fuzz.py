"""Every reader of what comes from outside, fed with broken input: an answer or a one-line refusal, nothing else.

Run as `python benchmarks/fuzz.py [--cases 10000] [--more] [reader ...]`; prints a table, keeps each reader's row in
`fuzz.json` beside itself as soon as it is done, and puts the table into `reliability.md`; `--more` passes over the
readers that had as many cases already. A case counts as a traceback when anything but an `AutopeftError` of one line
leaves the reader (the catalogue says one line for each fault), and as a hang when it takes more than `LONGEST_SECONDS`
of processor time, or is ended because it waits for `WAITING_SECONDS`.
Inputs are drawn by Hypothesis from a fixed seed: real files with bytes cut, changed or moved, and real documents with
values replaced by others.
"""

import argparse
import copy
import json
import logging
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from autopeft.api.status import status
from autopeft.catalog.contents import Catalog
from autopeft.catalog.load import load_catalog
from autopeft.catalog.locate import search_spaces_root
from autopeft.data.sources import read_source
from autopeft.domain.expression import parse_expression
from autopeft.domain.units import parse_duration_seconds, parse_size_bytes
from autopeft.errors import AutopeftError, CatalogError
from autopeft.modeling.architecture import architecture_of
from autopeft.modeling.config import transformers_config
from autopeft.modeling.recorded import read_recorded
from autopeft.modeling.recorded_config import recorded_config
from autopeft.modeling.source import read_model
from autopeft.reporting.facts import read_report
from autopeft.reporting.html import render_html
from autopeft.reporting.leaderboard import render_leaderboard
from autopeft.reporting.markdown import render_markdown
from autopeft.search.run_directory import read_result

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "tests" / "golden" / "report.result.json"
FIGURES = Path(__file__).with_suffix(".json")
PAGE = Path(__file__).with_name("reliability.md")
MARKS = ("<!-- fuzz -->", "<!-- /fuzz -->")
KINDS = ("answer", "refusal", "traceback", "hang")
LONGEST_SECONDS = 5.0
# On a busy machine five seconds of work may take a minute.
WAITING_SECONDS = 120.0
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    10**30,
    1e308,
    float("nan"),
    "",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "\x00\x1b[31m\u202e",
    "a" * 10_000,
    [],
    {},
    [[[[]]]],
    {"": {"": ""}},
)
CONFIG = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 100,
    "rope_scaling": {"rope_type": "linear", "factor": 2.0},
}
ADAPTER = {
    "peft_type": "LORA",
    "r": 8,
    "lora_alpha": 16,
    "target_modules": ["q_proj", "v_proj"],
    "task_type": "CAUSAL_LM",
    "rank_pattern": {"q_proj": 4},
}
REQUEST = {"model": "m", "dataset": "d", "task": "causal-lm", "columns": {"text": "t"}, "methods": ["lora"]}
ROWS = [{"text": "a film", "label": 1}, {"text": 'quoted "words", and a comma', "label": 0}]
EXPRESSIONS = (
    "model_parameters >= 3e9 and architecture_kind == 'decoder'",
    "not (training_rows < 1000 or task in ['causal-lm', 'text-to-text'])",
)


@dataclass(frozen=True)
class Reader:
    """One way in: what it is fed, and what reads it in a folder of its own."""

    inputs: st.SearchStrategy[bytes]
    read: Callable[[bytes, Path], object]


def documents(plain: Any) -> st.SearchStrategy[Any]:
    """The document with up to three of its values, at any depth, replaced, taken out or doubled."""
    places = list(_places(plain, ()))
    edit = st.tuples(st.sampled_from(places), st.sampled_from(["replace", "remove", "rename"]), st.sampled_from(ODD))
    return st.lists(edit, min_size=1, max_size=3).map(lambda edits: _edited(plain, edits))


def _places(plain: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    inside = plain.items() if isinstance(plain, Mapping) else enumerate(plain) if isinstance(plain, list) else ()
    for key, value in inside:
        yield (*path, key)
        yield from _places(value, (*path, key))


def _edited(plain: Any, edits: list[tuple[tuple[Any, ...], str, Any]]) -> Any:
    changed = copy.deepcopy(plain)
    for path, how, odd in edits:
        holder = changed
        try:
            for key in path[:-1]:
                holder = holder[key]
            value = holder.pop(path[-1])
        except (KeyError, IndexError, TypeError, AttributeError):  # an earlier edit took it away
            continue
        if how == "replace" and isinstance(holder, dict):
            holder[path[-1]] = odd
        elif how == "replace":
            holder.append(odd)
        elif how == "rename" and isinstance(holder, dict):
            holder[str(odd)[:50]] = value
    return changed


def broken_bytes(raw: bytes) -> st.SearchStrategy[bytes]:
    """The bytes with up to four cuts, insertions, changes or repetitions."""
    edit = st.tuples(st.floats(0, 1), st.floats(0, 1), st.binary(max_size=8), st.integers(0, 3))
    return st.lists(edit, min_size=1, max_size=4).map(lambda edits: _cut(raw, edits))


def _cut(raw: bytes, edits: list[tuple[float, float, bytes, int]]) -> bytes:
    for first, second, piece, how in edits:
        start, end = sorted((int(first * len(raw)), int(second * len(raw))))
        short = raw[start : min(end, start + 40)]
        raw = raw[:start] + (b"", piece, piece + short, short * 3)[how] + raw[start + len(short) :]
    return raw


def json_of(plain: Any) -> st.SearchStrategy[bytes]:
    """JSON files: the document changed, or its text broken, or anything at all."""
    text = json.dumps(plain).encode()
    return st.one_of(documents(plain).map(lambda one: json.dumps(one).encode()), broken_bytes(text), st.binary())


def texts(*samples: str) -> st.SearchStrategy[bytes]:
    """Text near the samples, and any other."""
    near = [broken_bytes(sample.encode()) for sample in samples]
    return st.one_of(*near, st.text(max_size=40).map(lambda one: one.encode("utf-8", "surrogatepass")))


def _write(folder: Path, name: str, raw: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)
    return path


def _in_text(parse: Callable[[str], object]) -> Callable[[bytes, Path], object]:
    return lambda raw, _: parse(raw.decode("utf-8", "replace"))


def _catalog_file(folder: str, name: str) -> Reader:
    sample = (search_spaces_root() / folder / name).read_bytes()
    return Reader(
        st.one_of(broken_bytes(sample), st.binary()),
        lambda raw, at: load_catalog(_write(at, f"{folder}/{name}", raw).parents[1]),
    )


def _run_file(name: str, content: Any, look: Callable[[Path], object]) -> Reader:
    def read(raw: bytes, folder: Path) -> object:
        if name != "plan.json":
            _write(folder, "plan.json", json.dumps({"request": REQUEST}).encode())
        _write(folder, name, raw)
        return look(folder)

    return Reader(json_of(content), read)


def readers() -> dict[str, Reader]:
    """Every reader by name."""
    catalog = load_catalog()
    rows = "\n".join(json.dumps(row) for row in ROWS).encode()
    return {
        "sizes": Reader(texts("24GB", "1.5 GiB", "80g"), _in_text(parse_size_bytes)),
        "durations": Reader(texts("2h30m", "90s", "1d"), _in_text(parse_duration_seconds)),
        "expressions": Reader(texts(*EXPRESSIONS), _in_text(parse_expression)),
        "method YAML": _catalog_file("methods", "lora.yaml"),
        "rule YAML": _catalog_file("rules", "model-size.yaml"),
        "task YAML": _catalog_file("tasks", "causal-lm.yaml"),
        "GPU YAML": _catalog_file("gpus", "l40s.yaml"),
        "config.json": Reader(json_of(CONFIG), lambda raw, at: _model(_write(at, "config.json", raw), catalog)),
        "adapter_config.json": Reader(
            json_of(ADAPTER),
            lambda raw, at: recorded_config(read_recorded(_write(at, "adapter_config.json", raw)).method),
        ),
        "plan.json": _run_file("plan.json", {"request": REQUEST}, status),
        "ledger.json": _run_file("ledger.json", {"sessions": [{"seconds": 1.0, "spent": {}}]}, status),
        "result.json": _run_file("result.json", json.loads(RESULT.read_text(encoding="utf-8")), _report),
        "CSV": Reader(
            broken_bytes(b'text,label\n"a, b",1\nc,0\n'), lambda raw, at: read_source(_write(at, "a.csv", raw))
        ),
        "JSONL": Reader(
            st.one_of(broken_bytes(rows), documents(ROWS).map(_lines)),
            lambda raw, at: read_source(_write(at, "a.jsonl", raw)),
        ),
        "JSON": Reader(json_of(ROWS), lambda raw, at: read_source(_write(at, "a.json", raw))),
    }


def _model(path: Path, catalog: Catalog) -> object:
    """As far as a model is read before anything of its size is made."""
    model = read_model(str(path.parent), catalog)
    architecture_of(model.config, catalog)
    return transformers_config(model, catalog.task("causal-lm"), 2)


def _report(folder: Path) -> object:
    """All of a report but its PNG pictures, which matplotlib draws from the same facts in a second."""
    report = read_report(read_result(folder))
    return render_html(report), render_markdown(report, [], ""), render_leaderboard(report)


def _lines(rows: Any) -> bytes:
    return "\n".join(json.dumps(row) for row in rows).encode()


def outcome(reader: Reader, raw: bytes, folder: Path) -> tuple[str, str]:
    """`answer`, `refusal` or `traceback`, and what was said."""
    try:
        reader.read(raw, folder)
    except CatalogError as error:  # one line for each fault of each file
        return "refusal", error.message
    except AutopeftError as error:
        return ("traceback" if "\n" in error.message else "refusal"), error.message
    except Exception as error:  # what is counted here
        return "traceback", f"{type(error).__name__}: {error}"
    return "answer", ""


class Hangs(BaseException):
    """Raised in a reader that waits for too long; no `except Exception` may catch it."""


@contextmanager
def ended_when_it_hangs() -> Iterator[None]:
    """End the block after `WAITING_SECONDS`."""

    def end(signal_number: int, frame: object) -> None:
        raise Hangs

    earlier = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, WAITING_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)


def measure(reader: Reader, cases: int) -> dict[str, Any]:
    """Outcomes of so many cases, the processor time of the slowest, and the first of what should not be."""
    found: Counter[str] = Counter()
    faults: list[str] = []
    slowest = 0.0
    numbers = count()

    @seed(0)
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(reader.inputs)
    def run(raw: bytes) -> None:
        nonlocal slowest
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / str(next(numbers))
            folder.mkdir()
            began = time.process_time()
            try:
                with ended_when_it_hangs():
                    kind, said = outcome(reader, raw, folder)
            except Hangs:
                kind, said = "hang", f"waited for {WAITING_SECONDS} s"
            spent = time.process_time() - began
            if spent > LONGEST_SECONDS:
                kind, said = "hang", f"{spent:.1f} s"
            slowest = max(slowest, spent)
        found[kind] += 1
        if kind in ("traceback", "hang") and len(faults) < 5:
            faults.append(f"{said[:200]} <- {raw[:200]!r}")

    run()
    return {"cases": found.total(), **found, "slowest_seconds": round(slowest, 3), "faults": faults}


def main() -> None:
    """Measure, print and keep."""
    logging.disable(logging.WARNING)  # what transformers thinks of each broken config
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--more", action="store_true")
    arguments = parser.parse_args()
    rows: dict[str, Any] = json.loads(FIGURES.read_text(encoding="utf-8"))["readers"]
    known = readers()
    for name in arguments.names or known:
        if arguments.more and rows.get(name, {}).get("cases", 0) >= arguments.cases:
            continue
        rows[name] = measure(known[name], arguments.cases)
        print(_row(name, rows[name]), *rows[name]["faults"], sep="\n    ", flush=True)
        _keep({name: rows[name] for name in known if name in rows})


def _keep(rows: Mapping[str, Any]) -> None:
    """Write the figures, and the table between its marks; whatever else the page says stays."""
    text = json.dumps({"longest_seconds": LONGEST_SECONDS, "readers": rows}, indent=1, ensure_ascii=False)
    FIGURES.write_text(text + "\n", encoding="utf-8")
    head = ["| reader | cases | answers | refusals | tracebacks | hangs | slowest s |", "| --- |" + " ---: |" * 6]
    table = "\n".join([*head, *(_row(name, row) for name, row in rows.items())])
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    PAGE.write_text(f"{before}{MARKS[0]}\n{table}\n{MARKS[1]}{after}", encoding="utf-8")


def _row(name: str, row: Mapping[str, Any]) -> str:
    counts = " | ".join(str(row.get(kind, 0)) for kind in KINDS)
    return f"| {name} | {row['cases']} | {counts} | {row['slowest_seconds']:.2f} |"


if __name__ == "__main__":
    main()
