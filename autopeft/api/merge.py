"""`merge`: the winner as a plain transformers model, written only if it answers as the adapter does."""

import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autopeft.api.evaluate import encoded_data
from autopeft.api.finished import FinishedRun, open_finished
from autopeft.artifacts.merge import (
    Agreement,
    Batch,
    agreement,
    check_agreement,
    merged,
    outputs,
    refuse_unmergeable,
    save_model,
)
from autopeft.domain.models import ModelSpec
from autopeft.errors import InputError, RunError
from autopeft.modeling.build import load_base
from autopeft.modeling.source import read_config

CHECKED_ROWS = 64
_BATCH_ROWS = 16


@dataclass(frozen=True, slots=True)
class Merged:
    """What was written.

    Attributes:
        output: the folder, which transformers loads without peft.
        method: id of the method that was merged.
        checked_rows: on which the two models were compared.
        greatest_difference: of two logits over them, after reading the folder back.
        greatest_logit: of the unmerged model, by its size.
        same_choices: share of positions where the same output is the greatest.
        bytes: of the weights.
    """

    output: str
    method: str
    checked_rows: int
    greatest_difference: float
    greatest_logit: float
    same_choices: float
    bytes: int

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def merge(run: str | Path, output: str | Path) -> Merged:
    """Work the best adapter of a run into its base and write the whole model.

    The folder is read back and compared with the unmerged adapter on validation rows before it gets its name. A
    base that was quantised for the training is merged into as it was then, its weights turned back into float32.

    Args:
        run: the run directory.
        output: a folder that is not there yet, or is empty.

    Raises:
        UsageError: the method of the winner has no equal weight; the message says why.
        InputError: the run has no winner, or `output` holds something.
        ModelError: the merged model differs by more than rounding; nothing is written.
        RunError: the folder cannot be written.
    """
    target = Path(output).absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{target} already holds something", hint="name a new folder")
    finished = open_finished(run).unpacked()
    refuse_unmergeable(finished.method)
    batches = checked_batches(finished)
    model = finished.load("cpu")
    before = outputs(model, batches)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        save_model(merged(model, finished.method), finished.tokenizer(), finished.labels, temporary)
        found = agreement(before, outputs(_read_back(temporary, finished), batches))
        check_agreement(found)
        os.replace(temporary, target)
    except OSError as error:
        raise RunError(f"cannot write {target}: {error.strerror}", hint="make room or name another folder") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return _told(target, finished, found)


def checked_batches(run: FinishedRun, rows: int = CHECKED_ROWS) -> list[Batch]:
    """Inputs of the first validation rows, without labels.

    Raises:
        InputError: the run directory no longer holds its data.
    """
    data = encoded_data(run)
    count = min(rows, data.rows["validation"])
    starts = range(0, count, _BATCH_ROWS)
    batches: list[Batch] = [data.batch("validation", range(at, min(at + _BATCH_ROWS, count))) for at in starts]
    if run.subject.architecture.kind == "encoder-decoder":
        return batches  # its decoder reads the labels
    unneeded = {"labels", "start_positions", "end_positions"}
    return [{name: part for name, part in batch.items() if name not in unneeded} for batch in batches]


def _read_back(folder: Path, run: FinishedRun) -> Any:
    model = ModelSpec(str(folder), read_config(folder / "config.json", str(folder)), folder)
    return load_base(model, run.subject.task, run.outputs)


def _told(target: Path, run: FinishedRun, found: Agreement) -> Merged:
    return Merged(
        output=str(target),
        method=run.method.id,
        checked_rows=found.rows,
        greatest_difference=found.greatest_difference,
        greatest_logit=found.greatest_logit,
        same_choices=found.same_choices,
        bytes=sum(file.stat().st_size for file in target.glob("*.safetensors")),
    )
