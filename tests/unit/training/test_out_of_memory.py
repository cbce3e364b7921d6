"""A lack of memory halves the micro-batch once, is recorded, and otherwise ends the trial, not the search."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from autopeft.domain.plan import TrainingPlan
from autopeft.domain.trials import SliceResult, Split, TrialRecord, TrialSpec, after_slice
from autopeft.search.keep import keep_slice
from autopeft.search.run_directory import RunDirectory
from autopeft.training import slice as slices
from autopeft.training.worker import Worker

PLAN = TrainingPlan(batch_size=8, full_steps=4, rung_steps=(4,), seeds=(0,), autocast=None, rung_rows=8)
SPEC = TrialSpec(0, "lora", {"learning_rate": 1e-3}, 0)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[SliceResult, list[int]]]:
    """Runs a slice whose training fails with too many rows at a time; gives the result and the rows it tried."""

    def run(most_rows: int, spec: TrialSpec = SPEC, *, error: Exception | None = None) -> tuple[SliceResult, list[int]]:
        tried: list[int] = []

        def train(worker: Any, spec: TrialSpec, *_: object) -> SliceResult:
            rows = spec.split.micro_batch_size(PLAN.batch_size)
            tried.append(rows)
            if rows > most_rows:
                raise error or MemoryError("no room")
            return SliceResult(4, 1.0, 0.1, 0.5, 0.1, (), 1.0, 1.0, 2.0, accumulation=spec.split.accumulation)

        monkeypatch.setattr(slices, "_train", train)
        worker = cast(
            Worker, SimpleNamespace(device=torch.device("cpu"), plan=PLAN, ranks=None, batch_share=PLAN.batch_size)
        )
        result = slices.run_slice(worker, spec, tmp_path, from_step=0, to_step=4, should_stop=lambda: False)
        return result, tried

    return run


Run = Callable[..., tuple[SliceResult, list[int]]]


def test_the_micro_batch_is_halved_once(run: Run) -> None:
    result, tried = run(4)
    assert tried == [8, 4]
    assert result.error is None and result.accumulation == 2


def test_a_second_lack_ends_the_trial(run: Run) -> None:
    result, tried = run(2)
    assert tried == [8, 4]
    assert (result.failure, result.accumulation) == ("oom", 2)
    assert "no room" in str(result.error)


def test_it_is_not_halved_again_in_a_later_slice(run: Run) -> None:
    later = after_slice(SPEC, run(4)[0])
    assert later.split == Split(accumulation=2, lowered=True)
    result, tried = run(2, later)
    assert tried == [4] and result.failure == "oom"


def test_one_row_cannot_be_halved(run: Run) -> None:
    result, tried = run(0, replace(SPEC, split=Split(accumulation=8)))
    assert tried == [1] and result.failure == "oom"


def test_another_failure_is_not_tried_again(run: Run) -> None:
    result, tried = run(4, error=ValueError("not memory"))
    assert tried == [8] and result.failure == "failed"


def test_cuda_says_it_in_its_own_way(run: Run) -> None:
    assert run(4, error=torch.OutOfMemoryError("CUDA out of memory"))[1] == [8, 4]


def test_what_was_lowered_is_found_again_after_a_stop(run: Run, tmp_path: Path) -> None:
    folder = RunDirectory.create(tmp_path / "run").trial(0)
    planned = replace(SPEC, split=Split(accumulation=2, gradient_checkpointing=True))
    folder.create(planned, "start")
    assert folder.spec()[0] == planned
    record = TrialRecord(planned)
    keep_slice(folder, record, run(2, planned)[0])
    assert record.spec.split == Split(accumulation=4, gradient_checkpointing=True, lowered=True)
    assert folder.record().spec == record.spec
    assert folder.spec()[0] == planned, "the plan stays as it was"


@pytest.mark.parametrize(("accumulation", "sizes"), [(1, [5]), (2, [3, 2]), (4, [2, 1, 1, 1]), (8, [1] * 5)])
def test_micro_batches_hold_every_row_once(accumulation: int, sizes: list[int]) -> None:
    rows = torch.arange(10).reshape(5, 2)
    worker = SimpleNamespace(ranks=None, training_batch=lambda _: {"input_ids": rows, "labels": rows[:, 0]})
    parts = Worker.micro_batches(cast(Worker, worker), list(range(5)), Split(accumulation))
    assert [len(part["labels"]) for part in parts] == sizes
    assert torch.equal(torch.cat([part["input_ids"] for part in parts]), rows)
