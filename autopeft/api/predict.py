"""`predict`: a finished run's best adapter answers the rows of a file, one after the other."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from autopeft.api.finished import FinishedRun, open_finished
from autopeft.api.request import longest_sequence
from autopeft.artifacts.answer_rows import Asked, RowPredictor, answer_rows
from autopeft.artifacts.answers import PREDICTION, answerer_for, flat
from autopeft.artifacts.chat_prompts import AskedChat
from autopeft.artifacts.chooser import AskedChoices, ChoiceScore, Chooser
from autopeft.artifacts.input_texts import input_columns, texts_of
from autopeft.artifacts.predictor import Predictor
from autopeft.artifacts.row_files import JSON_LINES, columns_for, format_of, read_rows, written_rows
from autopeft.artifacts.span_finder import SpanFinder
from autopeft.artifacts.tagger import AskedWords, WordTagger
from autopeft.data.encoder import Encoder
from autopeft.data.records import Record
from autopeft.data.templates import PromptForm
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
    special_tokens: bool = True,
) -> Predictor:
    """The best adapter, ready to answer rows.

    Args:
        run: see `open_finished`.
        batch_size: rows in a forward pass.
        max_new_tokens: that a language model writes at most; by default as many as the run learned to write, or 64.
        device: where the model goes; by default a CUDA device where there is one.
        special_tokens: whether the tokenizer adds those that begin a text; see `AskedChat.special_tokens`.

    Raises:
        UsageError: answers to such a task are not written out, or nothing is left of the model's length.
        ModelError: the base model is not where it was.
    """
    task, tokenizer = run.subject.task, run.tokenizer()
    continues = task.head == "causal-lm" and task.objective != "classification"
    length = int(run.result["data"]["max_length"])
    # An answer of a conversation may be as long as a training row.
    usual = length if task.objective == "chat" else _MAX_NEW_TOKENS
    written = max_new_tokens or int(run.result["data"].get("max_target_length") or usual)
    if continues:
        # The run's length is that of its training blocks; a prompt may be as long as the model can take.
        longest = longest_sequence(run.subject.model, run.subject.architecture) or length
        written = written if max_new_tokens else min(written, max(1, longest // 2))
        length = longest - written
        if length < 1:
            raise UsageError(f"--max-new-tokens {written} leaves no room for a prompt", hint="give fewer")
    answerer = answerer_for(task, run.labels, tokenizer, written)
    asked = [role for role in run.result["data"]["columns"] if not task.answers_with(role)]
    closing = PromptForm.of(task, asked).closing if task.objective == "generation" else ""
    return Predictor(
        run.load(device),
        tokenizer,
        answerer,
        length,
        batch_size,
        continues=continues,
        closing=closing,
        special_tokens=special_tokens,
    )


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


def chooser_of(run: FinishedRun, *, batch_size: int = BATCH_SIZE, device: str | None = None) -> Chooser:
    """The best adapter, ready to choose among the choices of rows.

    Args:
        run: of a multiple choice, see `open_finished`.
        batch_size: choices in a forward pass.
        device: where the model goes; by default a CUDA device where there is one.

    Raises:
        ModelError: the base model is not where it was.
    """
    length = int(run.result["data"]["max_length"])
    return Chooser(Predictor(run.load(device), run.tokenizer(), ChoiceScore(), length, batch_size))


def span_finder_of(run: FinishedRun, *, batch_size: int = BATCH_SIZE, device: str | None = None) -> SpanFinder:
    """The best adapter, ready to find the answers to questions in their contexts.

    Args:
        run: of a question answering, see `open_finished`.
        batch_size: pieces of contexts in a forward pass.
        device: where the model goes; by default a CUDA device where there is one.

    Raises:
        ModelError: the base model is not where it was, or its tokenizer does not tell characters.
    """
    encoder = Encoder.of(run.tokenizer(), None)
    return SpanFinder(run.load(device), encoder, int(run.result["data"]["max_length"]), batch_size)


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
    of words with a list of tags, and one on texts with spans answers a text with its spans; question answering gives
    the answer and its first character, multiple choice the number of the choice from 0 and its text, a conversation
    what the assistant says next.

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
    _refuse_answered(first, str(source), (PREDICTION,))
    predictor, asked = _asking(finished, roles, first, batch_size, max_new_tokens, device)
    nested = ending in JSON_LINES
    _refuse_answered(first, str(source), predictor.blank if nested else flat(predictor.blank))
    with written_rows(target, ending, columns_for(Path(source), ending)) as writer:
        everything = chain([first], records)
        rows, empty = answer_rows(predictor, everything, asked, writer, nested=nested)
    return Predicted(rows, empty, None if target is None else str(target))


def _asking(
    run: FinishedRun,
    roles: Mapping[str, str],
    first: Record,
    batch_size: int,
    max_new_tokens: int | None,
    device: str | None,
) -> tuple[RowPredictor[Any], Callable[[Mapping[str, Any]], Any]]:
    """What answers rows of the run's task, and how a row is read for it."""
    asked: Callable[[Mapping[str, Any]], Any] = Asked(run.subject.task, roles)
    special_tokens = True
    match run.subject.task.objective:
        case "tagging":
            return tagger_of(run, batch_size=batch_size, device=device), AskedWords(roles)
        case "choice":
            return chooser_of(run, batch_size=batch_size, device=device), AskedChoices(roles)
        case "span":
            return span_finder_of(run, batch_size=batch_size, device=device), partial(texts_of, columns=roles)
        case "chat":
            asked = chat = AskedChat.of(roles, run.tokenizer(), run.result["data"]["columns"], first.cells)
            special_tokens = chat.special_tokens
    predictor = predictor_of(
        run, batch_size=batch_size, max_new_tokens=max_new_tokens, device=device, special_tokens=special_tokens
    )
    return predictor, asked


def _refuse_answered(first: Record, source: str, names: Iterable[str]) -> None:
    taken = next((name for name in names if name in first.cells), None)
    if taken is not None:
        raise UsageError(
            f"{source} has a column {taken!r} already", hint="rename it: that is what the answers are called"
        )
