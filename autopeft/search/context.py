"""What the stages of a search share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from autopeft.domain.methods import MethodSpec
from autopeft.domain.plan import SearchRequest, TrainingPlan
from autopeft.domain.progress import Observer, Progress
from autopeft.domain.trials import Split, TrialRecord
from autopeft.execution.protocol import Executor
from autopeft.search.ledger import Ledger
from autopeft.search.run_directory import RunDirectory
from autopeft.search.sampler import Proposal

# Kept free at the end for the exported adapter, result.json and the report; measured on the demo.
REPORT_SECONDS = 6.0


@dataclass(slots=True)
class Stop:
    """Set by a signal: finish nothing more than the running slice."""

    requested: bool = False


@dataclass(frozen=True, slots=True)
class SearchContext:
    """Everything that the stages work with.

    Attributes:
        request: what was asked.
        plan: what every slice shares.
        metric: name of the task's metric.
        maximize: whether a greater metric is better.
        methods: searched methods, by id, and those of the controls.
        searched: ids of the methods that the sampler may propose.
        starts: the recommender's candidates, tried first.
        control: plain LoRA at its defaults, or None where it does not apply.
        split: how a configuration's steps are predicted to fit; None where they do not.
        test_rows: in the test split.
        validation_rows: in the validation split.
        max_length: tokens of the longest row.
    """

    request: SearchRequest
    plan: TrainingPlan
    metric: str
    maximize: bool
    methods: Mapping[str, MethodSpec]
    searched: tuple[str, ...]
    starts: tuple[Proposal, ...]
    control: Proposal | None
    split: Callable[[Proposal], Split | None]
    test_rows: int
    validation_rows: int
    max_length: int
    run: RunDirectory
    executor: Executor
    ledger: Ledger
    observer: Observer
    stop: Stop = field(default_factory=Stop)

    @property
    def remaining_seconds(self) -> float:
        """Of the wall-clock budget; infinite without one."""
        if self.request.budget_seconds is None:
            return float("inf")
        return self.request.budget_seconds - self.ledger.spent_seconds

    def show(self, stage: str, activity: str, done: int, records: list[TrialRecord], best: str = "") -> None:
        """Tell the observer where the search stands."""
        failed = sum(record.state in ("failed", "oom") for record in records)
        self.observer.progress(
            Progress(
                stage=stage,
                activity=activity,
                done=done,
                best=best,
                trials_started=len(records),
                trials_failed=failed,
                spent_seconds=self.ledger.spent_seconds,
                budget_seconds=self.request.budget_seconds,
            )
        )
