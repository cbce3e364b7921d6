"""What a user gets wrong is told in one line with a hint and the right exit code, before anything is trained."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from autopeft.cli.main import cli
from autopeft.search.run_directory import RunDirectory

GOOD = "text,label\n" + "".join(f"sentence number {row},{'good' if row % 2 else 'bad'}\n" for row in range(60))
FILES = {
    "good.csv": GOOD,
    "one-class.csv": "text,label\n" + "".join(f"sentence number {row},good\n" for row in range(60)),
    "empty.csv": "",
    "header.csv": "text,label\n",
    "broken.jsonl": '{"text": "a sentence", "label": 1}\n{"text": "another", \n',
    "split/train.csv": GOOD,
    "split/test.csv": "text,label\na sentence,good\nanother sentence,mixed\n",
    "a-file": "in the way",
    "no-run/notes.txt": "mine",
    "broken-plan/plan.json": "{",
    "foreign-plan/plan.json": '{"steps": ["think", "act"]}',
    "partial-plan/plan.json": '{"request": {"model": "bert"}}',
}
TOKENIZER = ("tokenizer.json", "tokenizer_config.json")
MODELS = {  # folder -> files taken over from the good model
    "no-weights": ("config.json", *TOKENIZER),
    "pickle-only": ("config.json", *TOKENIZER),
    "no-config": ("model.safetensors", *TOKENIZER),
    "unknown-type": ("model.safetensors", *TOKENIZER),
    "cut-config": ("model.safetensors", *TOKENIZER),
    "cut-weights": ("config.json", *TOKENIZER),
    "no-tokenizer": ("config.json", "model.safetensors"),
}
# What the good model's folder does not hold, or holds whole.
SPOILED: dict[str, bytes] = {
    "pickle-only/pytorch_model.bin": b"\x80\x04.",
    "unknown-type/config.json": b'{"model_type": "mamba"}',
    "cut-config/config.json": b'{"model_type": "be',
    "cut-weights/model.safetensors": b"\x40\x00\x00\x00\x00\x00\x00\x00{",
}


@pytest.fixture(autouse=True, scope="module")
def _workplace(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder with every kind of bad input, as the working directory; `good-model` is the only good model."""
    folder = tmp_path_factory.mktemp("bad-input")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "good-model").symlink_to(tiny_bert)
    for name, kept in MODELS.items():
        (folder / name).mkdir()
        for file in kept:
            shutil.copy(tiny_bert / file, folder / name)
    for name, content in SPOILED.items():
        (folder / name).write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield


def autopeft(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), prog_name="autopeft")


def search(*more: str, model: str = "good-model", dataset: str = "good.csv", output: str = "run") -> Result:
    return autopeft("search", "--quiet", "--model", model, "--dataset", dataset, "--output", output, *more)


def listing() -> set[str]:
    return {str(path) for path in Path().rglob("*")}


def check(result: Result, code: int, error: str, hint: str) -> None:
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 2, result.stderr
    assert lines[0].startswith("error: ") and error in lines[0]
    assert lines[1].startswith("hint: ") and hint in lines[1]


def refused(run: Callable[[], Result], code: int, error: str, hint: str) -> None:
    """Told as it should be, and nothing is left behind: no run directory, so no trial either."""
    before = listing()
    check(run(), code, error, hint)
    assert listing() == before


@pytest.mark.parametrize(
    ("dataset", "more", "error", "hint"),
    [
        ("good.csv", ["--text-column", "body"], "no column 'body'; the data has 'text', 'label'", "--text-column"),
        ("good.csv", ["--text-column", "label", "--label-column", "label"], "cannot be both", "--label-column"),
        ("empty.csv", [], "empty.csv is empty", "at least one row"),
        ("header.csv", [], "header.csv has no rows", "at least one row"),
        ("nowhere.csv", [], "no file or folder nowhere.csv", "check the path"),
        ("broken.jsonl", [], "broken.jsonl line 2: broken JSON", "one JSON object"),
        ("split", [], "test.csv line 3: the label 'mixed'", "known labels: bad, good"),
        ("one-class.csv", [], "the same label 'good'", "two classes"),
        ("no-run/notes.txt", [], "no column", "--label-column"),
        ("a-file", [], "a-file: the format is unknown", ".csv"),
        ("good-model", [], "the files in good-model name no split", "name"),
    ],
)
def test_data_that_cannot_be_used(dataset: str, more: list[str], error: str, hint: str) -> None:
    refused(lambda: search(*more, dataset=dataset), 4, error, hint)


@pytest.mark.parametrize(
    ("model", "error", "hint"),
    [
        ("no-weights", "no-weights has no model.safetensors", "autopeft recommend --model no-weights"),
        ("pickle-only", "only as a pickle (pytorch_model.bin)", "safetensors"),
        ("no-config", "no-config has no config.json", "config.json"),
        ("unknown-type", "models of type 'mamba'", "bert"),
        ("cut-config", "cut-config/config.json cannot be read", "JSON"),
        ("cut-weights", "the weights in cut-weights cannot be loaded", "model.safetensors"),
        ("no-tokenizer", "no-tokenizer has no tokenizer", "tokenizer.json"),
        ("./nowhere", "no model at ./nowhere", "folder"),
        ("nobody/no-such-model", "nobody/no-such-model is no local path", "local model folder"),
    ],
)
def test_a_model_that_cannot_be_used(model: str, error: str, hint: str) -> None:
    refused(lambda: search(model=model), 4, error, hint)


@pytest.mark.parametrize(
    ("more", "error", "hint"),
    [
        (["--gpu-mem", "banana"], "'banana' is not a size", "24GB"),
        (["--gpu-mem", "0GB"], "'0GB' is not above zero", "24GB"),
        (["--gpu-mem", "-3GB"], "'-3GB' is not a size", "24GB"),
        (["--budget", "0"], "'0' is not above zero", "10m"),
        (["--budget", "-5m"], "'-5m' is not a duration", "2h30m"),
        (["--budget", "soon"], "'soon' is not a duration", "2h30m"),
        (["--budget", "1s"], "a budget of 1.0 s", "give at least"),
        (["--trials", "0"], "'--trials': 0 is not in the range", "autopeft search --help"),
        (["--trials", "many"], "'--trials': 'many'", "autopeft search --help"),
        (["--batch-size", "0"], "'--batch-size': 0", "autopeft search --help"),
        (["--methods", "lorra"], "no method 'lorra'", "did you mean lora"),
        (["--methods", ","], "',' names no method", "lora,ia3"),
        (["--task", "sequence-clasification"], "no task", "did you mean sequence-classification"),
        (["--task", "causal-lm"], "causal-lm does not run on good-model, which is an encoder", "sequence-classif"),
        (["--source-column", "text"], "--source-column has no meaning", "--text-column"),
        (["--max-length", "100000"], "not 100000", "--max-length 256"),
        (["--buget", "3m"], "no such option '--buget'", "did you mean --budget?"),
        (["--format", "xml"], "'xml' is not one of", "autopeft search --help"),
    ],
)
def test_an_option_that_makes_no_sense(more: list[str], error: str, hint: str) -> None:
    refused(lambda: search(*more), 2, error, hint)


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (["serch", "--demo"], "no command 'serch'", "did you mean search?"),
        (["xyz"], "no command 'xyz'", "`autopeft --help`"),
        (["search"], "needs --model and --dataset", "--demo"),
        (["search", "--model", "good-model"], "needs --dataset", "--demo"),
        (["search", "--dataset", "good.csv"], "needs --model", "--demo"),
        (["search", "--demo", "--model", "good-model"], "brings its own", "leave --demo out"),
        (["resume"], "missing argument 'RUN'", "autopeft resume --help"),
        (["resume", "a", "b"], "unexpected extra argument", "autopeft resume --help"),
    ],
)
def test_a_command_line_that_makes_no_sense(arguments: list[str], error: str, hint: str) -> None:
    refused(lambda: autopeft(*arguments), 2, error, hint)


def test_where_nothing_fits_the_nearest_is_named() -> None:
    refused(lambda: search("--gpu-mem", "700MB"), 3, "no method fits 668 MiB", "name more")
    refused(lambda: search("--gpu-mem", "785MB"), 3, "the nearest, ", "--max-length below 8")


def test_search_does_not_offer_an_option_that_it_lacks() -> None:
    result = search("--gpu-mem", "785MB")
    offered = {word.strip(",") for word in result.stderr.splitlines()[-1].split() if word.startswith("--")}
    assert offered
    assert offered <= set(autopeft("search", "--help").stdout.split())


def test_an_output_with_a_file_in_its_way() -> None:
    refused(lambda: search(output="a-file"), 6, "cannot write the run directory a-file", "--output")
    refused(lambda: search(output="a-file/run"), 6, "cannot write the run directory a-file/run", "--output")


def test_an_output_that_holds_a_run() -> None:
    refused(lambda: search(output="broken-plan"), 4, "broken-plan already holds a run", "autopeft resume broken-plan")


def test_a_folder_that_was_there_keeps_what_was_in_it() -> None:
    refused(lambda: search(dataset="empty.csv", output="no-run"), 4, "empty.csv is empty", "row")
    assert Path("no-run/notes.txt").read_text() == "mine"


def test_folders_on_the_way_to_the_output_go_too() -> None:
    refused(lambda: search(dataset="empty.csv", output="new/runs/first"), 4, "empty.csv is empty", "row")


def test_two_searches_on_one_run_directory() -> None:
    with RunDirectory.create(Path("shared-run")).locked():
        refused(lambda: search(output="shared-run"), 6, "another search is working on shared-run", "autopeft status")
    shutil.rmtree("shared-run")


@pytest.mark.parametrize("command", ["resume", "status", "report"])
@pytest.mark.parametrize("run", ["nowhere", "no-run", "a-file"])
def test_a_folder_that_is_no_run(command: str, run: str) -> None:
    refused(lambda: autopeft(command, run), 4, f"there is no run in {run}", "runs/")


@pytest.mark.parametrize("command", ["resume", "status", "report"])
@pytest.mark.parametrize(
    ("run", "error"),
    [
        ("broken-plan", "broken-plan/plan.json is no valid JSON"),
        ("foreign-plan", "foreign-plan/plan.json is damaged: no 'request'"),
        ("partial-plan", "partial-plan/plan.json is damaged"),
    ],
)
def test_a_run_with_a_broken_plan(command: str, run: str, error: str) -> None:
    refused(lambda: autopeft(command, run), 4, error, "start a new run")


def test_the_installed_command_says_it_the_same_way() -> None:
    """As a process of its own: what libraries print on their own would show here."""
    command = [sys.executable, "-m", "autopeft.cli.main", "search", "--model", "no-tokenizer", "--dataset", "good.csv"]
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(root), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 4
    assert done.stdout == ""
    assert [line.partition(" ")[0] for line in done.stderr.splitlines()] == ["error:", "hint:"]
    assert not Path("runs").exists()
