"""A short search on each task that the material has data for, beside its baselines.

    AUTOPEFT_MATERIAL=<folder> python benchmarks/tasks.py [NAME ...]

Each is one `autopeft search` on a small model with few rows and steps: what is shown is that the task runs from files
to a measured adapter, and how it stands beside the majority or copy baseline and a head on the frozen base; not how
well the method can do. Writes `tasks.json` after each task (those not named keep their rows) and `tasks.md` from it.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# No run may depend on those before it.
os.environ["AUTOPEFT_HISTORY"] = "off"

HERE = Path(__file__).parent
SMALL, ENCODER, SEQ2SEQ, DECODER = "minilm-l6", "minilm-tiny-distilled", "t5-tiny-news", "stories260k"


@dataclass(frozen=True)
class Run:
    """One search.

    Attributes:
        data: folder of the material.
        task: id.
        model: folder of the material.
        rows: training rows at most.
        steps: of a full-length run.
        methods: that are searched.
        trials: configurations tried.
        evaluated: validation and test rows at most, each.
        options: further options of the command.
    """

    data: str
    task: str
    model: str = ENCODER
    rows: int = 1000
    steps: int = 50
    methods: str = "lora,head-only"
    trials: int = 2
    evaluated: int = 200
    options: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return "/".join((self.data, self.task, *(("loss",) if "loss" in self.options else ())))


LENGTH_256, LENGTH_128 = ("--max-length", "256"), ("--max-length", "128")
LOSS = ("--metric", "loss")
RUNS = (
    Run("sst2", "sequence-classification", SMALL, rows=2000, steps=120, evaluated=500),
    Run("ag_news", "sequence-classification", SMALL, rows=1500, steps=90, evaluated=500),
    Run("stsb", "sentence-similarity", SMALL, rows=3000, steps=188, evaluated=500),
    Run("mrpc", "sequence-classification", SMALL, rows=2000, steps=120, evaluated=500),
    Run(
        "cola", "sequence-classification", SMALL, rows=4000, steps=375, evaluated=500, options=("--metric", "matthews")
    ),
    Run("wikiann_en", "token-classification", rows=2000, steps=120),
    Run("wnut17", "token-classification", SMALL, rows=3000, steps=280, evaluated=500),
    Run("copa", "multiple-choice", SMALL, rows=360, steps=60),
    Run("rte", "sequence-classification", options=LENGTH_128),
    Run("boolq", "sequence-classification", options=LENGTH_128),
    Run("rte", "classification-as-text", SEQ2SEQ, methods="lora"),
    Run("boolq", "classification-as-text", SEQ2SEQ, methods="lora", options=LENGTH_128),
    Run("copa", "multiple-choice-as-text", SEQ2SEQ, methods="lora"),
    Run("cnn_dailymail", "summarization", SEQ2SEQ, methods="lora", evaluated=32, options=LENGTH_256),
    Run("cnn_dailymail", "summarization", SEQ2SEQ, methods="lora", options=LENGTH_256 + LOSS),
    Run("gsm8k", "math-word-problems", DECODER, methods="lora", evaluated=32, options=LENGTH_256),
    Run("gsm8k", "math-word-problems", DECODER, methods="lora", options=LENGTH_256 + LOSS),
    Run("alpaca_en_demo", "instruction-tuning", DECODER, methods="lora", options=LENGTH_256),
)
# What each task is held against first: the answer that costs nothing.
CHEAPEST = ("majority class", "mean", "usual tag of the word", "lead 3", "commonest number", "base model, untuned")


def measure(run: Run, material: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(
                "search",
                "--model",
                str(material / "models" / run.model),
                "--dataset",
                str(material / "data" / run.data),
            ),
            *(
                "--task",
                run.task,
                "--methods",
                run.methods,
                "--trials",
                str(run.trials),
                "--full-steps",
                str(run.steps),
            ),
            *("--max-train-rows", str(run.rows), "--max-evaluation-rows", str(run.evaluated), "--top", "1"),
            *("--confirm-seeds", "1", "--threads", "1", "--output", f"{folder}/run", "--quiet", *run.options),
        ]
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "autopeft", *command], capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - began
        if done.returncode:
            return asdict(run) | {"error": done.stderr.strip().splitlines()[-2:]}
        result = json.loads(Path(folder, "run", "result.json").read_text(encoding="utf-8"))
    return asdict(run) | row_of(result) | {"wall_seconds": round(seconds)}


def row_of(result: dict[str, Any]) -> dict[str, Any]:
    best, baselines = result["best"], {one["name"]: one["test_metric"] for one in result["baselines"]}
    trained_heads = [
        trial["rungs"][-1]["validation_metric"]
        for trial in result["trials"]
        if trial["method"] == "head-only" and trial.get("rungs")
    ]
    return {
        "metric": result["metric"]["name"],
        "maximize": result["metric"]["maximize"],
        "winner": best["method"],
        "validation": best["validation_mean"],
        "test": best["test_metric"],
        "standard_error": best["test_standard_error"],
        "baselines": baselines,
        "head_only_validation": max((value for value in trained_heads if value is not None), default=None),
        "data_rows": result["data"]["rows"],
    }


def beats(row: dict[str, Any], value: float | None) -> str:
    """Whether the winner is better by more than two standard errors, worse by as much, or neither."""
    if value is None:
        return "not measured"
    lead = (row["test"] - value) * (1 if row["maximize"] else -1)
    margin = 2 * (row["standard_error"] or 0.0)
    return "above" if lead > margin else "below" if lead < -margin else "no difference"


def figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def head_only(row: dict[str, Any]) -> str:
    """A head on the frozen base: its test figure, or where it was a trial, its figure on the validation rows."""
    if "head only (frozen base)" in row["baselines"]:
        return figure(row["baselines"]["head only (frozen base)"])
    trial = row["head_only_validation"]
    return "" if trial is None else f"{trial:.3f} on validation, winner {figure(row.get('validation')) or 'not kept'}"


def plainly(rows: dict[str, dict[str, Any]]) -> list[str]:
    """One sentence for each run that is no better than the answer that costs nothing."""
    lines = []
    for name, row in rows.items():
        cheap = next((one for one in CHEAPEST if one in row.get("baselines", {})), None)
        verdict = beats(row, row["baselines"][cheap]) if cheap else "above"
        if verdict != "above":
            lines.append(f"- {name}: {row['model']} with so few rows and steps is no better than the {cheap}.")
    return ["No better than the cheapest answer:", "", *lines] if lines else []


def markdown(rows: dict[str, dict[str, Any]]) -> str:
    lines = [
        "# A short search on each task",
        "",
        "Made by `python benchmarks/tasks.py`: one command a task, two to four trials, one seed, one CPU thread, small",
        "models and few rows (in `tasks.json`). Test figures with their standard error. *Above* and *below* mean more",
        "than two standard errors of the winner's figure. Models have 0.3 to 22 million parameters.",
        "",
        "| data | task | model | metric | winner | test | cheapest baseline | | head on the frozen base | |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows.values():
        start = f"| {row['data']} | {row['task']} | {row['model']} |"
        if "error" in row:
            lines.append(f"{start} failed: {' '.join(row['error'])} | | | | | | |")
            continue
        cheap = next((name for name in CHEAPEST if name in row["baselines"]), "")
        head = row["baselines"].get("head only (frozen base)")
        lines.append(
            f"{start} {row['metric']} | {row['winner']} | {figure(row['test'])} ± {figure(row['standard_error'])} | "
            f"{cheap}: {figure(row['baselines'].get(cheap))} | {beats(row, row['baselines'].get(cheap))} | "
            f"{head_only(row)} | {beats(row, head) if head is not None else ''} |"
        )
    lines += ["", *plainly(rows)]
    missing = [run.name for run in RUNS if run.name not in rows]
    lines += ["", f"Not run yet: {', '.join(missing)}."] if missing else []
    return "\n".join(lines) + "\n"


def main() -> None:
    material = Path(os.environ["AUTOPEFT_MATERIAL"])
    path = HERE / "tasks.json"
    rows: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for run in RUNS:
        if len(sys.argv) > 1 and run.name not in sys.argv[1:] and run.data not in sys.argv[1:]:
            continue
        rows[run.name] = measure(run, material)
        rows = {one.name: rows[one.name] for one in RUNS if one.name in rows}
        path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        (HERE / "tasks.md").write_text(markdown(rows), encoding="utf-8")
        print(run.name, rows[run.name].get("test", rows[run.name].get("error")), flush=True)


if __name__ == "__main__":
    main()
