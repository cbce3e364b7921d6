"""What earlier searches found: kept small and private, believed in nothing, and used for a share of the trials only."""

import json
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autopeft.domain.trials import SliceResult, Split, TrialRecord, TrialSpec
from autopeft.execution.protocol import SliceTask
from autopeft.search import history_store
from autopeft.search.context import SearchContext
from autopeft.search.history import remembered_proposal, slots_before, start_place
from autopeft.search.history_store import Situation, history_folder, recall, remember
from autopeft.search.run_directory import TrialFolder
from autopeft.search.sampler import Proposal
from autopeft.search.scheduler import ranking
from autopeft.search.search_stage import search_stage
from tests.stub_search import METHODS, learn, stub_context

HERE = Situation("sst2-like", "digest", "bert", 22_000_000, "data")


def good(method: str = "lora", rate: float = 1e-2) -> Proposal:
    return Proposal(method, {knob.name: knob.default for knob in METHODS[method].knobs} | {"learning_rate": rate})


def ranked(*proposals: Proposal, loss: float = 0.5) -> list[TrialRecord]:
    """Finished trials, the best first."""
    return [
        TrialRecord(
            TrialSpec(number, one.method, one.hyperparameters, 0),
            "paused",
            [SliceResult(10, loss + number, 0.01, None, None, (), 0.1, 0.1, 0.2)],
        )
        for number, one in enumerate(proposals)
    ]


def test_the_best_of_the_most_similar_search_comes_first(tmp_path: Path) -> None:
    remember(tmp_path, replace(HERE, model="sister", parameters=40_000_000), ranked(good(rate=2e-3)))
    remember(tmp_path, replace(HERE, data="other"), ranked(good(rate=3e-3), good("ia3", 4e-3)))
    remember(tmp_path, HERE, ranked(good(rate=1e-2)))
    found = recall(tmp_path, HERE, METHODS)
    assert [one.hyperparameters["learning_rate"] for one in found] == [1e-2, 3e-3, 2e-3, 4e-3]


@pytest.mark.parametrize(
    "elsewhere",
    [{"task": "summarisation"}, {"model": "x", "family": "llama"}, {"model": "x", "parameters": 7_000_000_000}],
)
def test_nothing_is_learnt_from_what_is_not_alike(tmp_path: Path, elsewhere: dict[str, Any]) -> None:
    remember(tmp_path, replace(HERE, **elsewhere), ranked(good()))
    assert recall(tmp_path, HERE, METHODS) == ()


def test_a_worse_search_of_the_same_does_not_take_the_place_of_a_better_one(tmp_path: Path) -> None:
    remember(tmp_path, HERE, ranked(good(rate=1e-2), loss=0.1))
    remember(tmp_path, HERE, ranked(good(rate=5e-3), loss=0.9))
    assert recall(tmp_path, HERE, METHODS) == (good(rate=1e-2),)


def test_the_files_are_private_hold_no_names_and_stay_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_store, "MOST_FILES", 5)
    folder = tmp_path / "history"
    for number in range(12):
        remember(folder, replace(HERE, data=f"data {number}"), ranked(good()))
    files = list(folder.iterdir())
    assert len(files) == 5
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert set(json.loads(files[0].read_text())["best"][0]) == {"method", "hyperparameters"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "[" * 5000,
        '{"format": 1, "situation": 7, "loss": 9, "best": []}',
        '{"format": 2, "situation": SITUATION, "loss": 9, "best": []}',
        '{"format": 1, "situation": SITUATION, "loss": 9, "best": [{"method": "lora", "hyperparameters": {}}]}',
        '{"format": 1, "situation": SITUATION, "loss": 9, "best": [{"method": ["lora"], "hyperparameters": 3}, 1]}',
        '{"format": 1, "situation": SITUATION, "loss": 9, "best": [{"method": "../x", "hyperparameters": {}}]}',
        '{"format": 1, "situation": SITUATION, "loss": 9, "best": [GOOD_WITH_RATE_9]}',
        '{"format": 1, "situation": SITUATION, "loss": 9, "best": [GOOD_WITH_RATE_NaN]}',
        '{"format": 1, "situation": SITUATION, "loss": 9, "best": "' + "x" * 40_000 + '"}',
    ],
)
def test_what_makes_no_sense_is_left_out(tmp_path: Path, text: str) -> None:
    remember(tmp_path, HERE, ranked(good()))
    (path,) = tmp_path.iterdir()
    plain = json.loads(path.read_text())
    for rate in ("9", "NaN"):
        one = json.dumps(plain["best"][0]).replace("0.01", rate)
        assert rate in one
        text = text.replace(f"GOOD_WITH_RATE_{rate}", one)
    path.write_text(text.replace("SITUATION", json.dumps(plain["situation"])))
    assert recall(tmp_path, HERE, METHODS) == ()
    remember(tmp_path, HERE, ranked(good()))
    assert recall(tmp_path, HERE, METHODS) == (good(),)


def test_it_can_be_switched_off_and_put_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOPEFT_HISTORY", "off")
    assert history_folder() is None
    monkeypatch.setenv("AUTOPEFT_HISTORY", str(tmp_path))
    assert history_folder() == tmp_path
    monkeypatch.delenv("AUTOPEFT_HISTORY")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert history_folder() == tmp_path / "autopeft" / "history"


def test_what_is_kept_is_not_all_of_one_method(tmp_path: Path) -> None:
    remember(tmp_path, HERE, ranked(*(good(rate=1e-3 * n) for n in range(1, 9)), good("ia3", 5e-3)))
    assert [one.method for one in recall(tmp_path, HERE, METHODS)] == ["lora"] * 3 + ["ia3"]


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    remember(tmp_path / "file" / "history", HERE, ranked(good()))
    assert recall(tmp_path / "file" / "history", HERE, METHODS) == ()


def test_it_takes_every_third_trial_from_the_second_on() -> None:
    history = [good(rate=rate) for rate in (1e-2, 5e-3)]
    turns = [number for number in range(12) if remembered_proposal(history, [], number, seed=0)]
    assert turns == [1, 4]
    assert [slots_before(number, 2) for number in range(8)] == [0, 0, 1, 1, 1, 2, 2, 2]


def test_a_turn_that_is_not_taken_brings_no_starting_point_twice() -> None:
    assert [start_place(number, 2) for number in range(8)] == [0, None, 1, 2, None, 3, 4, 5]
    assert [start_place(number, 0) for number in range(4)] == [0, 1, 2, 3]


def test_every_starting_point_is_tried_once_though_the_past_is_out_of_memory(tmp_path: Path) -> None:
    context = stub_context(tmp_path / "run", trials=9, sampler="random")
    past = (good("houlsby", 5e-3), good("houlsby", 4e-3))
    context = replace(context, history=past, split=lambda proposal: None if proposal in past else Split())
    starts = [spec for spec, origin in (one.spec() for one in search_run(context)) if origin == "start"]
    assert [one.method for one in starts] == [one.method for one in context.starts]


def search_run(context: SearchContext) -> list[TrialFolder]:
    """The trials of a search that was run."""
    search_stage(context)
    return context.run.trials()


def test_what_is_tried_anyway_is_not_tried_again(tmp_path: Path) -> None:
    remember(tmp_path, HERE, ranked(good(rate=1e-2), good("ia3", 4e-3)))
    assert recall(tmp_path, HERE, METHODS, [good(rate=1e-2)]) == (good("ia3", 4e-3),)


def found_at(records: Sequence[TrialRecord], loss: float) -> int:
    """Which trial first came so low, at its last rung."""
    return min((record.spec.number for record in records if record.loss < loss), default=len(records))


def searched(folder: Path, history: tuple[Proposal, ...], seed: int) -> list[TrialRecord]:
    context = stub_context(folder, trials=18, seed=seed, sampler="random")
    return search_stage(replace(context, history=history))[0]


def test_a_second_search_finds_its_good_trial_sooner(tmp_path: Path) -> None:
    first = searched(tmp_path / "first", (), 100)
    remember(tmp_path / "history", HERE, ranking(first))
    history = recall(tmp_path / "history", HERE, METHODS)
    best = ranking(first)[0].loss
    cold = [found_at(searched(tmp_path / f"cold {seed}", (), seed), best * 1.001) for seed in range(2)]
    warm = [found_at(searched(tmp_path / f"warm {seed}", history, seed), best * 1.001) for seed in range(2)]
    assert warm == [1] * 2
    assert min(cold) > 1


def test_a_misleading_past_is_dropped(tmp_path: Path) -> None:
    """What was worst is offered as what was best: it gets its first turns, and then hardly any."""

    def upside_down(task: SliceTask) -> SliceResult:
        result = learn(task)
        return replace(result, validation_loss=2.0 - (result.validation_loss or 0.0))

    earlier = stub_context(tmp_path / "first", upside_down, trials=24, seed=7, sampler="random")
    misleading = tuple(
        Proposal(one.spec.method, one.spec.hyperparameters) for one in ranking(search_stage(earlier)[0])[:8]
    )
    taken = 0
    for seed in range(3):
        context = replace(
            stub_context(tmp_path / str(seed), trials=24, seed=seed, sampler="random"), history=misleading
        )
        records, _ = search_stage(context)
        origins = [folder.spec()[1] for folder in context.run.trials()]
        taken += origins.count("history")
        assert ranking(records)[0].spec.number not in [n for n, one in enumerate(origins) if one == "history"]
    # Eight turns each were there to be taken.
    assert 3 <= taken <= 12
