"""The run's Optuna study on disk: every trial once, readable by Optuna's own tools and dashboard.

The run directory decides; this follows it, and catches up after a stop.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import optuna
from optuna.trial import TrialState

from autopeft.domain.methods import MethodSpec
from autopeft.domain.trials import TrialRecord
from autopeft.search.sampler import Proposal, distribution

STUDY_NAME = "autopeft"


class StudyMirror:
    """The SQLite study of a run.

    Args:
        path: the database file.
        methods: by id; they give the distributions.
    """

    def __init__(self, path: Path, methods: Mapping[str, MethodSpec]) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._methods = methods
        self._study = optuna.create_study(
            storage=f"sqlite:///{path}", study_name=STUDY_NAME, load_if_exists=True, direction="minimize"
        )
        self._known = len(self._study.get_trials(deepcopy=False))

    def started(self, records: Sequence[TrialRecord]) -> None:
        """Add the trials that the study does not have yet; they are RUNNING until `finished`."""
        for record in records[self._known :]:
            spec = record.spec
            method = self._methods[spec.method]
            knobs = {knob.name: knob for knob in method.knobs}
            distributions: dict[str, optuna.distributions.BaseDistribution] = {
                "method": optuna.distributions.CategoricalDistribution(sorted(self._methods))
            }
            distributions |= {f"{method.id}.{name}": distribution(knob) for name, knob in knobs.items()}
            self._study.add_trial(
                optuna.trial.create_trial(
                    state=TrialState.RUNNING,
                    params=Proposal(method.id, {name: spec.hyperparameters[name] for name in knobs}).parameters(),
                    distributions=distributions,
                )
            )
            self._known += 1

    def finished(self, records: Sequence[TrialRecord]) -> None:
        """Close every trial: its validation loss at the last rung, or FAIL."""
        states = [trial.state for trial in self._study.get_trials(deepcopy=False)]
        for record, state in zip(records, states, strict=True):
            if state.is_finished():
                continue
            if record.state in ("failed", "oom") or not record.slices:
                self._study.tell(record.spec.number, state=TrialState.FAIL)
            else:
                self._study.tell(record.spec.number, record.loss)
