"""A run goes on and is used only with the base model that it began with and the adapter that it wrote."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from autopeft.api.search import resume
from autopeft.cli.main import cli
from autopeft.errors import ModelError, RunInterrupted
from autopeft.execution.loading import WorkerSetup, worker_from
from autopeft.modeling.checksums import checksums
from autopeft.search.stop import Stop
from tests.integration.conftest import small_search

Command = Callable[[Path, Path], list[str]]
COMMANDS: dict[str, Command] = {
    "predict": lambda run, folder: ["predict", str(run), "--input", str(folder / "rows.csv")],
    "evaluate": lambda run, folder: ["evaluate", str(run)],
    "merge": lambda run, folder: ["merge", str(run), "--output", str(folder / "merged")],
    "export": lambda run, folder: ["export", str(run), "--output", str(folder / "onnx")],
    "push": lambda run, folder: ["push", str(run), "--repo", "me/mine", "--base-model", "me/base"],
}


@pytest.fixture(scope="module")
def base(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base model that may be changed; every test leaves it as it was."""
    folder = tmp_path_factory.mktemp("base") / "model"
    shutil.copytree(tiny_bert, folder, copy_function=shutil.copyfile)
    folder.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def stopped(base: Path, sst2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has planned, and was stopped before its first trial."""
    run = tmp_path_factory.mktemp("runs") / "run"
    sizes = {"full_steps": 8, "max_train_rows": 200, "max_evaluation_rows": 60, "max_length": 24}
    with pytest.raises(RunInterrupted):
        small_search(
            **sizes,
            model=base,
            train=str(sst2),
            output=run,
            methods=["lora"],
            trials=1,
            top=1,
            confirm_seeds=1,
            stop=Stop(requested=True),
        )
    return run


@pytest.fixture(scope="module")
def finished(stopped: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of it, gone on with to its end."""
    run = tmp_path_factory.mktemp("runs") / "finished"
    shutil.copytree(stopped, run)
    return resume(run).path


@contextmanager
def changed(path: Path, place: int = -100) -> Iterator[None]:
    """The file with one bit turned."""
    content = path.read_bytes()
    spoiled = bytearray(content)
    spoiled[place] ^= 1
    path.write_bytes(spoiled)
    try:
        yield
    finally:
        path.write_bytes(content)


@contextmanager
def lengthened(path: Path) -> Iterator[None]:
    """The JSON file with one more line end, which says the same."""
    content = path.read_bytes()
    path.write_bytes(content + b"\n")
    try:
        yield
    finally:
        path.write_bytes(content)


@contextmanager
def moved(folder: Path, to: Path) -> Iterator[Path]:
    """The folder under another name."""
    folder.rename(to)
    try:
        yield to
    finally:
        to.rename(folder)


def autopeft(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), prog_name="autopeft")


def check_refused(result: Result, error: str, hint: str) -> None:
    assert result.exit_code == 4 and result.stdout == "", result.output
    lines = result.stderr.splitlines()
    assert len(lines) == 2, result.stderr
    assert lines[0].startswith("error: ") and error in lines[0]
    assert lines[1].startswith("hint: ") and hint in lines[1]


def test_a_search_records_its_base(stopped: Path, base: Path) -> None:
    recorded = json.loads((stopped / "plan.json").read_text())["base_checksums"]
    assert recorded == checksums(base)
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= recorded.keys()


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_resume_refuses_a_base_of_which_a_bit_has_changed(stopped: Path, base: Path, name: str) -> None:
    with changed(base / name) if name == "model.safetensors" else lengthened(base / name):
        result = autopeft("resume", str(stopped), "--quiet")
    check_refused(result, f"is not what {stopped} began with: {name} has changed", "--model FOLDER")
    assert not list(stopped.glob("trials/*"))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_changed_adapter_is_refused_wherever_it_is_used(finished: Path, command: str, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("sentence\na fine film\n")
    with changed(finished / "best_adapter" / "adapter_model.safetensors"):
        result = autopeft(*COMMANDS[command](finished, tmp_path))
    check_refused(result, "adapter_model.safetensors has changed", "restore it from a copy")
    assert {path.name for path in tmp_path.iterdir()} == {"rows.csv"}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_changed_base_is_refused_wherever_it_is_used(
    finished: Path, base: Path, command: str, tmp_path: Path
) -> None:
    (tmp_path / "rows.csv").write_text("sentence\na fine film\n")
    with changed(base / "model.safetensors"):
        result = autopeft(*COMMANDS[command](finished, tmp_path))
    check_refused(result, "model.safetensors has changed", "--model FOLDER")
    assert {path.name for path in tmp_path.iterdir()} == {"rows.csv"}


def test_the_result_tells_the_adapters_checksums(finished: Path) -> None:
    best = json.loads((finished / "result.json").read_text())["best"]
    assert best["adapter_checksums"] == checksums(finished / "best_adapter")
    assert set(best["adapter_checksums"]) == {"adapter_config.json", "adapter_model.safetensors"}


def test_a_damaged_result_is_written_again_with_what_the_search_wrote(finished: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    (copy / "result.json").write_text("{")
    with changed(copy / "best_adapter" / "adapter_model.safetensors"):
        resume(copy)
        check_refused(autopeft("evaluate", str(copy)), "adapter_model.safetensors has changed", "restore")


def test_a_moved_base_is_found_again_once_it_is_told_and_no_other(
    finished: Path, base: Path, material: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    with moved(base, base.with_name("elsewhere")) as elsewhere:
        gone = autopeft("evaluate", str(run))
        check_refused(gone, f"the base model of {run} is no longer at {base}", f"autopeft resume {run} --model FOLDER")
        with pytest.raises(ModelError, match=r"is not what .* began with"):
            resume(run, model=material / "models" / "minilm-l6")
        told = autopeft("resume", str(run), "--model", str(elsewhere), "--quiet", "--format", "json")
        assert told.exit_code == 0, told.stderr
        again = autopeft("evaluate", str(run), "--format", "json")
        assert json.loads(again.stdout)["difference"] == 0


def test_a_stopped_run_goes_on_with_an_equal_copy(stopped: Path, base: Path, tiny_bert: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(stopped, run)
    with moved(base, base.with_name("gone")):
        check_refused(autopeft("resume", str(run), "--quiet"), "is no longer at", "--model FOLDER")
        assert resume(run, model=tiny_bert).result["status"] == "finished"


def test_a_worker_that_replaces_another_loads_no_other_base(base: Path) -> None:
    setup = WorkerSetup(str(base), "text-classification", "never read", {}, base_checksums=checksums(base))
    with (
        changed(base / "model.safetensors"),
        pytest.raises(ModelError, match=r"search began with: model\.safetensors has changed"),
    ):
        worker_from(setup)
