"""What is decided before the first trial: methods, starting points, full length, rungs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from autopeft.api.preparation import Subject
from autopeft.api.search_ranges import Ranges, rule_ranges
from autopeft.catalog.contents import Catalog
from autopeft.data.batches import steps_per_epoch
from autopeft.data.class_weights import balanced_weights
from autopeft.data.task_data import TaskData
from autopeft.domain.knobs import Value
from autopeft.domain.methods import MethodSpec
from autopeft.domain.plan import SearchRequest, TrainingPlan
from autopeft.domain.recommendation import Candidate, Recommendation
from autopeft.domain.trials import Split
from autopeft.errors import NothingFitsError
from autopeft.search.sampler import Proposal
from autopeft.search.scheduler import rung_steps

# The survey authors' protocol: three epochs, but never under 100 updates (run_grid_search.py).
EPOCHS = 3
LEAST_FULL_STEPS = 100
LEAST_RUNG_ROWS = 256
CONTROL = "lora"
# A method this many score points (about as many findings) below the best is searched only when it is named.
GREATEST_SCORE_GAP = 2.5


@dataclass(frozen=True, slots=True)
class Choice:
    """Which methods are searched, and from where.

    Attributes:
        searched: ids, the recommender's first first.
        starts: one proposal a method, in that order.
        control: plain LoRA at its starting values; None where it does not fit.
        excluded: what is not searched, with reasons: entries of `excluded` in result.json.
        why: the recommender's reasons for each searched method: entries of `why` in result.json.
        ranges: that rules changed; the others are the catalogue's.
        history: configurations that did well in earlier searches like this one, the most promising first.
    """

    searched: tuple[str, ...]
    starts: tuple[Proposal, ...]
    control: Proposal | None
    excluded: tuple[dict[str, Any], ...]
    why: tuple[dict[str, Any], ...] = ()
    ranges: Ranges = field(default_factory=dict)
    history: tuple[Proposal, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "searched": list(self.searched),
            "starts": [_plain(start) for start in self.starts],
            "control": _plain(self.control) if self.control else None,
            "excluded": list(self.excluded),
            "why": list(self.why),
            "ranges": {name: {knob: list(pair) for knob, pair in own.items()} for name, own in self.ranges.items()},
            "history": [_plain(proposal) for proposal in self.history],
        }

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> "Choice":
        """The inverse of `to_dict`."""
        control = plain["control"]
        return cls(
            tuple(plain["searched"]),
            _proposals(plain["starts"]),
            Proposal(control["method"], control["hyperparameters"]) if control else None,
            tuple(plain["excluded"]),
            tuple(plain.get("why", ())),
            {name: {knob: tuple(pair) for knob, pair in own.items()} for name, own in plain.get("ranges", {}).items()},
            _proposals(plain.get("history", ())),
        )


def _proposals(plain: Sequence[Mapping[str, Any]]) -> tuple[Proposal, ...]:
    return tuple(Proposal(one["method"], one["hyperparameters"]) for one in plain)


def _plain(proposal: Proposal) -> dict[str, Any]:
    return {"method": proposal.method, "hyperparameters": dict(proposal.hyperparameters)}


def choose(request: SearchRequest, recommendation: Recommendation, catalog: Catalog) -> Choice:
    """Methods and starting points from the recommender's answer; controls only where they were named."""
    named = {catalog.method(name).id for name in request.methods}
    candidates = [
        candidate
        for candidate in recommendation.candidates
        if candidate.method in named or (not named and catalog.methods[candidate.method].role == "candidate")
    ]
    ranked = candidates if named else _worth_a_trial(candidates)
    planned = {catalog.method(name).id: values for name, values in request.starts.items()}
    starts = tuple(
        Proposal(one.method, _started(catalog.methods[one.method], one, planned.get(one.method))) for one in ranked
    )
    if request.trials is not None:
        # At least half of few trials go to the sampler or to further methods, whichever there is.
        starts = starts[: max(1, -(-request.trials // 2))] if len(starts) > request.trials else starts
    if not starts:
        _refuse(request, recommendation, named)
    control = next((Proposal(c.method, dict(c.start)) for c in recommendation.candidates if c.method == CONTROL), None)
    excluded = tuple(
        {"method": one.method, "title": one.title, "reasons": [reason.text for reason in one.reasons]}
        for one in recommendation.excluded
        if not named or one.method in named
    )
    advised_against = tuple(_advised_against(candidate) for candidate in candidates if candidate not in ranked)
    why = tuple(_why(candidate) for candidate in ranked)
    searched = tuple(candidate.method for candidate in ranked)
    ranges = rule_ranges(catalog, recommendation.facts, searched, starts)
    return Choice(searched, starts, control, excluded + advised_against, why, ranges)


def _worth_a_trial(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that somebody measured near, if anybody measured any, and that are not far below the best."""
    known = [one for one in candidates if one.basis != "unknown"] or list(candidates)
    best_score = max((one.score for one in known), default=0.0)
    return [one for one in known if one.score > best_score - GREATEST_SCORE_GAP]


def _started(method: MethodSpec, candidate: Candidate, planned: Mapping[str, Value] | None) -> dict[str, Value]:
    """The hyperparameters to begin with: the recommender's, or where a plan gives some, those.

    Raises:
        UsageError: the plan gives a value that the method does not take.
    """
    if planned is None:
        return dict(candidate.start)
    return {**candidate.start, **{name: method.complete(planned, 0)[name] for name in planned}}


def _why(candidate: Candidate) -> dict[str, Any]:
    reasons = [reason.to_dict() for reason in candidate.reasons]
    return {"method": candidate.method, "title": candidate.title, "score": candidate.score, "reasons": reasons}


def _refuse(request: SearchRequest, recommendation: Recommendation, named: set[str]) -> NoReturn:
    """Nothing of what was asked for can be searched.

    Raises:
        NothingFitsError: always, with the first reason.
    """
    why = [f"{one.title}: {one.reasons[0].text}" for one in recommendation.excluded if one.method in named]
    raise NothingFitsError(
        f"none of {', '.join(request.methods) or 'the methods'} can be searched here: {'; '.join(why)}",
        hint="leave --methods out, or choose among "
        + ", ".join(candidate.method for candidate in recommendation.candidates[:3]),
    )


def _advised_against(candidate: Candidate) -> dict[str, Any]:
    why = [f"{reason.text} [{reason.rule}]" for reason in candidate.reasons if reason.score <= -1]
    unknown = "nobody measured it near this situation" if candidate.basis == "unknown" else ""
    text = f"not searched unless named: {unknown or 'the recommender ranks it last here'}. {' '.join(why)}".strip()
    return {"method": candidate.method, "title": candidate.title, "reasons": [text]}


def provisional_plan(request: SearchRequest, subject: Subject, data: TaskData, autocast: str | None) -> TrainingPlan:
    """The plan by the data alone; a time budget may shorten it after the probe."""
    batch_size = request.batch_size or subject.task.default_batch_size
    epoch = steps_per_epoch(data.rows["train"], batch_size)
    full = request.full_steps or max(EPOCHS * epoch, LEAST_FULL_STEPS)
    return with_length(
        TrainingPlan(
            batch_size=batch_size,
            full_steps=full,
            rung_steps=(full,),
            seeds=tuple(request.seed + offset for offset in range(request.confirm_seeds)),
            autocast=autocast,
            rung_rows=LEAST_RUNG_ROWS,
            # Token tasks keep the logits of every token: what fits in training must fit here too.
            evaluation_batch_size=max(batch_size, 32) if data.label_names else batch_size,
            step_tokens=float(data.splits["train"].lengths.mean()) * batch_size,
            class_weights=_class_weights(request, subject, data),
        ),
        full,
        data.rows["validation"],
    )


def _class_weights(request: SearchRequest, subject: Subject, data: TaskData) -> tuple[float, ...] | None:
    one_class_a_row = subject.task.objective == "classification"
    return balanced_weights(data.label_rows if one_class_a_row else None) if request.class_weights else None


def with_length(plan: TrainingPlan, full_steps: int, validation_rows: int) -> TrainingPlan:
    """The plan with another full length: the rungs and the rows that they are compared on follow from it."""
    rungs = rung_steps(full_steps)
    rows = min(validation_rows, max(LEAST_RUNG_ROWS, rungs[0] * plan.batch_size))
    return replace(plan, full_steps=full_steps, rung_steps=rungs, rung_rows=rows)


def evaluation_within(plan: TrainingPlan, splits: Sequence[Split], rows: int, *, keeps_logits: bool) -> TrainingPlan:
    """The plan with evaluation batches that fit where the smallest micro-batch of training does.

    Args:
        plan: by the data alone.
        splits: of the configurations that are tried first.
        rows: of a step, on one device.
        keeps_logits: whether an evaluation keeps the logits of every token, as a training step does; else it needs
            far less than one.
    """
    if not keeps_logits:
        return plan
    least = min(split.micro_batch_size(rows) for split in splits)
    return replace(plan, evaluation_batch_size=min(plan.evaluation_batch_size, least))
