"""`predict`: a finished run's best adapter answers the rows of a file, one after the other."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from autopeft.api.finished import FinishedRun, open_finished
from autopeft.api.request import longest_sequence
from autopeft.artifacts.answer_rows import Asked, answer_rows
from autopeft.artifacts.answers import PREDICTION, answerer_for
from autopeft.artifacts.input_texts import input_columns
from autopeft.artifacts.predictor import Predictor
from autopeft.artifacts.row_files import JSON_LINES, format_of, read_rows, written_rows
from autopeft.artifacts.tagger import AskedWords, WordTagger
from autopeft.data.encoder import Encoder
from autopeft.data.records import Record
from autopeft.data.templates import PROMPT_END
from autopeft.errors import DataError, UsageError

BATCH_SIZE = 32
# Of a model that was trained on texts without an end.
_MAX_NEW_TOKENS = 64


@dataclass(frozen=True, slots=True)
class Predicted:
    """What was answered.

    Attributes:
        rows: of the input.
        without_text: of them, those that held no text and so have no answer.
        output: the file that was written, or None for standard output.
    """

    rows: int
    without_text: int
    output: str | None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def predictor_of(
    run: FinishedRun,
    *,
    batch_size: int = BATCH_SIZE,
    max_new_tokens: int | None = None,
    device: str | None = None,
) -> Predictor:
    """The best adapter, ready to answer rows.

    Args:
        run: see `open_finished`.
        batch_size: rows in a forward pass.
        max_new_tokens: that a language model writes at most; by default as many as the run learned to write, or 64.
        device: where the model goes; by default a CUDA device where there is one.

    Raises:
        UsageError: answers to such a task are not written out, or nothing is left of the model's length.
        ModelError: the base model is not where it was.
    """
    task, tokenizer = run.subject.task, run.tokenizer()
    continues = task.head == "causal-lm" and task.objective != "classification"
    length = int(run.result["data"]["max_length"])
    written = max_new_tokens or int(run.result["data"].get("max_target_length") or _MAX_NEW_TOKENS)
    if continues:
        # The run's length is that of its training blocks; a prompt may be as long as the model can take.
        longest = longest_sequence(run.subject.model, run.subject.architecture) or length
        written = written if max_new_tokens else min(written, max(1, longest // 2))
        length = longest - written
        if length < 1:
            raise UsageError(f"--max-new-tokens {written} leaves no room for a prompt", hint="give fewer")
    answerer = answerer_for(task, run.labels, tokenizer, written)
    closing = PROMPT_END if continues and task.objective == "generation" else ""
    return Predictor(run.load(device), tokenizer, answerer, length, batch_size, continues=continues, closing=closing)


def tagger_of(run: FinishedRun, *, batch_size: int = BATCH_SIZE, device: str | None = None) -> WordTagger:
    """The best adapter, ready to tag the words of rows.

    Args:
        run: of a token classification, see `open_finished`.
        batch_size: rows in a forward pass.
        device: where the model goes; by default a CUDA device where there is one.

    Raises:
        ModelError: the base model is not where it was, or its tokenizer does not tell words apart.
    """
    encoder = Encoder.of(run.tokenizer(), None)
    return WordTagger(run.load(device), encoder, run.labels, int(run.result["data"]["max_length"]), batch_size)


def predict(
    run: str | Path,
    source: str | Path,
    output: str | Path | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    batch_size: int = BATCH_SIZE,
    max_new_tokens: int | None = None,
    device: str | None = None,
) -> Predicted:
    """Answer every row of a file with the best adapter of a run; rows keep their columns and their order.

    Memory does not grow with the file. A row without text gets an empty answer. A run on words with tags answers a list
    of words with a list of tags, and one on texts with spans answers a text with its spans.

    Args:
        run: the run directory.
        source: a CSV, TSV or JSON Lines file, also gzipped.
        output: the file to write, in the format that its name tells; None writes to standard output as `source` is.
        columns: role -> column, where the file names them otherwise than the training data.
        batch_size: rows in a forward pass.
        max_new_tokens: that a language model writes at most; by default as many as the run learned to write, or 64.
        device: where the model goes; by default a CUDA device where there is one.

    Raises:
        UsageError: a file of another kind, or an option that makes no sense.
        InputError: the run has no winner, or the file cannot be read; the message names the line.
        RunError: the output cannot be written.
    """
    target = None if output is None else Path(output)
    ending = format_of(target or Path(source))
    records = read_rows(Path(source))
    first = next(records, None)
    if first is None:
        raise DataError(f"{source} has no rows", hint="give a file with at least one row")
    finished = open_finished(run)
    roles = input_columns(finished.subject.task, finished.result["data"]["columns"], list(first.cells), columns)
    _refuse_answered(first, str(source))
    everything, nested = chain([first], records), ending in JSON_LINES
    if finished.subject.task.objective == "tagging":
        tagger = tagger_of(finished, batch_size=batch_size, device=device)
        with written_rows(target, ending) as writer:
            rows, empty = answer_rows(tagger, everything, AskedWords(roles), writer, nested=nested)
    else:
        predictor = predictor_of(finished, batch_size=batch_size, max_new_tokens=max_new_tokens, device=device)
        with written_rows(target, ending) as writer:
            asked = Asked(finished.subject.task, roles)
            rows, empty = answer_rows(predictor, everything, asked, writer, nested=nested)
    return Predicted(rows, empty, None if target is None else str(target))


def _refuse_answered(first: Record, source: str) -> None:
    if PREDICTION in first.cells:
        raise UsageError(
            f"{source} has a column {PREDICTION!r} already", hint="rename it: that is what the answers are called"
        )
