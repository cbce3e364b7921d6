"""`autopeft fuse` on a real run: the mixture loads with peft and does on the test rows what its experts did."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from autopeft.cli.main import cli


def autopeft(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), prog_name="autopeft")


@pytest.fixture(scope="module")
def run(tiny_bert: Path, sst2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "reviews"
    sizes = ("--trials", "1", "--full-steps", "8", "--batch-size", "8", "--threads", "1", "--confirm-seeds", "1")
    rows = ("--max-train-rows", "80", "--max-evaluation-rows", "40", "--methods", "lora-all", "--quiet")
    done = autopeft("search", "--model", str(tiny_bert), "--dataset", str(sst2), "--output", str(folder), *sizes, *rows)
    assert done.exit_code == 0, done.stderr
    return folder


def test_a_run_fused_with_itself_keeps_its_figure(run: Path, tmp_path: Path) -> None:
    mixture = tmp_path / "mixture"
    done = autopeft("fuse", str(run), str(run), "--output", str(mixture), "--format", "json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert told == json.loads((mixture / "fuse.json").read_text())
    assert [Path(one["folder"]).name for one in told["runs"]] == ["0-reviews", "1-reviews"]
    for one in told["runs"]:
        assert one["fused"] == pytest.approx(one["own"], abs=1e-9) and one["rows"] == 40
        assert "import autopeft.tuners" in (Path(one["folder"]) / "README.md").read_text()
        assert json.loads((Path(one["folder"]) / "adapter_config.json").read_text())["peft_type"] == "SMILE"


@pytest.mark.parametrize("columns", ["80", "120"])
def test_the_table_names_each_run(run: Path, tmp_path: Path, columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    shown = autopeft("fuse", str(run), str(run), "--output", str(tmp_path / "m"), "--rank", "4").stdout
    assert "own adapter" in shown and shown.count("reviews") >= 2
    assert max(map(len, shown.splitlines())) <= int(columns)


def test_bad_input_ends_with_the_reason(run: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    for arguments, status, what in (
        ((str(run),), 2, "takes two runs or more"),
        ((str(run), str(tmp_path / "none")), 4, "none"),
        ((str(run), str(run), "--top-k", "3"), 2, "top_k is 3"),
    ):
        done = autopeft("fuse", *arguments, "--output", str(tmp_path / "out"))
        assert (done.exit_code, what in done.stderr) == (status, True), done.stderr
        assert not (tmp_path / "out").exists()
    assert autopeft("fuse", str(run), str(run), "--output", str(tmp_path / "full")).exit_code == 4
