"""What the commands print and how they exit, over a stand-in estimator."""

import json

import pytest

from autopeft.cli.main import COMMANDS
from tests.unit.cli.conftest import Run

LLAMA = "meta-llama/Llama-3.2-3B"


def test_recommend_ranks_and_explains(run: Run) -> None:
    result = run("recommend", "--model", LLAMA, "--gpu-mem", "24GB")
    assert result.exit_code == 0, result.stderr
    assert "LoRA (attention)" in result.stdout
    assert "[P01: arXiv:2303.15647v2, abstract]" in " ".join(result.stdout.split())
    assert "unknown: P-tuning cannot be traced here" in result.stdout
    assert "Full fine-tuning: needs" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "explain" in result.stderr and "explain" not in result.stdout


def test_recommend_json_holds_every_method_once(run: Run) -> None:
    result = run("recommend", "--model", LLAMA, "--gpu-mem", "24GB", "--format", "json")
    answer = json.loads(result.stdout)
    listed = [entry["method"] for entry in answer["candidates"] + answer["excluded"]]
    methods = json.loads(run("methods", "--format", "json").stdout)["methods"]
    assert sorted(listed) == sorted(method["id"] for method in methods if not method["by_name_only"])
    first = answer["candidates"][0]
    assert first["rank"] == 1 and first["fits"] is True
    assert {"rule", "text", "source"} <= set(first["reasons"][0])
    assert first["score"] == pytest.approx(sum(reason["score"] for reason in first["reasons"]), abs=1e-3)
    assert answer["budget_bytes"] == 24 * 10**9


def test_recommend_where_nothing_fits_is_an_answer_with_exit_3(run: Run) -> None:
    result = run("recommend", "--model", LLAMA, "--gpu-mem", "2GB", "--format", "json")
    assert result.exit_code == 3
    answer = json.loads(result.stdout)
    assert answer["candidates"] == [] and answer["excluded"]
    assert result.stderr.startswith("error: no method fits 1.86 GiB")
    assert "needs" in result.stderr and "hint: try" in result.stderr


def test_recommend_chooses_among_the_named_methods(run: Run) -> None:
    result = run("recommend", "--model", LLAMA, "--methods", "lora, IA3", "--exclude", "lora", "--format", "json")
    answer = json.loads(result.stdout)
    assert [one["method"] for one in answer["candidates"] + answer["excluded"]] == ["ia3"]


def test_much_data_lifts_full_fine_tuning(run: Run) -> None:
    def rank(rows: str) -> int:
        plain = run("recommend", "--model", LLAMA, "--rows", rows, "--format", "json").stdout
        return next(one["rank"] for one in json.loads(plain)["candidates"] if one["method"] == "full")

    assert rank("50000") < rank("5000")


def test_recommend_without_a_model_lists_what_fits(run: Run) -> None:
    found = json.loads(run("recommend", "--gpu-mem", "24GB", "--format", "json").stdout)["models"]
    assert all(one["needed_bytes"] <= 24 * 10**9 for one in found if one["fits"])
    assert any(one["model"] == LLAMA and one["method"] == "lora" for one in found)
    assert run("recommend", "--gpu-mem", "24GB").exit_code == 0
    assert run("recommend", "--gpu-mem", "1MB").exit_code == 3


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("recommend",), 2, "--gpu-mem"),
        (("recommend", "--model", LLAMA, "--gpu-mem", "plenty"), 2, "24GB"),
        (("recommend", "--model", LLAMA, "--methods", "lorra"), 2, "did you mean lora"),
        (("recommend", "--model", LLAMA, "--task", "multiple-choice"), 2, "causal-lm"),
        (("recommend", "--model", "./nowhere/at/all"), 4, "hint:"),
        (("recommend", "--model", "bert-base-uncased", "--max-length", "4096"), 2, "512"),
        (("estimate", "--model", LLAMA, "--set", "r"), 2, "NAME=VALUE"),
        (("estimate", "--model", LLAMA, "--set", "rank=8"), 2, "no knob"),
        (("estimate", "--model", LLAMA, "--set", "r=100000"), 2, "from 1 to"),
        (("estimate", "--model", LLAMA, "--batch-size", "0"), 2, "0"),
        (("estimate", "--model", LLAMA, "--method", "full", "--quantization", "nf4"), 2, "quantised base"),
        (("estimate", "--model", LLAMA, "--method", "pissa", "--quantization", "nf4"), 2, "quantised base"),
        (("estimate", "--model", LLAMA, "--optimizer", "lion"), 2, "lion"),
        (("estimate", "--model", LLAMA, "--upcast-unquantized", "all"), 2, "not quantised"),
        (("estimate", "--model", LLAMA, "--attention", "flash", "--dtype", "float32"), 2, "float32"),
        (("estimate", "--model", LLAMA, "--gpus", "2", "--sharding", "fsdp", "--quantization", "int8"), 2, "FSDP"),
        (("methods", "lorra"), 2, "did you mean lora"),
        (("explain", "P99"), 2, "hint:"),
    ],
)
def test_bad_input_is_one_line_and_a_hint(run: Run, arguments: tuple[str, ...], code: int, told: str) -> None:
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert told in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_estimate_prints_the_public_fields(run: Run) -> None:
    result = run("estimate", "--model", LLAMA, "--method", "lora", "--set", "r=32", "--format", "json")
    estimate = json.loads(result.stdout)
    assert estimate["hyperparameters"]["r"] == 32
    assert estimate["seconds_per_step"] is None
    components = dict(estimate["components_bytes"])
    overhead = components.pop("allocator_overhead")
    assert sum(components.values()) == estimate["peak_bytes"]
    assert estimate["peak_bytes"] + overhead == estimate["reserved_bytes"]


def test_estimate_keeps_assumptions_off_stdout(run: Run) -> None:
    result = run("estimate", "--model", LLAMA, "--format", "markdown")
    assert "| reserved |" in result.stdout
    assert "assumed: a stand-in" in result.stderr and "assumed" not in result.stdout


def test_explain_shows_condition_effect_and_source(run: Run) -> None:
    text = run("explain", "p07").stdout
    assert "model_parameters < 10e9" in text
    assert "the base model's size is below 10 B parameters" in text
    assert "penalise prompt-tuning by 2 points" in text
    assert "does not fire: model_parameters 1.3e+10" in text
    assert "arXiv:2303.15647v1" in text
    prior = run("explain", "R02").stdout
    assert "recalled, not checked" in prior and "confidence, 0.7" in prior
    assert "by 0.35 points" in prior, "a prior counts by its confidence"
    assert run("explain", "memory").exit_code == 0


def test_explain_tells_what_became_of_a_finding(run: Run) -> None:
    assert "left out: no method of the catalogue" in " ".join(run("explain", "P32").stdout.split())
    assert "carried out by P04" in run("explain", "p05").stdout
    assert "held as measurements" in run("explain", "C03").stdout
    assert json.loads(run("explain", "E15", "--format", "json").stdout)["left_out"]


def test_every_rule_and_method_can_be_shown(run: Run) -> None:
    for kind, command in (("rules", "explain"), ("methods", "methods")):
        for entry in json.loads(run(command, "--format", "json").stdout)[kind]:
            for output in ("table", "json", "markdown"):
                result = run(command, entry["id"], "--format", output)
                assert result.exit_code == 0 and result.stdout.strip(), result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_at_least_two_examples(run: Run, name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    assert result.stdout.partition("Examples:")[2].count(f"autopeft {name}") >= 2


def test_tables_carry_no_escape_codes_when_piped(run: Run) -> None:
    assert "\x1b" not in run("recommend", "--model", LLAMA).stdout
    assert "\x1b" not in run("methods", "lora").stdout


def test_where_nothing_fits_the_leanest_way_is_named(run: Run) -> None:
    """The stand-in needs 9.2 GiB whatever the batch, so every way is tried and none fits."""
    answer = json.loads(run("recommend", "--model", LLAMA, "--gpu-mem", "2GB", "--format", "json").stdout)
    assert answer["facts"]["batch_size"] == 8
    (reason,) = next(one["reasons"] for one in answer["excluded"] if one["method"] == "lora")
    assert "more than the budget" in reason["text"] and "at batch " in reason["text"]


def test_every_candidate_says_how_its_step_is_run(run: Run) -> None:
    answer = json.loads(run("recommend", "--model", LLAMA, "--gpu-mem", "24GB", "--format", "json").stdout)
    assert answer["candidates"]
    for one in answer["candidates"]:
        assert one["batch_size"] * one["accumulation"] == answer["facts"]["batch_size"]
        assert one["gradient_checkpointing"] is False
