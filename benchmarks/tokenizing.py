"""How fast rows become tokens, against the bare tokenizer, and what memory that takes.

    AUTOPEFT_MATERIAL=... python -m benchmarks.tokenizing

Writes benchmarks/tokenizing.json and benchmarks/tokenizing.md. The rows are those of AG News (its train part in the
shared material), repeated with a number in front until there are 100,000, so that none is a copy of another.
"""

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

ROWS = 100_000
RUNS = 3
MODEL = "minilm-l6"
_MIB = 2**20
HERE = Path(__file__).parent


def main() -> None:
    material = Path(os.environ["AUTOPEFT_MATERIAL"])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        texts = write_rows(material / "data" / "ag_news" / "train.jsonl", path)
        arguments = [sys.executable, "-m", "benchmarks.tokenizing"]
        alone = [json.loads(_run([*arguments, kind, str(path), str(material)])) for kind in ("bare", "ours") * RUNS]
    bare = [one for one in alone if one["kind"] == "bare"]
    ours = [one for one in alone if one["kind"] == "ours"]
    figures = {
        "rows": ROWS,
        "megabytes": round(texts / 1e6, 1),
        "tokens": ours[0]["tokens"],
        "tokenizer": MODEL,
        "bare_rows_per_cpu_second": [round(ROWS / one["seconds"]) for one in bare],
        "rows_per_cpu_second": [round(ROWS / one["seconds"]) for one in ours],
        "share_of_bare": round(median(one["seconds"] for one in bare) / median(one["seconds"] for one in ours), 3),
        "read_seconds": [round(one["read_seconds"], 2) for one in ours],
        "peak_mebibytes": max(one["peak_bytes"] for one in ours) // _MIB,
        "peak_mebibytes_before_tokenizing": max(one["before_bytes"] for one in ours) // _MIB,
        "bare_peak_mebibytes": max(one["peak_bytes"] for one in bare) // _MIB,
        "threads": int(os.environ.get("RAYON_NUM_THREADS", os.cpu_count() or 1)),
        "machine": platform.machine(),
    }
    (HERE / "tokenizing.json").write_text(json.dumps(figures, indent=1) + "\n")
    (HERE / "tokenizing.md").write_text(_markdown(figures))
    print(_markdown(figures))


def write_rows(source: Path, path: Path) -> int:
    """Write the rows, and give the characters in them."""
    rows = [json.loads(line) for line in source.read_text("utf-8").splitlines()]
    characters = 0
    with open(path, "w", encoding="utf-8") as stream:
        for number, row in enumerate(_repeated(rows)):
            text = f"{number}. {row['text']}"
            characters += len(text)
            stream.write(json.dumps({"text": text, "label": row["label"]}) + "\n")
    return characters


def _repeated(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for number in range(ROWS):
        yield rows[number % len(rows)]


def _run(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]


def measure(kind: str, path: Path, material: Path) -> dict[str, Any]:
    """One timing in a process of its own."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(material / "models" / MODEL)
    tokenizer("warm up")
    return (_bare if kind == "bare" else _ours)(tokenizer, path)


def _bare(tokenizer: Any, path: Path) -> dict[str, Any]:
    texts = [json.loads(line)["text"] for line in path.read_text("utf-8").splitlines()]
    began = time.process_time()
    tokens = 0
    for at in range(0, len(texts), 1000):
        encoded = tokenizer(texts[at : at + 1000], truncation=False, padding=False, verbose=False)
        tokens += sum(map(len, encoded["input_ids"]))
    return {"kind": "bare", "seconds": time.process_time() - began, "tokens": tokens, "peak_bytes": _peak_bytes()}


def _ours(tokenizer: Any, path: Path) -> dict[str, Any]:
    from autopeft.catalog.load import load_catalog
    from autopeft.data.load import prepare_data
    from autopeft.data.tokenize import tokenize

    task = load_catalog().task("sequence-classification")
    began = time.process_time()
    plain = prepare_data(path, task)
    read = time.process_time()
    before = _peak_bytes()
    with tempfile.TemporaryDirectory() as folder:
        data = tokenize(plain.rows, task, tokenizer, None, Path(folder), label_names=plain.label_names)
        ended = time.process_time()
        tokens = sum(int(split.input_ids.offsets[-1]) for split in data.splits.values())
    return {
        "kind": "ours",
        "seconds": ended - read,
        "read_seconds": read - began,
        "tokens": tokens,
        "before_bytes": before,
        "peak_bytes": _peak_bytes(),
    }


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _markdown(figures: dict[str, Any]) -> str:
    rows = [
        ("rows, characters, tokens", f"{figures['rows']:,}, {figures['megabytes']} million, {figures['tokens']:,}"),
        (
            "bare tokenizer, rows per second of processor time",
            ", ".join(f"{rate:,}" for rate in figures["bare_rows_per_cpu_second"]),
        ),
        (
            "autopeft, rows per second of processor time",
            ", ".join(f"{rate:,}" for rate in figures["rows_per_cpu_second"]),
        ),
        ("of the bare rate, medians", f"{figures['share_of_bare']:.0%}"),
        ("peak memory of the process, everything imported", f"{figures['peak_mebibytes']} MiB"),
        ("of it before tokenizing", f"{figures['peak_mebibytes_before_tokenizing']} MiB"),
        ("peak memory with the bare tokenizer", f"{figures['bare_peak_mebibytes']} MiB"),
        (
            "reading, checking and splitting the file before that, seconds of processor time",
            ", ".join(map(str, figures["read_seconds"])),
        ),
    ]
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return (
        "# Tokenizing 100,000 rows\n\nMade by `python -m benchmarks.tokenizing`; what is timed is `data.tokenize`: the "
        "fingerprint, the tokens, the lengths, cutting and the arrays on disk. The bare tokenizer is called with 1,000 "
        "texts at a time and keeps nothing. Seconds are of processor time, since the machine was shared; threads of "
        f"the tokenizer: {figures['threads']}.\n\n| what | figure |\n| --- | --- |\n{table}\n"
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))))
    else:
        main()
