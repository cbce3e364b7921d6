"""The recommendation for one model and task, put together."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Final

from autopeft.domain.evidence import Evidence, TaskKind
from autopeft.domain.knobs import Knob, Value
from autopeft.domain.memory import Estimator, MemoryEstimate
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ArchitectureSpec, ModelSpec
from autopeft.domain.recommendation import Candidate, Exclusion, Recommendation
from autopeft.domain.rules import Reason, Rule
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import InputError
from autopeft.recommend.advice import advised
from autopeft.recommend.alternatives import consider
from autopeft.recommend.batch import FittedStep, fit_step
from autopeft.recommend.engine import firing_rules, judge
from autopeft.recommend.evidence_terms import POINTS
from autopeft.recommend.facts import gather_facts
from autopeft.recommend.fit import catalog_objections, over_budget, step_objections, weights_fit
from autopeft.recommend.nearness import Situation
from autopeft.recommend.options import Options
from autopeft.recommend.quality import Quality
from autopeft.recommend.ranking import Scored, score_methods
from autopeft.recommend.requirements import measured_overheads, too_large, unmet

# Learning rates worth a trial at first lie within this factor of the start: the survey's own grid, 5e-5 to 1e-3, spans
# about its square (Guitaricet/peft_comparison, run_grid_search.py).
RATE_FACTOR: Final = 5.0


def recommend_methods(  # noqa: PLR0913 - the entry of a pure package: all that it needs is handed in
    model: ModelSpec,
    task: TaskSpec,
    architecture: ArchitectureSpec,
    *,
    base_parameters: int,
    methods: Iterable[MethodSpec],
    rules: Iterable[Rule],
    estimator: Estimator,
    options: Options,
    evidence: Iterable[Evidence] = (),
) -> Recommendation:
    """The methods ranked, and those left out with the reason why; an answer without candidates is an answer.

    Args:
        model: the base model.
        task: what it is tuned for.
        architecture: of the model.
        base_parameters: size of the base model.
        methods: the methods in question; each ends up either ranked or excluded.
        rules: of the catalogue.
        estimator: predicts the cost of a step.
        options: budget, shape of the step, and what else is known.
        evidence: published measurements.

    Raises:
        CatalogError: a rule's condition cannot be read.
    """
    evidence = tuple(evidence)
    facts = gather_facts(model, task, architecture, base_parameters, options)
    fired = firing_rules(rules, facts)
    asked = {method.id: method for method in methods}
    chosen = {name: advised(method, fired) for name, method in asked.items()}
    quality = Quality(evidence, _situation(task, architecture, base_parameters, options), chosen)
    overheads = measured_overheads(evidence, chosen)
    excluded: list[Exclusion] = []
    estimated: list[tuple[MethodSpec, MemoryEstimate]] = []
    steps: dict[str, FittedStep] = {}
    verdicts: dict[str, tuple[Reason, ...]] = {}
    for described in chosen.values():
        method = _at_the_rate(described, options.learning_rate)
        verdict = judge(asked[method.id], fired)
        verdicts[method.id] = _counted_once(verdict.reasons, fired, quality.tables_on(method))
        objections = (
            unmet(method, options, overheads) + verdict.exclusions
            or catalog_objections(method, task, architecture)
            or step_objections(method, options.shape)
        )
        outcome = (
            Exclusion(method.id, method.title, objections)
            if objections
            else _fitted(model, task, method, base_parameters, estimator, options)
        )
        if isinstance(outcome, Exclusion):
            excluded.append(outcome)
        else:
            steps[method.id] = outcome
            verdicts[method.id] += _precision(outcome, options)
            estimated.append((method, _comparable(outcome)))
    ranked = score_methods(estimated, verdicts, quality, options.objective, trials=options.trials)
    candidates = tuple(_candidate(rank, one, steps[one.method.id]) for rank, one in enumerate(ranked, start=1))
    advice = consider(candidates, excluded, options)
    return Recommendation(model.name, task.id, options.budget_bytes, candidates, tuple(excluded), facts, advice)


def measured_near(
    methods: Iterable[MethodSpec],
    evidence: Iterable[Evidence],
    task: TaskSpec,
    architecture: ArchitectureSpec,
    base_parameters: int,
    options: Options,
) -> frozenset[str]:
    """Ids of the methods whose quality somebody measured near the situation, of themselves or of their variants.

    It takes no estimate, so that a caller who wants no unknown method need not price any.
    """
    asked = {method.id: method for method in methods}
    quality = Quality(tuple(evidence), _situation(task, architecture, base_parameters, options), asked)
    return frozenset(name for name, method in asked.items() if quality.expect(method, None).basis != "unknown")


def fit_method(
    model: ModelSpec,
    task: TaskSpec,
    method: MethodSpec,
    base_parameters: int,
    estimator: Estimator,
    options: Options,
) -> FittedStep:
    """How the method, at its starting values, runs the step that `options` ask for.

    A base that is too large in its own precision is tried in 4 bits, where that is allowed and the method goes with it.

    Raises:
        InputError: no estimate can be made.
    """
    start = method.start(base_parameters)

    def fitted(asked: Options) -> FittedStep:
        return fit_step(
            lambda shape: estimator(model, task, method, start, shape),
            asked.shape,
            budget_bytes=asked.budget_bytes,
            context_bytes=asked.context_bytes,
            may_recompute=method.can("gradient_checkpointing") is not False,
        )

    in_four_bits = replace(options, shape=replace(options.shape, quantization="nf4", upcast="all"))
    if _may_quantize(method, options) and not weights_fit(base_parameters, options):
        with suppress(InputError):  # not with this model
            return fitted(in_four_bits)
    step = fitted(options)
    if step.fits is not False or not _may_quantize(method, options):
        return step
    try:
        quantised = fitted(in_four_bits)
    except InputError:
        return step
    return quantised if quantised.fits else min(step, quantised, key=lambda one: one.estimate.reserved_bytes)


def _may_quantize(method: MethodSpec, options: Options) -> bool:
    return options.may_quantize and options.shape.quantization is None and method.can("quantized_base") is True


def _fitted(
    model: ModelSpec,
    task: TaskSpec,
    method: MethodSpec,
    base_parameters: int,
    estimator: Estimator,
    options: Options,
) -> FittedStep | Exclusion:
    """The step at the starting values, or why the method is left out."""
    try:
        step = fit_method(model, task, method, base_parameters, estimator, options)
    except InputError as error:
        unknown = Reason("unknown", f"unknown: {error.message}", "no estimate could be made")
        return Exclusion(method.id, method.title, (unknown,))
    if objections := too_large(step.estimate, options):
        return Exclusion(method.id, method.title, objections, None)
    if step.fits is False:
        return Exclusion(method.id, method.title, over_budget(step, options), step.estimate)
    return step


def _at_the_rate(method: MethodSpec, rate: float | None) -> MethodSpec:
    """The method with the one learning rate that will be tried, whatever its own is."""
    if rate is None:
        return method
    knobs = (
        replace(knob, default=rate, size_defaults=(), low=rate, high=rate) if knob.name == "learning_rate" else knob
        for knob in method.knobs
    )
    return replace(method, knobs=tuple(knobs))


def _situation(task: TaskSpec, architecture: ArchitectureSpec, base_parameters: int, options: Options) -> Situation:
    return Situation(
        model_parameters=base_parameters,
        architecture_kind=architecture.kind,
        task_kind=_task_kind(task),
        training_rows=options.training_rows,
        learning_rate=options.learning_rate,
    )


def _task_kind(task: TaskSpec) -> TaskKind | None:
    """Labels or texts; plain text-to-text may be either, so both kinds of evidence count."""
    if not task.writes:
        return "understanding"
    return None if task.head == "seq2seq-lm" and task.id == task.known_as else "generation"


def _counted_once(reasons: Iterable[Reason], fired: Iterable[Rule], tables: frozenset[str]) -> tuple[Reason, ...]:
    """The rules' reasons; one that sums up a table which already counts as evidence keeps its words, not its points."""
    drawn = {rule.id for rule in fired if tables & set(rule.drawn_from)}
    return tuple(replace(one, score=0.0) if one.rule in drawn else one for one in reasons)


def _precision(step: FittedStep, options: Options) -> tuple[Reason, ...]:
    if step.shape.quantization == options.shape.quantization:
        return ()
    text = "In its own precision the base leaves too little memory; it is quantised to 4 bits (NF4)."
    return (Reason("precision", text, "arXiv:2303.15647v2, section 9.8"),)


def _comparable(step: FittedStep) -> MemoryEstimate:
    """What methods are compared by: memory of the same batch for all, and what the chosen way computes."""
    return replace(step.asked, step_flops=step.estimate.step_flops, seconds_per_step=step.estimate.seconds_per_step)


def _candidate(rank: int, one: Scored, step: FittedStep) -> Candidate:
    return Candidate(
        rank=rank,
        method=one.method.id,
        title=one.method.title,
        score=one.score,
        fits=step.fits,
        estimate=step.estimate,
        reasons=one.reasons,
        start=dict(one.estimate.hyperparameters),
        shape=step.shape,
        basis=one.expectation.basis,
        uncertainty=POINTS * one.expectation.sd,
        ranges=_ranges(one.method.knobs, one.estimate.hyperparameters),
    )


def _ranges(knobs: Iterable[Knob], start: Mapping[str, Value]) -> Mapping[str, tuple[float, float]]:
    """Knob -> range; of the learning rate only what lies near its start, since its whole range spans all sizes."""
    ranges = {knob.name: (knob.low, knob.high) for knob in knobs if knob.low is not None and knob.high is not None}
    rate = start.get("learning_rate")
    if "learning_rate" in ranges and isinstance(rate, float):
        low, high = ranges["learning_rate"]
        ranges["learning_rate"] = max(low, rate / RATE_FACTOR), min(high, rate * RATE_FACTOR)
    return ranges
