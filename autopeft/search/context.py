"""What the stages of a search share."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from autopeft.domain.methods import MethodSpec
from autopeft.domain.plan import SearchRequest, TrainingPlan
from autopeft.domain.progress import Observer, Progress
from autopeft.domain.trials import Split, TrialRecord
from autopeft.execution.protocol import Executor
from autopeft.search.callbacks import Callbacks
from autopeft.search.ledger import Ledger
from autopeft.search.run_directory import RunDirectory
from autopeft.search.sampler import Proposal
from autopeft.search.standing import standing
from autopeft.search.stop import Stop
from autopeft.search.storage import Study

# Kept free at the end for the exported adapter, result.json and the report; measured on the demo.
REPORT_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class SearchContext:
    """Everything that the stages work with.

    Attributes:
        request: what was asked.
        plan: what every slice shares.
        metric: name of the task's metric.
        row_metric: what single rows are compared by: the metric, where it is a mean over rows.
        maximize: whether a greater metric is better.
        methods: searched methods, by id, and those of the controls.
        searched: ids of the methods that the sampler may propose.
        starts: the recommender's candidates, tried first.
        history: configurations that did well in earlier searches, used as `autopeft.search.history` says.
        control: plain LoRA at its defaults, or None where it does not apply.
        split: how a configuration's steps are predicted to fit; None where they do not.
        test_rows: in the test split.
        validation_rows: in the validation split.
        max_length: tokens of the longest row.
        study: opens the study that gives trials their numbers.
    """

    request: SearchRequest
    plan: TrainingPlan
    metric: str
    row_metric: str
    maximize: bool
    methods: Mapping[str, MethodSpec]
    searched: tuple[str, ...]
    starts: tuple[Proposal, ...]
    control: Proposal | None
    split: Callable[[Proposal], Split | None]
    test_rows: int
    validation_rows: int
    max_length: int
    study: Callable[[], Study]
    run: RunDirectory
    executor: Executor
    ledger: Ledger
    observer: Observer
    stop: Stop = field(default_factory=Stop)
    callbacks: Callbacks = field(default_factory=Callbacks)
    history: tuple[Proposal, ...] = ()

    @property
    def remaining_seconds(self) -> float:
        """Of the wall clock, until the first budget of time is used up; infinite without one."""
        wall, paid = self.request.budget_seconds, self.request.paid_device_seconds
        left = float("inf") if wall is None else wall - self.ledger.spent_seconds
        return left if paid is None else min(left, (paid - self.ledger.worker_seconds) / self.request.slots)

    def show(
        self,
        stage: str,
        activity: str,
        done: int,
        records: list[TrialRecord],
        best: str = "",
        *,
        busy: Collection[int] = (),
        next_rung: int | None = None,
    ) -> None:
        """Tell the observer where the search stands.

        Args:
            stage: `search`, `confirm` or `test`.
            activity: what begins now.
            done: finished pieces of the stage.
            records: of the search's trials.
            best: the best so far, in words.
            busy: numbers of what trains now; a control has a negative one.
            next_rung: the step at which what begins now ends.
        """
        stands = standing(records, busy, self.plan.full_steps)
        self.observer.progress(
            Progress(
                stage=stage,
                activity=activity,
                done=done,
                best=best,
                trials_started=len(records),
                trials_failed=stands.failed,
                spent_seconds=self.ledger.spent_seconds,
                budget_seconds=self.request.wall_seconds,
                standing=stands,
                trials_allowed=self.request.trials,
                next_rung=next_rung,
                full_steps=self.plan.full_steps,
            )
        )
