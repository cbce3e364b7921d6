"""The recommendation for one model and task, put together."""

from collections.abc import Iterable

from autopeft.domain.memory import Estimator, MemoryEstimate
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ArchitectureSpec, ModelSpec
from autopeft.domain.recommendation import Candidate, Exclusion, Recommendation
from autopeft.domain.rules import Reason, Rule
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import InputError
from autopeft.recommend.engine import firing_rules, judge
from autopeft.recommend.facts import gather_facts
from autopeft.recommend.fit import catalog_objections, over_budget
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
    facts = gather_facts(model, task, architecture, base_parameters, options)
    fired = firing_rules(rules, facts)
    excluded: list[Exclusion] = []
    estimated: list[tuple[MethodSpec, MemoryEstimate]] = []
    verdicts: dict[str, tuple[Reason, ...]] = {}
    for method in methods:
        verdict = judge(method, fired)
        verdicts[method.id] = verdict.reasons
        objections = verdict.exclusions or catalog_objections(method, task, architecture)
        if objections:
            excluded.append(Exclusion(method.id, method.title, objections))
            continue
        outcome = _estimate(model, task, method, base_parameters, estimator, options)
        if isinstance(outcome, Exclusion):
            excluded.append(outcome)
        else:
            estimated.append((method, outcome))
    ranked = score_methods(estimated, verdicts, options.priority)
    candidates = tuple(_candidate(rank, one, options) for rank, one in enumerate(ranked, start=1))
    return Recommendation(model.name, task.id, options.budget_bytes, candidates, tuple(excluded), facts)


def _estimate(
    model: ModelSpec,
    task: TaskSpec,
    method: MethodSpec,
    base_parameters: int,
    estimator: Estimator,
    options: Options,
) -> MemoryEstimate | Exclusion:
    """The estimate at the starting values, or why the method is left out."""
    try:
        estimate = estimator(model, task, method, method.start(base_parameters), options.shape)
    except InputError as error:
        unknown = Reason("unknown", f"unknown: {error.message}", "no estimate could be made")
        return Exclusion(method.id, method.title, (unknown,))
    too_much = over_budget(estimate, options)
    return Exclusion(method.id, method.title, too_much, estimate) if too_much else estimate


def _candidate(rank: int, one: Scored, options: Options) -> Candidate:
    return Candidate(
        rank=rank,
        method=one.method.id,
        title=one.method.title,
        score=one.score,
        fits=None if options.budget_bytes is None else True,
        estimate=one.estimate,
        reasons=one.reasons,
        start=dict(one.estimate.hyperparameters),
    )
