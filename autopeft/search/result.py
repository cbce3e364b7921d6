"""From the run directory to `result.json` (docs/result-schema.md): every figure that a report shows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from autopeft.domain.evaluation import spread
from autopeft.domain.knobs import Value
from autopeft.domain.trials import SliceResult, Split, TrialRecord, TrialSpec
from autopeft.search.accounts import accounts
from autopeft.search.confirm_stage import Entry, confirmed_seeds, saved_entries
from autopeft.search.context import REPORT_SECONDS, SearchContext
from autopeft.search.finish import CONTROL_NAME, adapter_bytes, runs_of
from autopeft.search.importances import importances
from autopeft.search.pareto import pareto
from autopeft.search.run_directory import TrialFolder, read_json
from autopeft.search.timeline import TIMELINE, Timeline
from autopeft.search.verdict import compare

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Frame:
    """What the result says beside the trials.

    Attributes:
        asked: see docs/result-schema.md, as are the others.
        data: rows, labels, lengths.
        baselines: what was measured beside the search.
        excluded: methods that were not searched.
        why: the recommender's reasons for those that were.
        environment: versions and device.
        predicted_peak_bytes: (method, hyperparameters, split) -> prediction; None where there is none.
        measured_kind: how memory was measured.
        load: (method, adapter folder) -> lines of Python that load it.
    """

    asked: Mapping[str, Any]
    data: Mapping[str, Any]
    baselines: Sequence[Mapping[str, Any]]
    excluded: Sequence[Mapping[str, Any]]
    why: Sequence[Mapping[str, Any]]
    environment: Mapping[str, Any]
    predicted_peak_bytes: Callable[[str, Mapping[str, Value], Split], int | None]
    measured_kind: str
    load: Callable[[str, str], list[str]]


def build_result(context: SearchContext, frame: Frame, status: str) -> dict[str, Any]:
    """The content of result.json, from what is on disk."""
    final_path = context.run.path / "final.json"
    final = read_json(final_path) if final_path.exists() else None
    confirmed = [_confirmed(context, frame, entry, final) for entry in saved_entries(context) or ()]
    return {
        "schema_version": SCHEMA_VERSION,
        "status": status,
        "verdict": (final or {}).get("verdict", []) + _baseline_sentences(context, frame, confirmed, final),
        "asked": dict(frame.asked),
        "data": dict(frame.data) | {"batch_size": context.plan.batch_size},
        "metric": {"name": context.metric, "maximize": context.maximize},
        "best": _best(context, frame, confirmed, final),
        "confirmed": confirmed,
        "baselines": [_baseline(context, baseline, final) for baseline in frame.baselines],
        "trials": [_trial(context, frame, folder) for folder in context.run.trials()],
        "budget": accounts(context),
        "pareto": pareto(context),
        "timeline": Timeline(context.run.path / TIMELINE).pieces(),
        "excluded": [dict(one) for one in frame.excluded],
        "why": [dict(one) for one in frame.why],
        "importances": importances([folder.record() for folder in context.run.trials()], context.methods),
        "seeds": {
            "search": context.request.seed,
            "confirm": list(confirmed_seeds(context)),
            "split": context.request.seed,
        },
        "environment": dict(frame.environment),
    }


def _baseline(context: SearchContext, baseline: Mapping[str, Any], final: Mapping[str, Any] | None) -> dict[str, Any]:
    """Without its scores by row, with the winner's lead over it."""
    shown = {name: value for name, value in baseline.items() if name != "test_row_scores"}
    if final is None or baseline["test_metric"] is None:
        return shown
    lead = compare(final["row_scores"], baseline["test_row_scores"])
    return shown | {"winner_lead": lead.to_dict(context.row_metric)}


def _trial(context: SearchContext, frame: Frame, folder: TrialFolder) -> dict[str, Any]:
    spec, origin = folder.spec()
    slices = folder.slices()
    kept = [piece for piece in slices if piece.error is None]
    ran = _split_of_first(spec.split, slices)
    return {
        "number": spec.number,
        "state": _state(context, folder.record()),
        "method": spec.method,
        "title": context.methods[spec.method].title,
        "hyperparameters": dict(spec.hyperparameters),
        "origin": origin,
        "rungs": [_rung(piece) for piece in kept],
        "curve": [list(point) for piece in kept for point in piece.train_losses],
        "accumulation": ran.accumulation,
        "gradient_checkpointing": ran.gradient_checkpointing,
        "predicted_peak_bytes": _predicted_in_time(context, frame, spec, ran),
        "measured_peak_bytes": (kept or slices)[0].measured_peak_bytes if slices else None,
        "trainable_parameters": kept[0].trainable_parameters if kept else None,
        "seconds": sum(piece.wall_seconds for piece in slices),
        "error": next((piece.error for piece in slices if piece.error), None),
    }


def _predicted_in_time(context: SearchContext, frame: Frame, spec: TrialSpec, split: Split) -> int | None:
    """The prediction while there is time: it takes a trace for each configuration, and there may be hundreds."""
    if context.remaining_seconds <= REPORT_SECONDS:
        return None
    return frame.predicted_peak_bytes(spec.method, spec.hyperparameters, split)


def _split_of_first(planned: Split, slices: Sequence[SliceResult]) -> Split:
    """How the first slice ran, in which memory is measured."""
    return replace(planned, accumulation=slices[0].accumulation) if slices else planned


def _predicted(frame: Frame, runs: Sequence[TrialRecord]) -> int | None:
    """The prediction for the first run, as it was run."""
    if not runs:
        return None
    spec = runs[0].spec
    return frame.predicted_peak_bytes(spec.method, spec.hyperparameters, _split_of_first(spec.split, runs[0].slices))


def _state(context: SearchContext, record: TrialRecord) -> str:
    if record.state in ("failed", "oom", "stopped"):
        return record.state
    if record.state == "running":
        return "running" if saved_entries(context) is None else "stopped"
    if record.steps_done == context.plan.full_steps:
        return "finished"
    return "stopped" if saved_entries(context) is not None else "paused"


def _rung(piece: SliceResult) -> dict[str, Any]:
    return {
        "step": piece.to_step,
        "validation_loss": piece.validation_loss,
        "standard_error": piece.validation_loss_standard_error,
        "validation_metric": piece.validation_metric,
        "seconds": piece.wall_seconds,
    }


def _confirmed(context: SearchContext, frame: Frame, entry: Entry, final: Mapping[str, Any] | None) -> dict[str, Any]:
    proposal = entry.proposal
    runs = runs_of(context, entry)
    full = [run for run in runs if run.steps_done == context.plan.full_steps]
    metrics = [run.slices[-1].validation_metric or 0.0 for run in full]
    first = runs[0].slices[0] if runs else None
    steps = sum(run.steps_done for run in runs)
    test = (final or {}).get("tests", {}).get(entry.name, {})
    return {
        "role": entry.role,
        "trial": entry.trial,
        "id": entry.name,
        "name": entry.name if entry.role == "candidate" else CONTROL_NAME,
        "title": context.methods[proposal.method].title,
        "method": proposal.method,
        "hyperparameters": dict(proposal.hyperparameters),
        "runs": [_run(run) for run in runs],
        "validation_mean": sum(metrics) / len(metrics) if metrics else None,
        "validation_spread": spread(metrics),
        "test_metric": test.get("test_metric"),
        "test_loss": test.get("test_loss"),
        "test_standard_error": test.get("test_standard_error"),
        "winner_lead": test.get("winner_lead"),
        "trainable_parameters": first.trainable_parameters if first else None,
        "adapter_bytes": None,
        "predicted_peak_bytes": _predicted(frame, runs),
        "measured_peak_bytes": first.measured_peak_bytes if first else None,
        "measured_kind": frame.measured_kind,
        "seconds_per_step": sum(p.train_seconds for run in runs for p in run.slices) / steps if steps else None,
        "evaluation_row_seconds": _row_seconds(context, full),
    }


def _row_seconds(context: SearchContext, full: Sequence[TrialRecord]) -> float | None:
    """Of answering one validation row in the training's precision; at full length all of them are evaluated."""
    seconds = [run.slices[-1].evaluation_seconds for run in full]
    return sum(seconds) / len(seconds) / context.validation_rows if seconds else None


def _run(run: TrialRecord) -> dict[str, Any]:
    last = run.slices[-1]
    return {
        "seed": run.spec.seed,
        "steps": run.steps_done,
        "validation_loss": last.validation_loss,
        "validation_metric": last.validation_metric,
        "train_seconds": sum(piece.train_seconds for piece in run.slices),
    }


def _best(
    context: SearchContext, frame: Frame, confirmed: Sequence[dict[str, Any]], final: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """The winner's entry with where its adapter lies; None until it was chosen."""
    if final is None:
        return None
    entry = next(one for one in confirmed if one["id"] == final["winner"])
    folder = context.run.path / "best_adapter"
    return entry | {
        "seed": final["seed"],
        "adapter_path": str(folder),
        "adapter_bytes": adapter_bytes(folder),
        "adapter_checksums": final.get("adapter_checksums"),
        "load": frame.load(entry["method"], str(folder)),
        "evaluation": final.get("evaluation"),
    }


def _baseline_sentences(
    context: SearchContext, frame: Frame, confirmed: Sequence[dict[str, Any]], final: Mapping[str, Any] | None
) -> list[str]:
    """How the winner stands beside each baseline, paired over the rows of the test split."""
    if final is None:
        return []
    best = next(one for one in confirmed if one["id"] == final["winner"])
    measured = [baseline for baseline in frame.baselines if baseline["test_metric"] is not None]
    return [_baseline_sentence(context, best["test_metric"], final["row_scores"], one) for one in measured]


def _baseline_sentence(
    context: SearchContext, reached: float, scores: Sequence[float], baseline: Mapping[str, Any]
) -> str:
    comparison = compare(scores, baseline["test_row_scores"])
    stands = "ties with" if comparison.tie else "clearly beats" if comparison.difference > 0 else "does not beat"
    by_row = "" if context.row_metric == context.metric else f" {context.row_metric}, row by row"
    interval = f"difference {comparison.difference:+.3f} ± {comparison.half_width:.3f}{by_row}, 95 % interval"
    return (
        f"The winner {stands} the baseline “{baseline['name']}” on the test split: "
        f"{context.metric} {reached:.3f} against {baseline['test_metric']:.3f} ({interval})."
    )
