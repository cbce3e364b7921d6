"""What is done with a finished run, on a real small one: predict, evaluate, merge, compare, push, export."""

import csv
import glob
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
import safetensors.torch
import torch
from click.testing import CliRunner, Result
from transformers import AutoModelForSequenceClassification

from autopeft.api.finished import open_finished
from autopeft.api.predict import predictor_of
from autopeft.api.run import SearchResult
from autopeft.artifacts import predictor
from autopeft.cli.main import cli
from autopeft.data.batches import evaluation_batches
from autopeft.domain.progress import Progress
from tests.integration.conftest import small_search
from tests.integration.hub_stand_in import Hub, running_hub
from tests.integration.test_search import encoded_data

ROOT = Path(__file__).parents[2]


SEEN: list[Progress] = []


@pytest.fixture(scope="module")
def run(tiny_bert: Path, sst2: Path, tmp_path_factory: pytest.TempPathFactory) -> SearchResult:
    return small_search(
        model=tiny_bert,
        train=str(sst2),
        output=tmp_path_factory.mktemp("runs") / "lora",
        methods=["lora"],
        observer=SEEN.append,
        trials=1,
        full_steps=24,
        max_length=32,
        top=1,
        confirm_seeds=1,
    )


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], prog_name="autopeft")


def told(*arguments: object) -> dict[str, object]:
    """What a command prints as JSON."""
    result = invoke(*arguments)
    assert result.exit_code == 0, result.stderr
    found: dict[str, object] = json.loads(result.stdout)
    return found


def test_a_function_is_told_of_the_progress(run: SearchResult) -> None:
    assert {"search", "test"} <= {moment.stage for moment in SEEN}
    assert [moment.spent_seconds for moment in SEEN] == sorted(moment.spent_seconds for moment in SEEN)


@pytest.fixture(scope="module")
def reviews(sst2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of very different lengths, one of them without text."""
    rows = [json.loads(line) for line in (sst2 / "validation.jsonl").read_text().splitlines()[:70]]
    rows[3] |= {"sentence": rows[3]["sentence"] * 20}
    rows[5] |= {"sentence": " "}
    path = tmp_path_factory.mktemp("reviews") / "reviews.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def answers(run: SearchResult, reviews: Path) -> list[dict[str, object]]:
    result = invoke("predict", run.path, "--input", reviews)
    assert result.exit_code == 0, result.stderr
    assert "70 rows, 1 of them without text" in result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_every_row_comes_out_in_order_with_its_columns(answers: list[dict[str, object]], reviews: Path) -> None:
    rows = [json.loads(line) for line in reviews.read_text().splitlines()]
    assert [{name: answer[name] for name in row} for answer, row in zip(answers, rows, strict=True)] == rows
    assert answers[5]["prediction"] is None


def test_predictions_are_those_of_the_loaded_model(
    run: SearchResult, answers: list[dict[str, object]], tiny_bert: Path
) -> None:
    from transformers import AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(tiny_bert), run.best.load()
    labels = list(run.result["data"]["labels"])
    for answer in answers[:4]:
        batch = tokenizer(answer["sentence"], truncation=True, max_length=32, return_tensors="pt")
        with torch.no_grad():
            shares = model(**batch).logits.softmax(-1)[0].tolist()
        assert answer["probabilities"] == pytest.approx(dict(zip(labels, shares, strict=True)), abs=2e-6)
        assert answer["prediction"] == labels[shares.index(max(shares))]


def test_rows_are_read_a_window_ahead_and_no_further(run: SearchResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictor, "WINDOW_ROWS", 16)
    read: list[int] = []
    texts = ({"text": f"film number {place}"} for place in range(200) if read.append(place) is None)
    answers = predictor_of(open_finished(run.path)).answers(texts)
    for place, _ in enumerate(answers):
        assert len(read) <= (place // 16 + 1) * 16
    assert len(read) == 200


def test_csv_takes_one_column_a_probability(
    run: SearchResult, answers: list[dict[str, object]], reviews: Path, tmp_path: Path
) -> None:
    result = invoke("predict", run.path, "--input", reviews, "--output", tmp_path / "answers.csv", "--batch-size", 7)
    assert result.exit_code == 0 and result.stdout == ""
    with open(tmp_path / "answers.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["sentence", "label", "prediction", "probability_0", "probability_1"]
    assert [row["prediction"] or None for row in rows] == [answer["prediction"] for answer in answers]
    assert [file.name for file in tmp_path.iterdir()] == ["answers.csv"]


def test_a_file_that_breaks_off_leaves_no_output(run: SearchResult, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"sentence": "fine"}\n{"sentence": \n')
    result = invoke("predict", run.path, "--input", tmp_path / "in.jsonl", "--output", tmp_path / "out.jsonl")
    assert result.exit_code == 4
    assert "in.jsonl line 2" in result.stderr and "--max-bad-rows" not in result.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["in.jsonl"]


@pytest.mark.parametrize(
    ("content", "options", "code", "hint"),
    [
        ('{"opus": "x"}\n', [], 4, "--text-column"),
        ('{"sentence": "x", "prediction": 1}\n', [], 2, "rename"),
        ('{"sentence": ["x"]}\n', [], 4, "--text-column"),
        ('{"sentence": "x"}\n', ["--source-column", "sentence"], 2, "--text-column"),
        ("", [], 4, "at least one row"),
    ],
)
def test_bad_rows_are_one_line_and_a_hint(
    run: SearchResult, tmp_path: Path, content: str, options: list[str], code: int, hint: str
) -> None:
    (tmp_path / "in.jsonl").write_text(content)
    result = invoke("predict", run.path, "--input", tmp_path / "in.jsonl", *options)
    assert result.exit_code == code, result.output
    assert hint in result.stderr and result.stderr.count("\n") == 2


def test_evaluate_meets_the_reported_figure(run: SearchResult) -> None:
    found = told("evaluate", run.path, "--format", "json")
    assert found["difference"] == pytest.approx(0, abs=1e-9)
    assert found["loss"] == pytest.approx(run.result["best"]["test_loss"], abs=1e-6)
    assert found["rows"] == run.result["data"]["rows"]["test"]


def test_evaluate_on_other_rows_agrees_with_predict(
    run: SearchResult, answers: list[dict[str, object]], tmp_path: Path
) -> None:
    rows = [answer for answer in answers if answer["prediction"] is not None]
    (tmp_path / "other.csv").write_text(
        "body,label\n" + "".join(f'"{row["sentence"]}",{row["label"]}\n' for row in rows)
    )
    found = told("evaluate", run.path, "--dataset", tmp_path / "other.csv", "--text-column", "body", "--format", "json")
    right = [str(row["label"]) == row["prediction"] for row in rows]
    assert found["value"] == pytest.approx(sum(right) / len(right))
    assert found["reported"] is None


def test_a_label_that_was_never_seen_is_refused(run: SearchResult, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("sentence,label\nfine,1\nodd,7\n")
    result = invoke("evaluate", run.path, "--dataset", tmp_path / "other.csv")
    assert result.exit_code == 4 and "'7'" in result.stderr


def test_the_merged_model_needs_no_peft_and_answers_alike(run: SearchResult, tmp_path: Path) -> None:
    found = told("merge", run.path, "--output", tmp_path / "merged", "--format", "json")
    assert found["same_choices"] == 1.0
    assert found["greatest_difference"] < 1e-4
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "merged", dtype="float32").eval()
    ids = torch.randint(5, 100, (3, 12), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(plain(ids).logits, run.best.load()(ids).logits, atol=1e-5)
    assert plain.config.id2label == dict(enumerate(run.result["data"]["labels"]))
    assert not (tmp_path / "merged" / "adapter_config.json").exists()


def test_merge_writes_into_no_folder_that_holds_something(run: SearchResult, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    result = invoke("merge", run.path, "--output", tmp_path)
    assert result.exit_code == 4 and [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_merge_writes_into_the_empty_folder_that_one_stands_in(
    run: SearchResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, here = run.path.absolute(), tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    found = told("merge", path, "--output", ".", "--format", "json")
    assert found["output"] == str(here)
    assert (here / "model.safetensors").is_file() and [one.name for one in tmp_path.iterdir()] == ["here"]


def test_a_run_compared_with_its_copy_is_a_paired_tie(run: SearchResult, tmp_path: Path) -> None:
    copy = shutil.copytree(run.path, tmp_path / "copy")
    found = told("compare", run.path, copy, "--format", "json")
    (difference,) = found["differences"]
    assert difference["paired"] is True and difference["tie"] is True and difference["difference"] == 0
    table = invoke("compare", run.path, copy)
    assert "paired over the same test rows" in " ".join(table.stdout.split())


def test_runs_on_other_rows_are_not_paired(run: SearchResult, tmp_path: Path) -> None:
    copy = shutil.copytree(run.path, tmp_path / "copy")
    result = json.loads((copy / "result.json").read_text())
    result["data"]["fingerprint"] = "another"
    (copy / "result.json").write_text(json.dumps(result))
    (difference,) = told("compare", run.path, copy, "--format", "json")["differences"]
    assert difference["paired"] is False and difference["half_width"] > 0
    assert "different rows" in difference["note"]


def test_push_uploads_nothing_without_yes(
    run: SearchResult, tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autopeft.api.push.upload", lambda *_, **__: pytest.fail("uploaded"))
    options = ("push", run.path, "--repo", "me/mine", "--base-model", "me/base", "--format", "json")
    result = invoke(*options)
    assert result.exit_code == 2 and "hint: say --yes" in result.stderr
    assert {file["name"] for file in json.loads(result.stdout)["files"]} == {
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
    }


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub on this machine, to which the right token is known."""
    with running_hub("hf_right") as hub:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.address)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)  # the test-suite is offline
        monkeypatch.setenv("HF_TOKEN", hub.token)
        yield hub


def test_what_is_pushed_arrives_and_speaks_of_no_local_folder(run: SearchResult, hub: Hub) -> None:
    options = ("--repo", "me/mine", "--base-model", "me/base", "--private", "--yes", "--format", "json")
    found = told("push", run.path, *options)
    assert found["address"] == f"{hub.address}/me/mine/commit/abc"
    assert hub.repositories == {"me/mine": True}  # private
    assert hub.files["adapter_model.safetensors"] == (run.best.path / "adapter_model.safetensors").read_bytes()
    card, config = hub.files["README.md"].decode(), json.loads(hub.files["adapter_config.json"])
    assert config["base_model_name_or_path"] == "me/base"
    assert "from_pretrained(base, 'me/mine')" in card and 'base_model: "me/base"' in card
    for text in (card, json.dumps(config)):
        assert str(run.path) not in text and "/models/" not in text


def test_a_hub_that_refuses_is_one_line_without_the_token(
    run: SearchResult, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong_and_secret")
    result = invoke("push", run.path, "--repo", "me/mine", "--base-model", "me/base", "--yes")
    assert result.exit_code == 6 and "the hub answers 401" in result.stderr and "hf auth login" in result.stderr
    assert "secret" not in result.output + result.stderr
    assert hub.refused and not hub.files


def test_a_base_in_a_local_folder_cannot_be_pushed_as_it_is(run: SearchResult) -> None:
    result = invoke("push", run.path, "--repo", "me/mine", "--yes")
    assert result.exit_code == 2 and "--base-model" in result.stderr


def test_a_run_opens_fast_and_without_torch(run: SearchResult) -> None:
    program = (
        "import sys, autopeft\n"
        f"result = autopeft.SearchResult({str(run.path)!r})\n"
        "assert result.best.hyperparameters and len(result.to_dict()['trials']) == 1\n"
        "print([name for name in ('torch', 'transformers', 'peft', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def own_run(tiny_bert: Path, sst2: Path, tmp_path_factory: pytest.TempPathFactory) -> SearchResult:
    """A run that one of autopeft's own methods wins: without the control, there is no other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("autopeft.api.planning.CONTROL", "")
        return small_search(
            model=tiny_bert,
            train=str(sst2),
            output=tmp_path_factory.mktemp("runs") / "houlsby",
            methods=["houlsby"],
            trials=1,
            full_steps=16,
            max_length=32,
            top=1,
            confirm_seeds=1,
        )


OTHERS = ("optuna", "sklearn", "datasets", "pydantic", "click", "autopeft.modeling")


def loss_elsewhere(run: SearchResult, folder: Path, absent: Sequence[str]) -> float:
    """The test loss by the lines that the report prints, in a process in which some packages cannot be imported."""
    best = run.result["best"]
    data, batch_size = encoded_data(run), best["evaluation"]["batch_size"]
    batches = [data.batch("test", rows) for rows in evaluation_batches(data.splits["test"].lengths, batch_size)]
    safetensors.torch.save_file(
        {f"{place}.{name}": tensor for place, batch in enumerate(batches) for name, tensor in batch.items()},
        folder / "batches.safetensors",
    )
    program = "\n".join(
        [
            "import sys",
            f"sys.modules.update(dict.fromkeys({list(absent)!r}))",
            *best["load"],
            "import safetensors.torch, torch",
            f"tensors = safetensors.torch.load_file({str(folder / 'batches.safetensors')!r})",
            "losses, rows = 0.0, 0",
            f"for place in range({len(batches)}):",
            "    found = {name.split('.')[1]: t for name, t in tensors.items() if name.split('.')[0] == str(place)}",
            "    labels = found.pop('labels')",
            "    with torch.no_grad():",
            "        logits = model(**found).logits",
            "    losses += float(torch.nn.functional.cross_entropy(logits, labels, reduction='sum'))",
            "    rows += len(labels)",
            "print(losses / rows)",
        ]
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return float(done.stdout.split()[-1])


def test_a_method_of_pefts_loads_without_autopeft(run: SearchResult, tmp_path: Path) -> None:
    best = run.result["best"]
    assert best["method"] == "lora"
    found = loss_elsewhere(run, tmp_path, absent=("autopeft", *OTHERS))
    assert found == pytest.approx(best["test_loss"], abs=1e-6)


def test_an_own_method_loads_with_transformers_peft_and_one_import(own_run: SearchResult, tmp_path: Path) -> None:
    best = own_run.result["best"]
    assert best["method"] == "houlsby"
    assert loss_elsewhere(own_run, tmp_path, absent=OTHERS) == pytest.approx(best["test_loss"], abs=1e-6)


def test_a_method_without_an_equal_weight_is_not_merged(own_run: SearchResult, tmp_path: Path) -> None:
    result = invoke("merge", own_run.path, "--output", tmp_path / "merged")
    assert result.exit_code == 2
    assert "a non-linearity stands between" in result.stderr and "hint:" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(find_spec("onnxscript") is None, reason="the extra `onnx` is not installed")
def test_the_onnx_file_answers_as_the_adapter(run: SearchResult, tmp_path: Path) -> None:
    found = told("export", run.path, "--output", tmp_path / "onnx", "--print", "json")
    assert found["greatest_difference"] < 1e-4
    assert found["labels"] == list(run.result["data"]["labels"])
    assert (tmp_path / "onnx" / "model.onnx").stat().st_size == found["bytes"]


def test_without_the_extra_export_says_so(run: SearchResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    result = invoke("export", run.path, "--output", tmp_path / "onnx")
    assert result.exit_code == 5 and "autopeft[onnx]" in result.stderr


def examples(command: str) -> list[list[str]]:
    """The command lines below `Examples:` in a command's help."""
    lines = invoke(command, "--help").stdout.partition("Examples:")[2].splitlines()
    return [shlex.split(line)[1:] for line in lines if line.strip()]


@pytest.fixture
def beside_two_runs(
    run: SearchResult, reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Sequence[str]], Result]:
    """Runs a command line in a folder that holds what the examples name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("autopeft.api.push.upload", lambda *_, **__: "https://example.org/commit")
    monkeypatch.setattr("autopeft.api.dashboard.serve_dashboard", lambda storage, port, ready: ready(storage))
    Path("runs").mkdir()
    for name in ("20260102-030405", "20260103-101112"):
        Path("runs", name).symlink_to(run.path)
    rows = [json.loads(line) for line in reviews.read_text().splitlines()[:5]]
    for name in ("new.csv", "other.csv"):
        Path(name).write_text("sentence,label\n" + "".join(f'"{row["sentence"]}",{row["label"]}\n' for row in rows))
    Path("new.jsonl").write_text("".join(json.dumps({"body": row["sentence"]}) + "\n" for row in rows))

    def call(words: Sequence[str]) -> Result:
        shutil.rmtree("merged", ignore_errors=True)
        spread = [sorted(glob.glob(word)) if "*" in word else [word] for word in words]
        return invoke(*(word for part in spread for word in part))

    return call


@pytest.mark.parametrize(
    "command",
    [
        "predict",
        pytest.param("evaluate", marks=pytest.mark.slow),
        pytest.param("merge", marks=pytest.mark.slow),
        "compare",
        "push",
        "dashboard",
        "doctor",
    ],
)
def test_the_examples_of_the_help_run(command: str, beside_two_runs: Callable[[Sequence[str]], Result]) -> None:
    lines = examples(command)
    assert len(lines) >= 2
    for line in lines:
        result = beside_two_runs(line)
        # Without --yes, nothing is uploaded, and the exit code says so.
        shown_only = command == "push" and "--yes" not in line
        assert result.exit_code == (2 if shown_only else 0), (line, result.output)


@pytest.mark.parametrize("command", ["predict", "evaluate", "merge", "push", "export", "dashboard"])
def test_a_folder_that_is_no_run_is_named(command: str, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text\nx\n")
    options = {
        "predict": ["--input", tmp_path / "in.csv"],
        "merge": ["--output", tmp_path / "m"],
        "export": ["--output", tmp_path / "m"],
        "push": ["--repo", "me/mine"],
    }
    result = invoke(command, tmp_path / "nothing", *options.get(command, []))
    assert result.exit_code == 4, result.output
    assert "there is no run in" in result.stderr and "hint:" in result.stderr
