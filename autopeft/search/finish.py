"""After all choices: the winner and the control meet the test split once, and the adapter is written."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autopeft.domain.evaluation import Evaluation
from autopeft.domain.trials import TrialRecord
from autopeft.errors import RunError
from autopeft.modeling.checksums import checksums
from autopeft.search.confirm_stage import Entry, confirmed_seeds
from autopeft.search.context import SearchContext
from autopeft.search.lost_state import with_state
from autopeft.search.run_directory import read_json, write_json
from autopeft.search.verdict import Comparison, Standing, choose_winner, compare, sentence
from autopeft.training.scoring import metric_standard_error, metric_value

CONTROL_NAME = "plain LoRA at its defaults"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The run of an entry that stands for it: that of its best seed.

    Attributes:
        entry: the configuration.
        record: the run with the best validation loss among those that got furthest.
    """

    entry: Entry
    record: TrialRecord

    @property
    def seed(self) -> int:
        """The seed of that run."""
        return self.record.spec.seed


def runs_of(context: SearchContext, entry: Entry) -> list[TrialRecord]:
    """The runs of an entry that finished at least one slice, by seed."""
    folders = [entry.folder(context, seed) for seed in confirmed_seeds(context)]
    records = [folder.record() for folder in folders if (folder.path / "spec.json").exists()]
    return [record for record in records if record.slices]


def full_runs(context: SearchContext, entry: Entry) -> list[TrialRecord]:
    """Those that were trained to full length."""
    return [run for run in runs_of(context, entry) if run.steps_done == context.plan.full_steps]


def finish(context: SearchContext, entries: tuple[Entry, ...]) -> dict[str, Any]:
    """Choose, test once, export; gives `final.json`, which an earlier session may have written already.

    Raises:
        RunError: there is nothing to choose from, or the disk is full.
    """
    path = context.run.path / "final.json"
    if path.exists():
        return read_json(path)
    winner, ties = _choose(context, entries)
    controls = [_best_run(context, entry) for entry in entries if entry.role == "control"]
    with context.ledger.spend("test"):
        before = context.ledger.spent_seconds
        context.show("test", f"{winner.entry.name} on the test split", 0, [])
        tested = {winner.entry.name: _test(context, winner)}
        for control in controls:
            if control is not None and control.entry.name not in tested:
                tested[control.entry.name] = _test(context, control)
        compute = context.ledger.spent_seconds - before
        _export(context, winner)
    context.ledger.book("test", 0.0, compute_seconds=compute)
    final = {
        "winner": winner.entry.name,
        "seed": winner.seed,
        "steps": winner.record.steps_done,
        "tests": {name: _figures(context, tested, name, winner.entry.name) for name in tested},
        "verdict": _verdict(context, winner, ties, tested, entries),
        "row_scores": list(tested[winner.entry.name].row_scores),
        "adapter_checksums": checksums(context.run.path / "best_adapter"),
        "evaluation": {
            "batch_size": context.plan.evaluation_batch_size,
            "max_length": context.max_length,
            "dtype": "float32",
            "rows": context.test_rows,
            "order": "longest first, ties by row number; padded on the right to a multiple of 8",
        },
    }
    write_json(path, final)
    return final


def _choose(context: SearchContext, entries: tuple[Entry, ...]) -> tuple[Chosen, list[str]]:
    shared = _shared_seeds(context, entries)
    standings = [_standing(context, place, entry, shared) for place, entry in enumerate(entries)]
    index, tied = choose_winner(standings, maximize=context.maximize)
    if index is not None:
        chosen = _best_run(context, entries[index])
    else:
        chosen = next((run for run in (_best_run(context, entry) for entry in entries) if run), None)
    if chosen is None:
        raise RunError("no trial finished a single slice", hint="give it more time: `autopeft resume` with --budget")
    return chosen, [entries[i].name for i in tied if entries[i].name != chosen.entry.name]


def _shared_seeds(context: SearchContext, entries: tuple[Entry, ...]) -> set[int]:
    """The seeds that entries are compared on: one beyond the plan's only where time sufficed for it with every entry.

    Whoever has the most seeds is preferred: one more of them, had before the time ran out, must win nothing.
    """
    finished = [{run.spec.seed for run in full_runs(context, entry)} for entry in entries]
    return {*context.plan.seeds, *(set.intersection(*finished) if finished else ())}


def _standing(context: SearchContext, place: int, entry: Entry, seeds: set[int]) -> Standing:
    runs = [run for run in full_runs(context, entry) if run.spec.seed in seeds]
    values = tuple(run.slices[-1].validation_metric or 0.0 for run in runs)
    # Bytes, not seconds: the same search must end the same way on a busy machine.
    cost = max((run.slices[0].measured_peak_bytes or run.slices[0].trainable_parameters for run in runs), default=0)
    rows = zip(*(run.slices[-1].row_scores for run in runs), strict=True)
    return Standing(place, values, tuple(sum(scores) / len(scores) for scores in rows), cost)


def _best_run(context: SearchContext, entry: Entry) -> Chosen | None:
    runs = runs_of(context, entry)
    if not runs:
        return None
    runs = [run for run in runs if run.state not in ("failed", "oom")] or runs
    furthest = max(run.steps_done for run in runs)
    return Chosen(entry, min((run for run in runs if run.steps_done == furthest), key=lambda run: run.loss))


def _test(context: SearchContext, chosen: Chosen) -> Evaluation:
    record, folder = chosen.record, chosen.entry.folder(context, chosen.seed)
    return with_state(
        context, record, folder, lambda: context.executor.test(record.spec, folder.path, record.steps_done)
    )


def _figures(context: SearchContext, tested: dict[str, Evaluation], name: str, winner: str) -> dict[str, Any]:
    evaluation = tested[name]
    return {
        "test_loss": evaluation.loss,
        "test_metric": metric_value(context.metric, evaluation),
        "test_standard_error": metric_standard_error(context.metric, evaluation),
        "winner_lead": None if name == winner else compare_tests(tested, winner, name).to_dict(context.row_metric),
    }


def _export(context: SearchContext, winner: Chosen) -> None:
    """Write `best_adapter/` beside its final place, then move it there."""
    target = context.run.path / "best_adapter"
    temporary = context.run.path / ".best_adapter.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        record, folder = winner.record, winner.entry.folder(context, winner.seed)
        with_state(
            context,
            record,
            folder,
            lambda: context.executor.export(record.spec, folder.path, record.steps_done, temporary),
        )
        shutil.rmtree(target, ignore_errors=True)
        os.replace(temporary, target)
    except OSError as error:
        raise RunError(f"cannot write {target}: {error.strerror}", hint="make room, then `autopeft resume`") from error


def _verdict(
    context: SearchContext,
    winner: Chosen,
    ties: list[str],
    tested: dict[str, Evaluation],
    entries: tuple[Entry, ...],
) -> list[str]:
    title = context.methods[winner.entry.proposal.method].title
    name = f"{title} ({winner.entry.name})"
    lines = []
    if winner.record.steps_done < context.plan.full_steps:
        lines.append(
            f"Nothing was trained to full length in the time given: {name} stopped at step "
            f"{winner.record.steps_done} of {context.plan.full_steps}."
        )
    if ties:
        others = ", ".join(ties)
        lines.append(f"On validation, {name} ties with {others}; the tie went to the one that trains in least memory.")
    lines += [_against_control(context, name, winner, tested, entry) for entry in entries if entry.role == "control"]
    return lines


def _against_control(
    context: SearchContext, name: str, winner: Chosen, tested: dict[str, Evaluation], entry: Entry
) -> str:
    if entry.name == winner.entry.name:
        return "Plain LoRA at its defaults was not beaten: it is the winner."
    if any(run.state in ("failed", "oom") for run in runs_of(context, entry)):
        return f"Plain LoRA at its defaults, the control, failed: see error.txt in {entry.name}'s folders."
    control = _best_run(context, entry)
    if entry.name not in tested or control is None:
        return "Plain LoRA at its defaults, the control, could not be trained in the time given."
    line = sentence(name, CONTROL_NAME, compare_tests(tested, winner.entry.name, entry.name), context.row_metric)
    if control.record.steps_done < winner.record.steps_done:
        steps = f"step {control.record.steps_done} of {context.plan.full_steps}"
        line += f" The control was trained only to {steps} in the time given: this is no fair comparison."
    return line


def compare_tests(tested: dict[str, Evaluation], one: str, other: str) -> Comparison:
    """Paired over the rows of the test split."""
    return compare(tested[one].row_scores, tested[other].row_scores)


def adapter_bytes(path: Path) -> int:
    """Size of the weights in an adapter folder."""
    return sum(file.stat().st_size for file in path.glob("*.safetensors"))
