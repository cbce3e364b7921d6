"""`autopeft predict` against a bare transformers loop: rows a second, and memory against the number of rows.

Both sides ask the same adapted MiniLM about the same short rows (SST-2 training sentences). The bare loop has its texts
in memory, takes them as they come, 32 at a time, and keeps labels and probabilities; `predict` reads a CSV file and
writes another. Loading is in neither. Pieces of rows alternate between the two, so that other work on the machine
meets both alike; processor seconds are given beside wall seconds for the same reason.

Run as `AUTOPEFT_MATERIAL=... python benchmarks/predict.py`; prints a table, writes `predict.json` and `predict.md`
beside itself.
"""

import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from autopeft.api.finished import open_finished
from autopeft.api.predict import predict, predictor_of
from autopeft.api.search import search
from autopeft.artifacts.answer_rows import Asked, answer_rows
from autopeft.artifacts.row_files import read_rows, written_rows

# No run may depend on those before it.
os.environ["AUTOPEFT_HISTORY"] = "off"

HERE = Path(__file__).parent
ROWS, PIECES, BATCH_SIZE = 10_000, 5, 32
MEMORY_ROWS = (4_096, 16_384, 32_768)
TARGET_SHARE = 0.9


def small_run(material: Path, model: str, output: Path) -> Path:
    """A run whose winner is LoRA; how well it learned does not matter here."""
    found = search(
        model=str(material / "models" / model),
        train=str(material / "data" / "sst2"),
        output=output,
        methods=["lora"],
        trials=1,
        batch_size=8,
        full_steps=4,
        max_length=64,
        max_train_rows=200,
        max_evaluation_rows=40,
        top=1,
        confirm_seeds=1,
    )
    return found.path


def sentences(material: Path, count: int) -> list[str]:
    """The first training sentences, again from the start where there are too few."""
    with open(material / "data" / "sst2" / "train.jsonl", encoding="utf-8") as stream:
        found = [json.loads(line)["sentence"] for line in stream]
    return [found[place % len(found)] for place in range(count)]


def write_csv(path: Path, texts: list[str]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["sentence"])
        writer.writerows([text] for text in texts)


@torch.inference_mode()
def bare_loop(model: Any, tokenizer: Any, texts: list[str]) -> list[tuple[int, list[float]]]:
    """What one writes by hand: batches in order, padded by the tokenizer."""
    answers = []
    for at in range(0, len(texts), BATCH_SIZE):
        part = texts[at : at + BATCH_SIZE]
        batch = tokenizer(part, padding=True, truncation=True, max_length=64, return_tensors="pt")
        shares = model(**batch).logits.softmax(-1)
        answers += list(zip(shares.argmax(-1).tolist(), shares.tolist(), strict=True))
    return answers


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """(wall seconds, processor seconds)."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def measure_speed(material: Path, folder: Path) -> dict[str, list[tuple[float, float]]]:
    """Seconds of every piece, by side."""
    finished = open_finished(small_run(material, "minilm-l6", folder / "run"))
    predictor, model = predictor_of(finished, batch_size=BATCH_SIZE), finished.load("cpu")
    tokenizer = AutoTokenizer.from_pretrained(finished.subject.model.path)
    asked = Asked(finished.subject.task, {"text": "sentence"})
    texts, size = sentences(material, ROWS), ROWS // PIECES

    def ours(place: int) -> None:
        with written_rows(folder / f"out{place}.csv", ".csv") as writer:
            answer_rows(predictor, read_rows(folder / f"in{place}.csv"), asked, writer, nested=False)

    for place in range(PIECES):
        write_csv(folder / f"in{place}.csv", texts[place * size : (place + 1) * size])
    bare_loop(model, tokenizer, texts[:64])
    told: dict[str, list[tuple[float, float]]] = {"bare loop": [], "autopeft predict": []}
    for place in range(PIECES):
        part = texts[place * size : (place + 1) * size]
        told["bare loop"].append(timed(lambda part=part: bare_loop(model, tokenizer, part)))
        told["autopeft predict"].append(timed(lambda place=place: ours(place)))
    return told


def peak_bytes(run: Path, source: Path) -> int:
    """Of a process of its own that answers the file."""
    command = [sys.executable, __file__, "--peak", str(run), str(source)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
    return int(done.stdout.split()[-1])


def measure_memory(material: Path, folder: Path) -> dict[int, int]:
    """Greatest resident bytes, by rows; a two-layer model, so that it is the rows that would show."""
    run = small_run(material, "minilm-tiny-distilled", folder / "tiny")
    peaks = {}
    for rows in MEMORY_ROWS:
        write_csv(folder / "many.csv", sentences(material, rows))
        peaks[rows] = peak_bytes(run, folder / "many.csv")
    return peaks


def table(speed: dict[str, list[tuple[float, float]]], memory: dict[int, int]) -> str:
    totals = {side: tuple(map(sum, zip(*pieces, strict=True))) for side, pieces in speed.items()}
    bare = totals["bare loop"]
    lines = [
        f"| {ROWS:,} rows, MiniLM with LoRA, {torch.get_num_threads()} thread(s) | wall s | processor s | rows/s |",
        "| --- | ---: | ---: | ---: |",
        *(
            f"| {side} | {wall:.1f} | {processor:.1f} | {ROWS / wall:.0f} |"
            for side, (wall, processor) in totals.items()
        ),
        "",
        f"Speed of predict as a share of the bare loop's: {bare[0] / totals['autopeft predict'][0]:.2f} by the wall "
        f"clock, {bare[1] / totals['autopeft predict'][1]:.2f} by processor time; wanted: {TARGET_SHARE} or more.",
        "",
        "| rows | greatest resident memory |",
        "| ---: | ---: |",
        *(f"| {rows:,} | {size / 2**20:.0f} MiB |" for rows, size in memory.items()),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    if sys.argv[1:2] == ["--peak"]:
        run, source = map(Path, sys.argv[2:])
        with tempfile.TemporaryDirectory() as name:
            predict(run, source, Path(name) / "out.csv")
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
        return
    material = Path(os.environ["AUTOPEFT_MATERIAL"])
    with tempfile.TemporaryDirectory() as name:
        speed = measure_speed(material, Path(name))
        memory = measure_memory(material, Path(name))
    found = {"rows": ROWS, "threads": torch.get_num_threads(), "seconds": speed, "peak_bytes": memory}
    (HERE / "predict.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (HERE / "predict.md").write_text(table(speed, memory), encoding="utf-8")
    print(table(speed, memory))


if __name__ == "__main__":
    main()
