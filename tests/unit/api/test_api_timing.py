"""Time and money of a training, the budget that a device stands for, and the probe."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

import autopeft
from autopeft.api.timing import Setting, TimedEstimator, TrainingRun, read_setting, with_seconds
from autopeft.catalog.load import load_catalog
from autopeft.cli.main import cli
from autopeft.domain.memory import MemoryEstimate, StepShape
from autopeft.domain.work import Operation, StepWork
from autopeft.errors import MissingDependencyError, UsageError
from tests.unit.cli.stand_in import StandIn

CATALOG = load_catalog()
L40S = CATALOG.gpu("L40S")
SHAPE = StepShape(batch_size=2, max_length=100, accumulation=4)
STEP = StepWork({"forward": {Operation("matmul", "bfloat16", 10**13, 1): 1}})


def estimate() -> MemoryEstimate:
    return StandIn()(CATALOG.models["gpt2"], CATALOG.task("causal-lm"), CATALOG.method("lora"), {}, SHAPE)


def test_hours_and_money_follow_from_rows_and_the_effective_batch() -> None:
    found = with_seconds(estimate(), 0.5, SHAPE, TrainingRun(rows=1001, epochs=2, price_per_hour=3.6))
    steps = 251  # 2002 rows, 8 in a step, the last one not full
    assert found.tokens_per_second == pytest.approx(8 * 100 / 0.5)
    assert found.training_hours == pytest.approx(steps * 0.5 / 3600)
    assert found.training_cost == pytest.approx(steps * 0.5 / 3600 * 3.6)


def test_what_is_not_known_stays_unknown() -> None:
    found = with_seconds(estimate(), 0.5, SHAPE, TrainingRun())
    assert (found.training_hours, found.training_cost) == (None, None)
    assert with_seconds(estimate(), 0.5, SHAPE, TrainingRun(rows=8)).training_cost is None


def test_several_devices_share_the_rows_and_each_is_paid() -> None:
    run = TrainingRun(rows=1600, epochs=1, price_per_hour=1.0)
    one, two = (with_seconds(estimate(), 1.0, replace(SHAPE, gpus=gpus), run) for gpus in (1, 2))
    assert two.training_hours == pytest.approx((one.training_hours or 0) / 2)
    assert two.training_cost == pytest.approx(one.training_cost)


def test_steps_are_bounded_by_max_steps() -> None:
    assert TrainingRun(rows=1000, epochs=3, max_steps=10).steps(8) == 10
    assert TrainingRun(rows=8, epochs=1, max_steps=10).steps(8) == 1
    assert TrainingRun(max_steps=10).steps(8) == 10


def test_a_timed_estimator_prices_the_work_and_says_for_which_device() -> None:
    class Worked:
        def __init__(self, work: StepWork | None) -> None:
            self.work = work

        def __call__(self, *_asked: object) -> MemoryEstimate:
            return replace(estimate(), work=self.work)

    gpt2, task, lora = CATALOG.models["gpt2"], CATALOG.task("causal-lm"), CATALOG.method("lora")
    found = TimedEstimator(Worked(STEP), L40S, TrainingRun())(gpt2, task, lora, {}, SHAPE)
    assert found.seconds_per_step == pytest.approx(10**13 / L40S.achieved_flops_per_second("bfloat16"))
    assert any("L40S" in text for text in found.assumptions)
    assert TimedEstimator(Worked(None), L40S, TrainingRun())(gpt2, task, lora, {}, SHAPE).seconds_per_step is None


def test_a_device_stands_for_its_memory_unless_memory_is_named() -> None:
    assert Setting(L40S).budget_bytes(None) == L40S.usable_bytes
    assert Setting(L40S).budget_bytes("8GB") == 8 * 10**9
    assert Setting().budget_bytes(None) is None
    assert Setting(CATALOG.gpu("cpu")).budget_bytes(None) is None


def test_the_free_memory_of_no_device_is_a_missing_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(MissingDependencyError) as caught:
        Setting().budget_bytes("auto")
    assert caught.value.exit_code == 5
    assert "--gpu" in str(caught.value.hint)


def test_the_free_memory_of_the_device_is_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda: (7 * 10**9, 8 * 10**9))
    assert Setting(L40S).budget_bytes(" Auto ") == 7 * 10**9


@pytest.mark.parametrize("price", [-1.0, float("nan"), float("inf")])
def test_a_price_that_makes_no_sense_is_refused(price: float) -> None:
    with pytest.raises(UsageError):
        read_setting(CATALOG, "L40S", TrainingRun(price_per_hour=price))


def test_a_price_needs_a_device() -> None:
    with pytest.raises(UsageError, match="without a device"):
        read_setting(CATALOG, None, TrainingRun(price_per_hour=1.0))


def test_the_command_prints_times_under_their_public_names(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"model_type": "gpt2", "n_layer": 2, "n_head": 2, "n_embd": 32, "vocab_size": 128}))
    common = ["estimate", "--model", str(config), "--max-length", "32", "--format", "json"]
    priced = ["--gpu", "NVIDIA T4", "--gpu-mem", "1GB", "--rows", "800", "--price-per-hour", "0.35"]
    found = json.loads(CliRunner().invoke(cli, common + priced).stdout)
    assert found["seconds_per_step"] > 0
    assert found["tokens_per_second"] * found["seconds_per_step"] % 32 == pytest.approx(0, abs=1e-6)
    assert found["training_cost"] == pytest.approx(found["training_hours"] * 0.35)
    assert "work" not in found
    unpriced = json.loads(CliRunner().invoke(cli, common).stdout)
    times = ("seconds_per_step", "tokens_per_second", "training_hours", "training_cost", "measured_peak_bytes")
    assert [unpriced[name] for name in times] == [None] * 5


def test_ranking_uses_seconds_where_a_device_is_named() -> None:
    answer = autopeft.recommend("gpt2", methods=["lora", "full"], gpu="T4", gpu_mem="15GB", max_length=64)
    rules = {reason.rule for one in answer.candidates for reason in one.reasons}
    assert "time" in rules and "compute" not in rules
    assert all(one.estimate.seconds_per_step for one in answer.candidates)


def test_a_probe_measures_real_steps_and_remembers_them(material: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = str(material / "models" / "minilm-tiny-distilled")

    def ask() -> MemoryEstimate:
        return autopeft.estimate(
            model, "lora", probe=True, batch_size=2, max_length=16, dtype="float32", training_rows=20, epochs=1
        )

    first = ask()
    assert first.seconds_per_step is not None and first.seconds_per_step > 0
    assert first.training_hours == pytest.approx(10 * first.seconds_per_step / 3600)
    assert first.measured_peak_bytes is not None and first.measured_peak_bytes > first.components_bytes["weights"]
    assert any("real steps" in text for text in first.assumptions)
    monkeypatch.setattr("autopeft.memory.probe.load_base", lambda *_a, **_k: pytest.fail("measured again"))
    assert ask().seconds_per_step == first.seconds_per_step


def test_a_probe_without_weights_or_of_what_it_cannot_run_is_refused(material: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((material / "models" / "minilm-l6" / "config.json").read_bytes())
    with pytest.raises(autopeft.errors.ModelError):
        autopeft.estimate(str(tmp_path), probe=True, batch_size=1, max_length=8)
    with pytest.raises(UsageError, match="eager attention"):
        autopeft.estimate(str(tmp_path), probe=True, batch_size=1, max_length=8, attention="eager")
