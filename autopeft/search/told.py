"""Trials as a sampler's own study is told them."""

import copy
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

# Optuna wants to know when a trial was; no sampler asks.
_SOME_TIME = datetime.fromtimestamp(0, UTC)


class ToldTrial(FrozenTrial):
    """A trial that shares its ranges with all others of its method.

    Optuna's in-memory study copies what it is told, down to the range of every knob. Nothing changes such a trial
    afterwards; and a search of thousands of trials, which tells all of them anew for each proposal, would spend more
    time and memory on the copies than on the proposals.
    """

    def __deepcopy__(self, memo: object) -> "ToldTrial":
        """As shallow as can be: a study gives each trial a number of its own, and leaves the rest alone."""
        return copy.copy(self)


def told(
    parameters: Mapping[str, Any], distributions: dict[str, BaseDistribution], values: Sequence[float] | None
) -> ToldTrial:
    """A trial with these values, all minimised; one that is still running where there are none.

    Args:
        parameters: by the names of the distributions.
        distributions: kept as they are, and never changed: best one mapping for all trials of a method.
        values: of the objectives.
    """
    return ToldTrial(
        number=0,
        trial_id=0,
        state=TrialState.RUNNING if values is None else TrialState.COMPLETE,
        value=None,
        values=values,
        datetime_start=_SOME_TIME,
        datetime_complete=None if values is None else _SOME_TIME,
        params=dict(parameters),
        distributions=distributions,
        user_attrs={},
        system_attrs={},
        intermediate_values={},
    )
