"""Optuna's samplers that need a flat space: each proposes within one method's knobs.

All of them are rebuilt for each proposal from the trials so far, so that a proposal is a pure function of (history,
number, seed). GP reads the history as it is. CMA-ES draws from the distribution that the best of the history promise
(its warm start, arXiv:2012.06932). The generations of NSGA-II are the trials by number, in groups. The Sobol
sequence of QMC is a list of points, of which a method's n-th proposal takes the n-th.
"""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, QMCSampler, RandomSampler
from optuna.trial import FrozenTrial

from autopeft.errors import MissingDependencyError

POPULATION = 8
CMA_BEST_SHARE = 1 / 3
_NUMERIC = (FloatDistribution, IntDistribution)
# Before these have so many trials of a method, they draw at random.
STARTUP_TRIALS = 4
# What Optuna imports for a sampler, and the extra that brings it.
NEEDED = {"cmaes": ("cmaes", "cmaes")}


@dataclass(frozen=True, slots=True)
class History:
    """A method's trials, as Optuna sees them.

    Attributes:
        trials: by number; values are places in the ranking, or the objectives.
        sampled: how many of them a sampler proposed, those that are still running among them.
        distributions: of the method's knobs.
        seed: of this proposal.
        study_seed: of all proposals of this method.
        values: how many each trial has; all are minimised.
    """

    trials: Sequence[FrozenTrial]
    sampled: int
    distributions: Mapping[str, BaseDistribution]
    seed: int
    study_seed: int
    values: int


def require_sampler(name: str) -> None:
    """See that what the sampler needs is installed.

    Raises:
        MissingDependencyError: it is not.
    """
    module, extra = NEEDED.get(name, (None, None))
    if module is not None and find_spec(module) is None:
        raise MissingDependencyError(
            f"the sampler {name} needs the package {module}", hint=f"pip install 'autopeft[{extra}]'"
        )


def _random(history: History) -> Mapping[str, Any]:
    return _ask(history, RandomSampler(seed=history.seed), [])


def _gp(history: History) -> Mapping[str, Any]:
    return _ask(history, GPSampler(seed=history.seed, n_startup_trials=STARTUP_TRIALS), history.trials)


def _cmaes(history: History) -> Mapping[str, Any]:
    """Draw from the distribution of the method's best trials, over its numeric knobs; the others at random."""
    numeric = {name: one for name, one in history.distributions.items() if isinstance(one, _NUMERIC)}
    drawn = _random(history)
    if len(history.trials) < STARTUP_TRIALS or len(numeric) < 2:
        return drawn
    import cmaes  # an extra of its own; it ships no types

    known = [(_to_unit(trial.params, numeric), float(trial.values[0])) for trial in history.trials]
    mean, sigma, covariance = cmaes.get_warm_start_mgd(known, gamma=CMA_BEST_SHARE)
    bounds = np.tile([0.0, 1.0], (len(numeric), 1))
    point = cmaes.CMA(mean=mean, sigma=sigma, bounds=bounds, seed=history.seed, cov=covariance).ask()
    return {**drawn, **_from_unit(point, numeric)}


def _qmc(history: History) -> Mapping[str, Any]:
    sampler = QMCSampler(seed=history.study_seed, scramble=True, warn_independent_sampling=False)
    # The sampler takes its space from a first trial, whatever that was.
    first = optuna.trial.create_trial(
        params=dict(_ask(history, RandomSampler(seed=history.study_seed), [])),
        distributions=dict(history.distributions),
        values=[0.0] * history.values,
    )
    study = _study(history, sampler, [first])
    for _ in range(history.sampled):
        study.ask(dict(history.distributions))
    return study.ask(dict(history.distributions)).params


def _nsga2(history: History) -> Mapping[str, Any]:
    sampler = NSGAIISampler(population_size=POPULATION, seed=history.seed)
    key = NSGAIISampler._get_generation_key()
    trials = [_with_generation(trial, key, place // POPULATION) for place, trial in enumerate(history.trials)]
    return _ask(history, sampler, trials)


FLAT_SAMPLERS: Mapping[str, Callable[[History], Mapping[str, Any]]] = {
    "random": _random,
    "gp": _gp,
    "cmaes": _cmaes,
    "qmc": _qmc,
    "nsga2": _nsga2,
}


def sample(name: str, history: History) -> Mapping[str, Any]:
    """The values that the sampler proposes, by the names of the distributions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return FLAT_SAMPLERS[name](history)


def _study(history: History, sampler: BaseSampler, trials: Sequence[FrozenTrial]) -> optuna.Study:
    study = optuna.create_study(sampler=sampler, directions=["minimize"] * history.values)
    for trial in trials:
        study.add_trial(trial)
    return study


def _ask(history: History, sampler: BaseSampler, trials: Sequence[FrozenTrial]) -> Mapping[str, Any]:
    return _study(history, sampler, trials).ask(dict(history.distributions)).params


def _with_generation(trial: FrozenTrial, key: str, generation: int) -> FrozenTrial:
    return optuna.trial.create_trial(
        params=trial.params,
        distributions=trial.distributions,
        values=trial.values,
        system_attrs={key: generation},
    )


def _to_unit(params: Mapping[str, Any], numeric: Mapping[str, BaseDistribution]) -> np.ndarray:
    """Each value's place in its range, from 0 to 1, on the scale that the range is searched on."""
    return np.array([_place(one, params[name]) for name, one in numeric.items()])


def _place(one: Any, value: float) -> float:
    scale = math.log if one.log else float
    return 0.5 if one.single() else (scale(value) - scale(one.low)) / (scale(one.high) - scale(one.low))


def _from_unit(point: np.ndarray, numeric: Mapping[str, BaseDistribution]) -> dict[str, Any]:
    return {name: _value_at(one, float(place)) for (name, one), place in zip(numeric.items(), point, strict=True)}


def _value_at(one: Any, place: float) -> float:
    if one.log:
        value = math.exp(math.log(one.low) + place * (math.log(one.high) - math.log(one.low)))
    else:
        value = one.low + place * (one.high - one.low)
    value = float(min(max(value, one.low), one.high))
    return round(value) if isinstance(one, IntDistribution) else value
