"""The timeline: places that run at a time, and a file that survives a kill."""

from pathlib import Path

from autopeft.domain.trials import TrialSpec
from autopeft.search.timeline import Timeline


def spec(number: int, seed: int = 0) -> TrialSpec:
    return TrialSpec(number, "lora", {}, seed)


def test_a_slice_takes_the_lowest_free_place(tmp_path: Path) -> None:
    timeline = Timeline(tmp_path / "timeline.jsonl")
    one, two, three = (tmp_path / str(number) for number in range(3))
    timeline.begin(one, 0.0)
    timeline.begin(two, 1.0)
    timeline.end(one, 5.0, stage="search", spec=spec(0), to_step=16)
    timeline.begin(three, 5.5)
    timeline.end(two, 7.0, stage="search", spec=spec(1), to_step=16)
    timeline.end(three, 9.0, stage="search", spec=spec(2), to_step=48)
    found = [(p["worker"], p["trial"], p["started_seconds"], p["seconds"], p["to_step"]) for p in timeline.pieces()]
    assert found == [("worker 0", 0, 0.0, 5.0, 16), ("worker 1", 1, 1.0, 6.0, 16), ("worker 0", 2, 5.5, 3.5, 48)]


def test_runs_of_the_confirm_stage_name_their_seed_and_controls_have_no_trial(tmp_path: Path) -> None:
    timeline = Timeline(tmp_path / "timeline.jsonl")
    for stage, number in (("confirm", 7), ("controls", -1)):
        timeline.begin(tmp_path, 0.0)
        timeline.end(tmp_path, 1.0, stage=stage, spec=spec(number, seed=3), to_step=48)
    assert [(p["name"], p["trial"]) for p in timeline.pieces()] == [
        ("trial 7 seed 3", 7),
        ("control lora seed 3", None),
    ]


def test_a_torn_last_line_is_passed_over_and_the_next_session_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "timeline.jsonl"
    for number in range(2):
        timeline = Timeline(path)
        timeline.begin(tmp_path, float(number))
        timeline.end(tmp_path, number + 0.5, stage="search", spec=spec(number), to_step=16)
        with path.open("a", encoding="utf-8") as stream:
            stream.write('{"worker": "wor')
    assert [piece["trial"] for piece in Timeline(path).pieces()] == [0, 1]
    assert Timeline(tmp_path / "none.jsonl").pieces() == []
