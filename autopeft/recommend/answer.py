"""The recommendation for one model and task, put together."""

from collections.abc import Iterable
from dataclasses import replace

from autopeft.domain.memory import Estimator, MemoryEstimate
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ArchitectureSpec, ModelSpec
from autopeft.domain.recommendation import Candidate, Exclusion, Recommendation
from autopeft.domain.rules import Reason, Rule
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import InputError
from autopeft.recommend.batch import FittedStep, fit_step
from autopeft.recommend.engine import firing_rules, judge
from autopeft.recommend.facts import gather_facts
from autopeft.recommend.fit import catalog_objections, over_budget, step_objections
from autopeft.recommend.options import Options
from autopeft.recommend.ranking import Scored, score_methods


def recommend_methods(
    model: ModelSpec,
    task: TaskSpec,
    architecture: ArchitectureSpec,
    *,
    base_parameters: int,
    methods: Iterable[MethodSpec],
    rules: Iterable[Rule],
    estimator: Estimator,
    options: Options,
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

    Raises:
        CatalogError: a rule's condition cannot be read.
    """
    rules = tuple(rules)
    facts = gather_facts(model, task, architecture, base_parameters, options)
    fired = firing_rules(rules, facts)
    excluded: list[Exclusion] = []
    estimated: list[tuple[MethodSpec, MemoryEstimate]] = []
    steps: dict[str, FittedStep] = {}
    verdicts: dict[str, tuple[Reason, ...]] = {}
    for method in methods:
        verdict = judge(method, fired)
        verdicts[method.id] = verdict.reasons
        objections = (
            verdict.exclusions
            or catalog_objections(method, task, architecture)
            or step_objections(method, options.shape)
        )
        if objections:
            excluded.append(Exclusion(method.id, method.title, objections))
            continue
        outcome = _fitted(model, task, method, base_parameters, estimator, options)
        if isinstance(outcome, Exclusion):
            excluded.append(outcome)
        else:
            steps[method.id] = outcome
            estimated.append((method, _comparable(outcome)))
    ranked = score_methods(estimated, verdicts, options.priority, _unproven(estimated, rules))
    candidates = tuple(_candidate(rank, one, steps[one.method.id]) for rank, one in enumerate(ranked, start=1))
    return Recommendation(model.name, task.id, options.budget_bytes, candidates, tuple(excluded), facts)


def _unproven(estimated: Iterable[tuple[MethodSpec, MemoryEstimate]], rules: Iterable[Rule]) -> frozenset[str]:
    """The methods that no rule speaks about, whether it fires here or not; none where nothing is known of any."""
    named = {name for rule in rules for effect in rule.effects for name in effect.methods}
    ids = {method.id for method, _ in estimated if not {method.id, method.family} & named}
    return frozenset(ids) if named else frozenset()


def fit_method(
    model: ModelSpec,
    task: TaskSpec,
    method: MethodSpec,
    base_parameters: int,
    estimator: Estimator,
    options: Options,
) -> FittedStep:
    """How the method, at its starting values, runs the step that `options` ask for.

    Raises:
        InputError: no estimate can be made.
    """
    start = method.start(base_parameters)
    return fit_step(
        lambda shape: estimator(model, task, method, start, shape),
        options.shape,
        budget_bytes=options.budget_bytes,
        context_bytes=options.context_bytes,
        may_recompute=method.can("gradient_checkpointing") is not False,
    )


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
    if step.fits is False:
        return Exclusion(method.id, method.title, over_budget(step, options), step.estimate)
    return step


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
    )
