"""`fuse`: the winners of several runs on one base as one mixture of low-rank experts, measured on each run's test."""

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autopeft.api.evaluate import encoded_data
from autopeft.api.finished import FinishedRun, open_finished
from autopeft.artifacts.fuse import Expert, check_one_base, expert_of
from autopeft.artifacts.fuse import fuse as fuse_experts
from autopeft.artifacts.merge import merged
from autopeft.artifacts.remeasure import TEST, measure_split
from autopeft.data.encoder import padding_id
from autopeft.errors import InputError, RunError, UsageError
from autopeft.modeling.adapter_files import save_adapter
from autopeft.modeling.build import load_base
from autopeft.search.run_directory import write_json
from autopeft.training.scoring import metric_standard_error, metric_value

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class FusedRun:
    """One run's adapter within the mixture.

    Attributes:
        run: its directory.
        method: of its winner.
        folder: of the mixture with this run's head, a peft adapter.
        metric: name.
        own: the metric of its own adapter on its test rows, as its result says.
        fused: the metric of the mixture on the same rows.
        standard_error: of `fused` over rows.
        rows: of the test split.
    """

    run: str
    method: str
    folder: str
    metric: str
    own: float
    fused: float
    standard_error: float
    rows: int


@dataclass(frozen=True, slots=True)
class Fused:
    """What was written.

    Attributes:
        output: the folder.
        rank: singular directions that each expert keeps.
        gate_rank: of them, those that the routing looks at.
        top_k: experts of a token.
        adapter_parameters: of the mixture, without heads.
        runs: the experts, in order.
    """

    output: str
    rank: int
    gate_rank: int
    top_k: int
    adapter_parameters: int
    runs: tuple[FusedRun, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self) | {"runs": [asdict(run) for run in self.runs]}


def fuse(
    runs: Sequence[str | Path], output: str | Path, *, rank: int = 32, gate_rank: int = 16, top_k: int = 1
) -> Fused:
    """Turn the best adapters of several runs into one sparse mixture of low-rank experts, without training.

    SMILE (arXiv:2408.10174): each adapter's change of a layer is cut to its first singular directions, and each token
    goes to the expert whose directions its input has most of. Runs with heads of their own get a folder each, with
    the same experts and their head.

    Args:
        runs: two or more run directories, on the same base.
        output: a folder that is not there yet, or is empty.
        rank: singular directions that each expert keeps.
        gate_rank: of them, those that the routing looks at.
        top_k: experts that each token goes to.

    Raises:
        UsageError: fewer than two runs, a method that has no equal weight, or one that changes more than linear layers.
        InputError: a run has no winner, the bases differ, or `output` holds something.
        RunError: the folder cannot be written.
    """
    if len(runs) < 2:
        raise UsageError("fuse takes two runs or more", hint="name several run directories")
    target = Path(output).absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{target} already holds something", hint="name a new folder")
    opened = [open_finished(run).unpacked() for run in runs]
    _check_one_kind(opened)
    experts = _experts(opened)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    settings = {"rank": rank, "gate_rank": gate_rank, "top_k": top_k}
    try:
        written = [_write(run, experts, place, temporary, Path(output), settings) for place, run in enumerate(opened)]
        done = Fused(str(output), rank, gate_rank, top_k, written[0][0], tuple(one for _, one in written))
        write_json(temporary / "fuse.json", done.to_dict())
        os.replace(temporary, target)
    except OSError as error:
        raise RunError(f"cannot write {target}: {error.strerror}", hint="make room or name another folder") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return done


def _check_one_kind(runs: Sequence[FinishedRun]) -> None:
    """Refuse models of different classes: their layers have different names."""
    kinds = {(run.subject.task.head, run.subject.model.model_type) for run in runs}
    if len(kinds) > 1:
        told = " and ".join(sorted(f"{kind} ({head})" for head, kind in kinds))
        raise InputError(f"the runs train different kinds of model: {told}", hint="fuse runs of one kind")


def _experts(runs: Sequence[FinishedRun]) -> list[Expert]:
    bases = [load_base(run.subject.model, run.subject.task, run.outputs) for run in runs]
    check_one_base([run.name for run in runs], bases)
    return [
        expert_of(run.name, base, merged(run.load("cpu"), run.method)) for run, base in zip(runs, bases, strict=True)
    ]


def _write(
    run: FinishedRun, experts: Sequence[Expert], place: int, temporary: Path, target: Path, settings: dict[str, int]
) -> tuple[int, FusedRun]:
    """Write the mixture with one run's head, and measure it on that run's test rows."""
    base = load_base(run.subject.model, run.subject.task, run.outputs)
    base.config.pad_token_id = padding_id(run.tokenizer())
    model = fuse_experts(base, experts, place, **settings)
    name = f"{place}-{_UNSAFE.sub('-', run.path.resolve().name)}"
    save_adapter(model, temporary / name)
    (temporary / name / "README.md").write_text(_card(run, target / name), encoding="utf-8")
    best = run.result["best"]
    batch_size, task = int(best["evaluation"]["batch_size"]), run.subject.task
    measured = measure_split(model, task, encoded_data(run), TEST, batch_size, run.tokenizer())
    value, error = metric_value(task.metric, measured), metric_standard_error(task.metric, measured)
    assert value is not None and error is not None  # answers were asked for
    parameters = sum(p.numel() for key, p in model.named_parameters() if ".smile_" in key)
    return parameters, FusedRun(
        run=run.name,
        method=run.method.id,
        folder=str(target / name),
        metric=task.metric,
        own=float(best["test_metric"]),
        fused=value,
        standard_error=error,
        rows=len(measured.row_losses),
    )


def _card(run: FinishedRun, folder: Path) -> str:
    return (
        "# A mixture of low-rank experts\n\n"
        f"Made by `autopeft fuse` (SMILE, arXiv:2408.10174), with the head of {run.path.name}.\n\n"
        "```python\nimport autopeft.tuners  # registers the method with peft\nfrom peft import PeftModel\n\n"
        f"model = PeftModel.from_pretrained(base, {str(folder)!r}).eval()\n```\n\n"
        f"`base` is the model that the runs were trained on, loaded for its task with {run.outputs} outputs where it "
        "has a head.\n"
    )
