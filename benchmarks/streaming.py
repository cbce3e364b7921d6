"""What memory it takes to read, check and split a large file.

    python -m benchmarks.streaming [GIGABYTES]

Writes a JSON Lines file of made-up words (2 GB by default) into the temporary folder, prepares it as `search` does
before its tokenizer, in a process of its own, and writes benchmarks/streaming.json and benchmarks/streaming.md.
"""

import json
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
_MIB = 2**20
_WORDS = 50_000
_SAMPLE_SECONDS = 0.02


def main(gigabytes: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        rows = write_file(path, int(gigabytes * 1e9))
        command = [sys.executable, "-m", "benchmarks.streaming", "measure", str(path)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        figures = {"rows": rows, "file_bytes": path.stat().st_size} | json.loads(done.stdout.splitlines()[-1])
    (HERE / "streaming.json").write_text(json.dumps(figures, indent=1) + "\n")
    (HERE / "streaming.md").write_text(_markdown(figures))
    print(_markdown(figures))


def write_file(path: Path, size: int) -> int:
    """Write rows of 20 to 300 words until the file has that size; every text is another."""
    generator = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(generator.choices(letters, k=generator.randint(2, 11))) for _ in range(_WORDS)]
    rows = written = 0
    with open(path, "w", encoding="utf-8") as stream:
        while written < size:
            text = " ".join(generator.choices(words, k=generator.randint(20, 300)))
            written += stream.write(json.dumps({"id": rows, "text": text, "label": rows % 5}) + "\n")
            rows += 1
    return rows


def measure(path: Path) -> dict[str, Any]:
    """Prepare the file; seconds of processor time, and peaks of memory beyond what the imports take."""
    from autopeft.catalog.load import load_catalog
    from autopeft.data.load import prepare_data

    task = load_catalog().task("sequence-classification")
    before = _anonymous_bytes()
    watch = _Watch()
    began = time.process_time()
    prepared = prepare_data(path, task)
    seconds = time.process_time() - began
    watch.stop()
    return {
        "split_rows": {split: len(rows) for split, rows in prepared.rows.items()},
        "processor_seconds": round(seconds, 1),
        "imports_anonymous_bytes": before,
        "peak_anonymous_bytes": watch.most,
        "peak_resident_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


class _Watch:
    """The most anonymous memory since it was made: all but the pages of files, which the system may take back."""

    def __init__(self) -> None:
        self.most = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(_SAMPLE_SECONDS):
            self.most = max(self.most, _anonymous_bytes())


def _anonymous_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("RssAnon")).split()[1]) * 1024


def _markdown(figures: dict[str, Any]) -> str:
    def mib(name: str) -> str:
        return f"{figures[name] // _MIB:,} MiB"

    rows = [
        ("file", f"{figures['file_bytes'] / 1e9:.2f} GB, {figures['rows']:,} rows"),
        ("rows of train, validation, test", ", ".join(f"{count:,}" for count in figures["split_rows"].values())),
        ("memory of the process after its imports", mib("imports_anonymous_bytes")),
        ("peak memory while reading, checking and splitting", mib("peak_anonymous_bytes")),
        ("peak with the mapped pages of temporary files, which the system may take back", mib("peak_resident_bytes")),
        ("processor time", f"{figures['processor_seconds']:.0f} s"),
    ]
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return (
        "# A large file\n\nMade by `python -m benchmarks.streaming`: a JSON Lines file of made-up words, prepared as "
        "`search` does before the tokenizer. Memory is anonymous memory, sampled 50 times a second.\n\n"
        f"| what | figure |\n| --- | --- |\n{table}\n"
    )


if __name__ == "__main__":
    if len(sys.argv) > 2 and sys.argv[1] == "measure":
        print(json.dumps(measure(Path(sys.argv[2]))))
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 2.0)
