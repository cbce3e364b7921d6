"""What is on disk after a stop at any moment."""

import json

import pytest

from autopeft.domain.trials import SliceResult, TrialSpec
from autopeft.errors import InputError, RunError
from autopeft.search.ledger import Ledger
from autopeft.search.run_directory import RunDirectory, read_json, write_json

SPEC = TrialSpec(3, "lora", {"r": 8, "learning_rate": 1e-3}, 7)
GOOD = SliceResult(10, 1.5, 0.1, 0.6, 0.02, ((5, 2.0), (10, 1.8)), 1.0, 0.5, 1.6, 1234, 99)
BAD = SliceResult(10, None, None, None, None, (), 0.0, 0.0, 0.2, error="boom", failure="failed")


def test_a_trial_comes_back_as_it_was(tmp_path):
    folder = RunDirectory.create(tmp_path / "run").trial(3)
    folder.create(SPEC, "start")
    folder.commit(GOOD)
    assert folder.spec() == (SPEC, "start")
    assert folder.slices() == [GOOD]
    assert folder.record().state == "paused"
    assert folder.record().steps_done == 10


def test_a_failed_slice_ends_the_trial_but_keeps_what_it_had(tmp_path):
    folder = RunDirectory.create(tmp_path / "run").trial(3)
    folder.create(SPEC, "start")
    folder.commit(GOOD)
    folder.commit(BAD)
    assert folder.record().state == "failed"
    assert folder.record().slices == [GOOD]


def test_a_line_cut_off_in_the_middle_is_no_slice_and_does_no_harm(tmp_path):
    folder = RunDirectory.create(tmp_path / "run").trial(3)
    folder.create(SPEC, "start")
    folder.commit(GOOD)
    with open(folder.path / "events.jsonl", "a") as stream:
        stream.write('{"to_step": 30, "validat')
    assert folder.slices() == [GOOD]
    folder.commit(BAD)
    assert folder.slices() == [GOOD, BAD]


def test_a_folder_that_holds_a_run_is_not_taken_again(tmp_path):
    run = RunDirectory.create(tmp_path)
    write_json(run.path / "plan.json", {})
    with pytest.raises(InputError, match="already holds a run"):
        RunDirectory.create(tmp_path)


def test_a_path_that_cannot_be_a_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write the run directory") as refusal:
        RunDirectory.create(tmp_path / "file" / "run")
    assert refusal.value.exit_code == 6


def test_two_processes_cannot_work_on_one_run(tmp_path):
    run = RunDirectory.create(tmp_path)
    with run.locked():
        assert run.is_locked()
        with pytest.raises(RunError, match="another search"), run.locked():
            pass
    assert not run.is_locked()


def test_broken_json_is_named(tmp_path):
    (tmp_path / "result.json").write_text('{"a": ')
    with pytest.raises(InputError, match=r"result\.json is no valid JSON"):
        read_json(tmp_path / "result.json")


def test_json_never_holds_what_json_cannot(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", {"loss": float("nan")})


def test_the_ledger_adds_up_over_sessions(tmp_path):
    now = [0.0]
    path = tmp_path / "ledger.json"
    first = Ledger(path, clock=lambda: now[0], started=0.0, timestamp="one")
    with first.spend("startup"):
        now[0] = 3.0
    with first.spend("search"):
        now[0] = 10.0
    # Killed here: nothing is written on the way out.
    now[0] = 100.0
    second = Ledger(path, clock=lambda: now[0], started=100.0, timestamp="two")
    now[0] = 105.0
    second.book("search", 4.0, compute_seconds=3.0)
    plain = second.to_dict()
    assert plain["spent_seconds"] == pytest.approx(15.0)
    assert sum(plain["ledger"].values()) == pytest.approx(plain["spent_seconds"])
    assert plain["ledger"]["search"] == pytest.approx(11.0)
    assert [session["started"] for session in plain["sessions"]] == ["one", "two"]
    assert json.loads(path.read_text())["compute_seconds"] == 3.0


def test_a_run_of_somebody_else_is_refused_in_one_line(tmp_path):
    (tmp_path / "run.lock").mkdir()  # nobody can open it for writing, not even root
    with pytest.raises(RunError, match="cannot write the run directory"), RunDirectory(tmp_path).locked():
        pass


def test_what_was_half_written_goes_and_what_is_of_others_stays(tmp_path):
    run = RunDirectory.create(tmp_path / "run")
    half = ["trials/0000/checkpoint/.step-1.safetensors.7.tmp", ".plan.json.7.tmp", ".best_adapter.tmp/weights"]
    others = [".notes.tmp", "mine/.cache.7.tmp", "another/trials/0000/.spec.json.8.tmp"]
    for name in (*half, *others):
        (run.path / name).parent.mkdir(parents=True, exist_ok=True)
        (run.path / name).write_text("")
    run.sweep()
    assert [name for name in (*half, *others) if (run.path / name).exists()] == others
