"""Which configuration to try next: Optuna's TPE over the conditional space of method and hyperparameters.

The sampler sees its own in-memory study, rebuilt for each proposal from the trials so far. A proposal is thus
a pure function of (history, trial number, seed): the same after any stop, and paused trials count with the
rung they reached, which Optuna's own storage cannot express (a paused trial is RUNNING there).
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import optuna

from autopeft.domain.knobs import Knob, Value
from autopeft.domain.methods import MethodSpec
from autopeft.domain.plan import derived_seed
from autopeft.domain.trials import TrialRecord
from autopeft.search.scheduler import ranking

STARTUP_TRIALS = 6


@dataclass(frozen=True, slots=True)
class Proposal:
    """A configuration to try."""

    method: str
    hyperparameters: Mapping[str, Value]

    def parameters(self) -> dict[str, Value]:
        """Under the names that Optuna stores: `method`, then `<method>.<knob>`."""
        return {"method": self.method} | {f"{self.method}.{k}": v for k, v in self.hyperparameters.items()}


def propose(
    trials: Sequence[TrialRecord],
    methods: Sequence[MethodSpec],
    *,
    number: int,
    seed: int,
    excluded: Sequence[str] = (),
) -> Proposal:
    """The configuration of trial `number`, given what the trials so far have shown."""
    by_id = {method.id: method for method in methods if method.id not in excluded}
    study = _study_of(trials, by_id, derived_seed(seed, "sampler", number))
    trial = study.ask()
    method = by_id[trial.suggest_categorical("method", sorted(by_id))]
    return Proposal(method.id, {knob.name: _suggest(trial, method.id, knob) for knob in method.knobs})


def _study_of(trials: Sequence[TrialRecord], by_id: Mapping[str, MethodSpec], seed: int) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(
            seed=seed, multivariate=True, group=True, n_startup_trials=STARTUP_TRIALS, n_ei_candidates=24
        )
    study = optuna.create_study(sampler=sampler)
    known = [trial for trial in ranking(trials) if trial.spec.method in by_id]
    for position, record in enumerate(known):
        study.add_trial(_frozen(record, by_id, position))
    return study


def _frozen(record: TrialRecord, by_id: Mapping[str, MethodSpec], position: int) -> optuna.trial.FrozenTrial:
    """The trial as Optuna sees it; its value is its place in the ranking, since TPE uses the order alone."""
    method = by_id[record.spec.method]
    proposal = Proposal(method.id, {knob.name: record.spec.hyperparameters[knob.name] for knob in method.knobs})
    distributions: dict[str, optuna.distributions.BaseDistribution] = {
        "method": optuna.distributions.CategoricalDistribution(sorted(by_id))
    }
    distributions |= {f"{method.id}.{knob.name}": distribution(knob) for knob in method.knobs}
    return optuna.trial.create_trial(params=proposal.parameters(), distributions=distributions, value=float(position))


def distribution(knob: Knob) -> optuna.distributions.BaseDistribution:
    """A knob's range in Optuna's terms."""
    if knob.kind == "categorical":
        return optuna.distributions.CategoricalDistribution(knob.choices)
    low, high = knob.low or 0, knob.high or 0
    if knob.kind == "int":
        return optuna.distributions.IntDistribution(int(low), int(high), log=knob.log)
    return optuna.distributions.FloatDistribution(float(low), float(high), log=knob.log)


def _suggest(trial: optuna.Trial, method_id: str, knob: Knob) -> Value:
    name = f"{method_id}.{knob.name}"
    if knob.kind == "categorical":
        return knob.choices[knob.choices.index(trial.suggest_categorical(name, knob.choices))]
    low, high = knob.low or 0, knob.high or 0
    if knob.kind == "int":
        return trial.suggest_int(name, int(low), int(high), log=knob.log)
    return trial.suggest_float(name, float(low), float(high), log=knob.log)
