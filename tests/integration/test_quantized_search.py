"""A search on a base in 4 bits: trained, measured, gone on with, and loaded again by the lines that it prints."""

import json
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from transformers import AutoModelForSequenceClassification

from autopeft.api.finished import open_finished
from autopeft.api.merge import checked_batches, merge
from autopeft.api.run import SearchResult
from autopeft.artifacts.merge import agreement, outputs
from autopeft.cli.main import cli

SIZES = ("--trials", "1", "--full-steps", "8", "--batch-size", "8", "--max-train-rows", "80", "--threads", "1")
FEW = ("--max-evaluation-rows", "30", "--confirm-seeds", "1", "--quiet", "--base-precision", "nf4")


def autopeft(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(one) for one in arguments], prog_name="autopeft")


@pytest.fixture(scope="module")
def run(tiny_bert: Path, sst2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("bitsandbytes")
    folder = tmp_path_factory.mktemp("quantised") / "run"
    asked = ("--model", tiny_bert, "--dataset", sst2, "--methods", "houlsby", "--output", folder)
    done = autopeft("search", *asked, *SIZES, *FEW)
    assert done.exit_code == 0, done.stderr
    return folder


def test_the_base_is_in_four_bits_and_its_memory_is_predicted(run: Path) -> None:
    model = open_finished(run).load("cpu")
    kinds = {type(module).__name__ for module in model.modules()}
    assert "Linear4bit" in kinds
    assert type(model.get_base_model().classifier.original_module) is torch.nn.Linear
    best = SearchResult(run).result["best"]
    assert best["measured_peak_bytes"] == pytest.approx(best["predicted_peak_bytes"], rel=0.02)


def test_another_session_measures_and_goes_on_with_the_same_base(run: Path) -> None:
    assert json.loads((run / "plan.json").read_text())["request"]["base_precision"] == "nf4"
    measured = autopeft("evaluate", run, "--format", "json")
    assert measured.exit_code == 0, measured.stderr
    assert json.loads(measured.stdout)["difference"] == 0
    assert autopeft("resume", run, "--quiet").exit_code == 0


def test_the_printed_lines_load_the_same_model(run: Path) -> None:
    scope: dict[str, object] = {}
    exec("\n".join(SearchResult(run).result["best"]["load"]), scope)  # what the report tells people to run
    ids = torch.randint(5, 400, (3, 9), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        theirs, ours = (model(input_ids=ids).logits for model in (scope["model"], open_finished(run).load("cpu")))
    # Some CPUs multiply 4-bit weights in bfloat16 unless they are told not to, as autopeft does.
    assert (theirs - ours).abs().max() < 0.02 * ours.abs().max()


def test_a_method_that_merges_is_merged_into_what_it_was_trained_on(
    tiny_bert: Path, sst2: Path, tmp_path: Path
) -> None:
    pytest.importorskip("bitsandbytes")
    folder = tmp_path / "run"
    asked = ("--model", tiny_bert, "--dataset", sst2, "--methods", "lora", "--output", folder)
    assert autopeft("search", *asked, *SIZES, *FEW).exit_code == 0
    merged = merge(folder, tmp_path / "merged")
    assert merged.greatest_difference < 1e-4 * merged.greatest_logit
    # Compared with the very base in 4 bits, not only with its weights turned back.
    trained, plain = open_finished(folder), AutoModelForSequenceClassification.from_pretrained(tmp_path / "merged")
    batches = checked_batches(trained)
    assert agreement(outputs(trained.load("cpu"), batches), outputs(plain.eval(), batches)).same_choices == 1
    assert "quantization_config" not in json.loads((tmp_path / "merged" / "config.json").read_text())


def test_what_cannot_train_on_it_is_refused_with_the_reason(tiny_bert: Path, sst2: Path, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    asked = ("--model", tiny_bert, "--dataset", sst2, "--methods", "hra", "--output", tmp_path / "run")
    done = autopeft("search", *asked, *SIZES, *FEW)
    assert done.exit_code == 3
    assert "4 or 8 bit" in done.stderr and "lora" in done.stderr


def test_without_bitsandbytes_it_says_what_to_install(
    tiny_bert: Path, sst2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = sys.modules["importlib.util"].find_spec
    monkeypatch.setattr(
        "autopeft.modeling.quantized_base.find_spec", lambda name: None if name == "bitsandbytes" else found(name)
    )
    asked = ("--model", tiny_bert, "--dataset", sst2, "--methods", "lora", "--output", tmp_path / "run")
    done = autopeft("search", *asked, *SIZES, *FEW)
    assert done.exit_code == 5
    assert "autopeft[quantized]" in done.stderr and not (tmp_path / "run" / "plan.json").exists()
