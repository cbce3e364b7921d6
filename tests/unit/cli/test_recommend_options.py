"""The options of `recommend`: what counts, what is required, and how the answer comes out."""

import json
import math
from pathlib import Path

import pytest

from autopeft.catalog.load import load_catalog
from autopeft.catalog.plan_file import read_plan
from autopeft.domain.recommendation import Exclusion, Recommendation
from autopeft.domain.rules import Reason
from autopeft.reporting.recommendation import render_recommendation
from tests.unit.cli.conftest import Run

LLAMA = "meta-llama/Llama-3.2-3B"
ASK = ("recommend", "--model", LLAMA, "--gpu-mem", "24GB")


def test_every_score_is_the_sum_of_its_terms(run: Run) -> None:
    plain = json.loads(run(*ASK, "--objective", "quality=2,memory=1", "--format", "json").stdout)
    assert len(plain["candidates"]) > 20
    for one in plain["candidates"]:
        assert one["score"] == pytest.approx(math.fsum(reason["score"] for reason in one["reasons"]), abs=1e-4)
        assert one["basis"] in ("near", "variant", "unknown")


def test_explain_prints_the_terms_and_where_they_come_from(run: Run) -> None:
    text = run(*ASK, "--explain", "--methods", "lora,ia3").stdout
    assert "Scores taken apart" in text
    assert "peft-metamath" in text and "P01" in text and "uncertainty" in text


def test_a_table_of_measurements_can_be_looked_up(run: Run) -> None:
    for name in load_catalog().evidence:
        told = run("explain", name)
        assert told.exit_code == 0
        assert "Sources" in told.stdout
    assert json.loads(run("explain", "survey-t5-pilot", "--format", "json").stdout)["campaign"] == "survey-t5"


def test_what_nobody_measured_is_marked_in_the_table(run: Run) -> None:
    result = run(*ASK, "--methods", "lora,waveft")
    ranked = [line for line in result.stdout.split("Start with")[0].splitlines() if " GiB " in line]
    assert ["?" in line for line in ranked] == [False, True], "LoRA was measured, WaveFT never near"
    assert "nobody measured" in result.stderr


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (("--objective", "qualty"), 2, "did you mean quality"),
        (("--require", "mergable"), 2, "did you mean mergeable"),
        (("--require", "mergeable", "--methods", "prompt-tuning"), 2, "contradict each other"),
        (("--require", "max-adapter-mb=0.001"), 3, "adapter"),
        (("--budget", "2h"), 2, "--gpu"),
        (("--learning-rate", "7"), 2, "hint:"),
    ],
)
def test_what_cannot_be_asked_is_said_in_a_line_and_a_hint(
    run: Run, options: tuple[str, ...], code: int, told: str
) -> None:
    result = run(*ASK, *options)
    assert result.exit_code == code
    assert told in result.stderr
    assert "Traceback" not in result.output


def test_a_requirement_leaves_out_what_does_not_meet_it(run: Run) -> None:
    plain = json.loads(run(*ASK, "--require", "mergeable", "--format", "json").stdout)
    methods = load_catalog().methods
    assert all(methods[one["method"]].can("mergeable") for one in plain["candidates"])
    assert "requirement" in {one["reasons"][0]["rule"] for one in plain["excluded"]}


def test_one_learning_rate_for_all_is_the_start_of_all(run: Run) -> None:
    plain = json.loads(run(*ASK, "--learning-rate", "2e-4", "--format", "json").stdout)
    assert {one["start"]["learning_rate"] for one in plain["candidates"]} == {2e-4}
    ia3 = next(one for one in plain["candidates"] if one["method"] == "ia3")
    assert any(reason["rule"] == "learning-rate" and reason["score"] < 0 for reason in ia3["reasons"])


def test_a_budget_of_time_becomes_trials(run: Run) -> None:
    on_device = ("--gpu", "L40S", "--rows", "20000", "--format", "json")
    few, many = (
        json.loads(run("recommend", "--model", LLAMA, *on_device, "--budget", budget).stdout)["facts"]["trials"]
        for budget in ("2h", "2000h")
    )
    assert 1 <= few < many


def test_much_data_that_fits_brings_up_full_fine_tuning(run: Run) -> None:
    plain = json.loads(
        run("recommend", "--model", LLAMA, "--gpu-mem", "80GB", "--rows", "50000", "--format", "json").stdout
    )
    assert any("Full fine-tuning fits" in reason["text"] for reason in plain["advice"])


def test_a_plan_holds_the_first_candidates_as_they_start(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "plans" / "plan.yaml"
    result = run(*ASK, "--save", str(file), "--format", "json")
    assert result.exit_code == 0
    candidates = json.loads(result.stdout)["candidates"]
    plan = read_plan(file)
    assert [one.method for one in plan.candidates] == [one["method"] for one in candidates[: len(plan.candidates)]]
    assert plan.candidates[0].start == candidates[0]["start"]
    assert plan.candidates[0].micro_batch_size * plan.candidates[0].accumulation == plan.batch_size


def test_html_is_one_page_that_holds_every_candidate_and_fetches_nothing(run: Run) -> None:
    page = run(*ASK, "--format", "html").stdout
    assert page.count("<details") == len(json.loads(run(*ASK, "--format", "json").stdout)["candidates"])
    assert "<script" not in page and "src=" not in page and "http-equiv" in page


def test_html_escapes_what_comes_from_outside() -> None:
    hostile = "<img src=x onerror=alert(1)>"
    facts = {"context_bytes": 0, "model_parameters": 1, "batch_size": 1, "max_length": 1}
    excluded = Exclusion("x", hostile, (Reason("catalog", hostile, hostile),))
    page = render_recommendation(Recommendation(hostile, hostile, None, (), (excluded,), facts))
    assert "<img" not in page
    assert page.count("&lt;img") >= 5


def test_without_a_model_html_is_refused_and_the_base_precision_is_told(run: Run) -> None:
    assert run("recommend", "--gpu-mem", "24GB", "--format", "html").exit_code == 2
    assert run("recommend", "--gpu-mem", "24GB", "--save", "plan.yaml").exit_code == 2
    models = json.loads(run("recommend", "--gpu-mem", "24GB", "--format", "json").stdout)["models"]
    assert {one["shape"]["quantization"] for one in models if one["fits"]} <= {None, "nf4"}
