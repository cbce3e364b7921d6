"""Which configuration to try next, by the sampler that was named.

MOBSTER and TPE see the conditional space of method and hyperparameters as a whole. The others see one method's knobs,
and a bandit above them chooses the method. MOBSTER knows one objective, the loss: with several, TPE takes its place.

An Optuna sampler sees its own in-memory study, rebuilt for each proposal from the trials so far. A proposal is thus
a pure function of (history, trial number, seed): the same after any stop, and paused trials count with the
rung they reached, which Optuna's own storage cannot express (a paused trial is RUNNING there).
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import optuna

from autopeft.domain.knobs import Knob, Value
from autopeft.domain.methods import MethodSpec
from autopeft.domain.plan import derived_seed
from autopeft.domain.trials import TrialRecord
from autopeft.search.bandit import choose_method
from autopeft.search.flat_samplers import FLAT_SAMPLERS, History, sample
from autopeft.search.mobster import propose_by_curves
from autopeft.search.objectives import values_at
from autopeft.search.scheduler import ranking
from autopeft.search.told import told

STARTUP_TRIALS = 6
SAMPLERS = ("mobster", "tpe", *FLAT_SAMPLERS)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A configuration to try."""

    method: str
    hyperparameters: Mapping[str, Value]

    def parameters(self) -> dict[str, Value]:
        """Under the names that Optuna stores: `method`, then `<method>.<knob>`."""
        return {"method": self.method} | {f"{self.method}.{k}": v for k, v in self.hyperparameters.items()}


@dataclass(frozen=True, slots=True)
class Sampling:
    """How configurations are proposed.

    Attributes:
        name: one of `SAMPLERS`.
        objectives: what trials are ranked by.
        seed: of the search.
        cost: what training with a method costs, in any unit; only MOBSTER asks.
    """

    name: str = "mobster"
    objectives: Sequence[str] = ("loss",)
    seed: int = 0
    cost: Callable[[str], float] = lambda _method: 1.0


def propose(
    trials: Sequence[TrialRecord],
    methods: Sequence[MethodSpec],
    *,
    number: int,
    sampling: Sampling,
    excluded: Sequence[str] = (),
) -> Proposal:
    """The configuration of trial `number`, given what the trials so far have shown."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    by_id = {method.id: method for method in methods if method.id not in excluded}
    ranked = [trial for trial in ranking(trials, sampling.objectives) if trial.spec.method in by_id]
    seed = derived_seed(sampling.seed, "sampler", number)
    if sampling.name == "mobster" and tuple(sampling.objectives) == ("loss",):
        return Proposal(*propose_by_curves([t for t in trials if t.spec.method in by_id], by_id, seed, sampling.cost))
    if sampling.name in ("mobster", "tpe"):
        return _by_tpe(ranked, trials, by_id, seed)
    # Random search is the plain one: it favours nothing.
    seen = [] if sampling.name == "random" else ranked
    method = by_id[choose_method(seen, sorted(by_id), seed=derived_seed(sampling.seed, "method", number))]
    values = sample(sampling.name, _history(trials, ranked, method, sampling, seed))
    return Proposal(method.id, {knob.name: _value(knob, values[_name(method, knob)]) for knob in method.knobs})


def _by_tpe(
    ranked: Sequence[TrialRecord], trials: Sequence[TrialRecord], by_id: Mapping[str, MethodSpec], seed: int
) -> Proposal:
    """By the multivariate TPE over the whole space; running trials keep others away from where they are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(
            seed=seed,
            multivariate=True,
            group=True,
            n_startup_trials=STARTUP_TRIALS,
            n_ei_candidates=24,
            constant_liar=True,
        )
    study = optuna.create_study(sampler=sampler)
    spaces = {name: _space(method, by_id) for name, method in by_id.items()}

    def tell(record: TrialRecord, values: Sequence[float] | None) -> None:
        method = by_id[record.spec.method]
        parameters = {"method": method.id} | _parameters(record, method)
        study.add_trial(told(parameters, spaces[method.id], values))

    # A trial's value is its place in the ranking, since TPE uses the order alone.
    for place, record in enumerate(ranked):
        tell(record, (float(place),))
    for record in trials:
        if record.state == "running" and not record.slices and record.spec.method in by_id:
            tell(record, None)
    trial = study.ask()
    method = by_id[trial.suggest_categorical("method", sorted(by_id))]
    return Proposal(method.id, suggest(trial, method))


def _space(method: MethodSpec, by_id: Mapping[str, MethodSpec]) -> dict[str, optuna.distributions.BaseDistribution]:
    """The method's part of the space of all."""
    return {"method": optuna.distributions.CategoricalDistribution(sorted(by_id))} | distributions_of(method)


def _history(
    trials: Sequence[TrialRecord],
    ranked: Sequence[TrialRecord],
    method: MethodSpec,
    sampling: Sampling,
    seed: int,
) -> History:
    """What a flat sampler knows of the method; several objectives are told as they are, at the last rung reached.

    CMA-ES minimises one value: it is told the place in the ranking whatever the objectives.
    """
    several = len(sampling.objectives) > 1 and sampling.name != "cmaes"
    values = {
        record.spec.number: values_at(record, record.steps_done, sampling.objectives) if several else (float(place),)
        for place, record in enumerate(ranked)
    }
    own = sorted((record for record in ranked if record.spec.method == method.id), key=lambda r: r.spec.number)
    distributions = distributions_of(method)
    frozen = [told(_parameters(record, method), distributions, values[record.spec.number]) for record in own]
    return History(
        trials=frozen,
        sampled=sum(record.spec.method == method.id for record in trials),
        distributions=distributions,
        seed=seed,
        study_seed=derived_seed(sampling.seed, "sampler of", method.id),
        values=len(sampling.objectives) if several else 1,
    )


def distributions_of(method: MethodSpec) -> dict[str, optuna.distributions.BaseDistribution]:
    """The method's knobs under the names that Optuna stores."""
    return {_name(method, knob): distribution(knob) for knob in method.knobs}


def distribution(knob: Knob) -> optuna.distributions.BaseDistribution:
    """A knob's range in Optuna's terms."""
    if knob.kind == "categorical":
        return optuna.distributions.CategoricalDistribution(knob.choices)
    low, high = knob.low or 0, knob.high or 0
    if knob.kind == "int":
        return optuna.distributions.IntDistribution(int(low), int(high), log=knob.log)
    return optuna.distributions.FloatDistribution(float(low), float(high), log=knob.log)


def _parameters(record: TrialRecord, method: MethodSpec) -> dict[str, Value]:
    return {_name(method, knob): record.spec.hyperparameters[knob.name] for knob in method.knobs}


def _name(method: MethodSpec, knob: Knob) -> str:
    return f"{method.id}.{knob.name}"


def suggest(trial: optuna.Trial, method: MethodSpec) -> dict[str, Value]:
    """The values that an Optuna trial proposes for the method's knobs."""
    return {knob.name: _suggest(trial, _name(method, knob), knob) for knob in method.knobs}


def _suggest(trial: optuna.Trial, name: str, knob: Knob) -> Value:
    if knob.kind == "categorical":
        return _value(knob, trial.suggest_categorical(name, knob.choices))
    low, high = knob.low or 0, knob.high or 0
    if knob.kind == "int":
        return trial.suggest_int(name, int(low), int(high), log=knob.log)
    return trial.suggest_float(name, float(low), float(high), log=knob.log)


def _value(knob: Knob, value: object) -> Value:
    """The value as the knob has it: of equal choices (1 and True) the one that was meant."""
    if knob.kind != "categorical":
        return cast(Value, value)
    return knob.choices[knob.choices.index(cast(Value, value))]
