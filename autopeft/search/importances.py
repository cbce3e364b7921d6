"""Which choice mattered: Optuna's importances over the trials at the rung that most of them reached.

Source: conditional PED-ANOVA (arXiv:2601.20800), which gives a method's own hyperparameters their share too.
"""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import optuna

from autopeft.domain.methods import MethodSpec
from autopeft.domain.trials import TrialRecord
from autopeft.errors import UsageError
from autopeft.search.sampler import Proposal, distribution

LEAST_TRIALS = 20
"""With fewer, the best tenth is a single trial, and its choices look decisive whatever they are."""

LEAST_OF_A_METHOD = 5
"""Trials of a method from which its own hyperparameters are assessed."""

EVALUATOR = "Optuna's PED-ANOVA"


def importances(trials: Sequence[TrialRecord], methods: Mapping[str, MethodSpec]) -> dict[str, Any] | None:
    """`shares` by choice (`method`, `<method>.<knob>`), which sum to 1, with `trials`, `step` and `evaluator`.

    None where fewer than `LEAST_TRIALS` reached one rung, or there was no choice.
    """
    steps = Counter(piece.to_step for trial in trials for piece in trial.slices if piece.validation_loss is not None)
    if not steps:
        return None
    step = max(steps, key=lambda one: (steps[one], one))
    known = [trial for trial in trials if trial.spec.method in methods and _in_range(trial, methods[trial.spec.method])]
    reached = [(trial, loss) for trial in known if (loss := _loss_at(trial, step)) is not None]
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    for trial, loss in reached:
        study.add_trial(_frozen(trial, methods, loss))
    assessed = _assessed([trial.spec.method for trial, _ in reached], methods)
    if len(reached) < LEAST_TRIALS or len(assessed) < 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shares = optuna.importance.get_param_importances(study, params=assessed)
    return {"step": step, "trials": len(reached), "evaluator": EVALUATOR, "shares": shares}


def _assessed(used: Sequence[str], methods: Mapping[str, MethodSpec]) -> list[str]:
    """`method` where there was a choice, and the hyperparameters of methods with enough trials."""
    often = [name for name, count in Counter(used).items() if count >= LEAST_OF_A_METHOD]
    knobs = [f"{name}.{knob.name}" for name in sorted(often) for knob in methods[name].knobs]
    return (["method"] if len(set(used)) > 1 else []) + knobs


def _in_range(trial: TrialRecord, method: MethodSpec) -> bool:
    """Whether the search could have proposed it; a plan of the user's may start elsewhere."""
    try:
        for knob in method.knobs:
            knob.check(trial.spec.hyperparameters[knob.name])
    except (KeyError, UsageError):
        return False
    return True


def _loss_at(trial: TrialRecord, step: int) -> float | None:
    return next((piece.validation_loss for piece in trial.slices if piece.to_step == step), None)


def _frozen(trial: TrialRecord, methods: Mapping[str, MethodSpec], loss: float) -> optuna.trial.FrozenTrial:
    method = methods[trial.spec.method]
    proposal = Proposal(method.id, {knob.name: trial.spec.hyperparameters[knob.name] for knob in method.knobs})
    distributions: dict[str, optuna.distributions.BaseDistribution] = {
        "method": optuna.distributions.CategoricalDistribution(sorted(methods))
    }
    distributions |= {f"{method.id}.{knob.name}": distribution(knob) for knob in method.knobs}
    return optuna.trial.create_trial(params=proposal.parameters(), distributions=distributions, value=loss)
