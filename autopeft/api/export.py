"""`export`: the winner, merged, as a file for another runtime; kept only if that runtime answers alike."""

import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autopeft.api.finished import FinishedRun, open_finished
from autopeft.api.merge import checked_batches
from autopeft.artifacts.merge import agreement, check_agreement, merged, outputs, refuse_unmergeable
from autopeft.artifacts.onnx_file import decoder_inputs, onnx_outputs, require_onnx, write_onnx
from autopeft.errors import InputError, RunError, UsageError

FILE_NAME = "model.onnx"
# Heads with two outputs, or whose rows are texts of several choices; the file has one output, for rows of tokens.
_UNLIKE = ("question-answering", "multiple-choice")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        output: the folder with `model.onnx` and the tokenizer.
        format: `onnx`.
        inputs: names of the graph's inputs, each (rows, tokens) int64; its output is `logits`. An encoder-decoder
            also takes `decoder_input_ids`, the tokens written so far, and gives the logits of the next after each.
        labels: classes in the order of the logits; empty where the task has none.
        checked_rows: on which the file was compared with the adapter.
        greatest_difference: of two logits over them.
        greatest_logit: of the adapter, by its size.
        bytes: of the file.
    """

    output: str
    format: str
    inputs: tuple[str, ...]
    labels: tuple[str, ...]
    checked_rows: int
    greatest_difference: float
    greatest_logit: float
    bytes: int

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self) | {"inputs": list(self.inputs), "labels": list(self.labels)}


def export(run: str | Path, output: str | Path) -> Exported:
    """Write the best adapter of a run, merged, as ONNX.

    Args:
        run: the run directory.
        output: a folder that is not there yet, or is empty.

    Raises:
        MissingDependencyError: the extra `onnx` is not installed.
        UsageError: the method of the winner has no equal weight, its task is question answering or multiple choice,
            or it is an encoder-decoder with a head.
        InputError: the run has no winner, or `output` holds something.
        ModelError: torch cannot export the model, or the file answers otherwise.
        RunError: the folder cannot be written.
    """
    target = Path(output).absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{target} already holds something", hint="name a new folder")
    finished = open_finished(run).unpacked()
    _refuse_unlike(finished)
    require_onnx()
    refuse_unmergeable(finished.method)
    batches = checked_batches(finished)
    model = finished.load("cpu")
    if finished.subject.architecture.kind == "encoder-decoder":
        batches = [decoder_inputs(model, batch) for batch in batches]
    before = outputs(model, batches)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir(parents=True)
        write_onnx(merged(model, finished.method), batches[0], temporary / FILE_NAME)
        found = agreement(before, onnx_outputs(temporary / FILE_NAME, batches))
        check_agreement(found)
        finished.tokenizer().save_pretrained(str(temporary))
        os.replace(temporary, target)
    except OSError as error:
        raise RunError(f"cannot write {target}: {error.strerror}", hint="make room or name another folder") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Exported(
        output=str(target),
        format="onnx",
        inputs=tuple(batches[0]),
        labels=finished.labels,
        checked_rows=found.rows,
        greatest_difference=found.greatest_difference,
        greatest_logit=found.greatest_logit,
        bytes=sum(file.stat().st_size for file in target.glob(f"{FILE_NAME}*")),
    )


def _refuse_unlike(run: FinishedRun) -> None:
    """See that the model is one graph from rows of tokens to logits."""
    hint = "`autopeft merge` writes it for transformers"
    head = run.subject.task.head
    if run.subject.architecture.kind == "encoder-decoder" and head != "seq2seq-lm":
        raise UsageError("an encoder-decoder with a head is not exported as ONNX", hint=hint)
    if head in _UNLIKE:
        raise UsageError(f"a model for {run.subject.task.id} is not exported as ONNX", hint=hint)
