"""A folder of one's own beside the shipped catalogue: `--catalog DIR` in every command that reads it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from autopeft.catalog import load_catalog
from autopeft.catalog.locate import search_spaces_root
from autopeft.cli.main import cli
from autopeft.errors import CatalogError

METHOD = """\
id: lora-mlp
title: LoRA on the MLP
summary: LoRA on the feed-forward layers only.
family: reparametrization
builder: LORA
targets:
  target_modules: [ffn_in, ffn_out]
knobs:
  learning_rate: {kind: float, low: 1e-4, high: 3e-2, log: true, default: 1e-2}
  r: {kind: int, low: 1, high: 16, default: 4, argument: r}
sources:
  - ref: our own runs
"""
RULE = """\
rules:
  - id: OWN-1
    title: We like the MLP
    when: architecture_kind == "encoder"
    effects:
      - {kind: prefer, methods: [lora-mlp], weight: 9.0}
    because: In our own runs it was best.
    source: {ref: our own runs}
    status: prior
    cases:
      - {given: {architecture_kind: encoder}, fires: true}
      - {given: {architecture_kind: decoder}, fires: false}
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    for name, text in (("methods/lora-mlp.yaml", METHOD), ("rules/house.yaml", RULE)):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(text)
    return folder


def autopeft(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), prog_name="autopeft")


def answer(*arguments: str) -> dict[str, object]:
    done = autopeft(*arguments, "--format", "json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def fault(folder: Path) -> str:
    with pytest.raises(CatalogError) as caught:
        load_catalog(beside=folder)
    return caught.value.message


def test_a_method_and_a_rule_of_ones_own_are_recommended(own: Path, tiny_bert: Path) -> None:
    asked = ("--model", str(tiny_bert), "--methods", "lora,lora-mlp", "--catalog", str(own))
    first = answer("recommend", *asked)["candidates"][0]
    assert first["method"] == "lora-mlp"
    assert "OWN-1" in [reason["rule"] for reason in first["reasons"]]
    assert "our own runs" in autopeft("explain", "OWN-1", "--catalog", str(own)).stdout


def test_it_is_estimated(own: Path, tiny_bert: Path) -> None:
    asked = ("--model", str(tiny_bert), "--catalog", str(own), "--set", "r=2")
    found = answer("estimate", *asked, "--method", "lora-mlp")
    assert found["hyperparameters"]["r"] == 2
    # Twice (in + out) of both matrices in both layers.
    config = json.loads((tiny_bert / "config.json").read_text())
    both = 2 * (config["hidden_size"] + config["intermediate_size"])
    assert found["adapter_parameters"] == 2 * both * config["num_hidden_layers"]


def test_it_is_searched_reported_and_loaded_again(own: Path, tiny_bert: Path, sst2: Path, tmp_path: Path) -> None:
    sizes = ("--trials", "1", "--full-steps", "4", "--batch-size", "8", "--max-train-rows", "80", "--threads", "1")
    asked = ("--model", str(tiny_bert), "--dataset", str(sst2), "--max-evaluation-rows", "30", "--confirm-seeds", "1")
    run = tmp_path / "run"
    done = autopeft(
        "search", *asked, *sizes, "--output", str(run), "--catalog", str(own), "--methods", "lora-mlp", "--quiet"
    )
    assert done.exit_code == 0, done.stderr
    assert {trial["method"] for trial in json.loads((run / "result.json").read_text())["trials"]} == {"lora-mlp"}
    # Another session, which is not told of the folder again.
    assert json.loads((run / "plan.json").read_text())["request"]["catalog"] == str(own)
    assert autopeft("resume", str(run), "--quiet").exit_code == 0


def test_without_the_folder_nobody_knows_it(own: Path) -> None:
    assert "lora-mlp" in load_catalog(beside=own).methods
    assert "lora-mlp" not in load_catalog().methods
    assert autopeft("methods", "lora-mlp").exit_code == 2


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("builder: LORA", "builder: os.system", "'os.system' is no builder"),
        ("family:", "settings: {megatron_core: os}\nfamily:", "must not set megatron_core"),
        ("family:", "settings: {auto_mapping: {parent_library: os}}\nfamily:", "settings"),
        ("argument: r}", "argument: base_model_name_or_path}", "must not set base_model_name_or_path"),
        ("id: lora-mlp", "id: !!python/object/apply:os.system [true]", "is not allowed"),
        ("id: lora-mlp", "id: lora", "'lora' is described in search_spaces/methods/lora.yaml already"),
        ("[ffn_in, ffn_out]", "[.*]", "'.*' is no role"),
    ],
)
def test_what_a_file_must_not_do_is_refused_with_its_place(own: Path, old: str, new: str, what: str) -> None:
    path = own / "methods" / "lora-mlp.yaml"
    assert old in METHOD
    path.write_text(METHOD.replace(old, new, 1))
    assert "own/methods/lora-mlp.yaml:" in fault(own)
    assert what in fault(own)


def test_misplaced_files_are_not_skipped_in_silence(own: Path) -> None:
    (own / "methods").rename(own / "method")
    (own / "lost.yaml").write_text(METHOD)
    lines = fault(own).splitlines()
    assert [line.partition(":")[0] for line in lines if "nothing reads this" in line] == ["own/lost.yaml", "own/method"]


def test_too_many_files_and_no_folder_end_with_the_reason(own: Path, tmp_path: Path) -> None:
    done = autopeft("methods", "--catalog", str(tmp_path / "none"))
    assert (done.exit_code, "is no folder" in done.stderr) == (4, True)
    for number in range(1001):
        (own / "methods" / f"m{number}.yaml").touch()
    assert "more than 1000" in fault(own)


def test_a_second_device_of_one_name_is_refused(own: Path) -> None:
    (own / "gpus").mkdir()
    (own / "gpus" / "l4.yaml").write_bytes((search_spaces_root() / "gpus" / "l4.yaml").read_bytes())
    assert "the device 'l4' is described in search_spaces/gpus/l4.yaml already" in fault(own)


def test_the_advice_on_an_own_method_is_exported(own: Path, material: Path, tmp_path: Path) -> None:
    model = str(material / "models" / "minilm-tiny-distilled")
    options = ("--catalog", str(own), "--methods", "lora-mlp", "--max-length", "16", "--batch-size", "4")
    done = autopeft("recommend", "--model", model, *options, "--export", str(tmp_path / "out"))
    assert done.exit_code == 0, done.stderr
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert config["peft_type"] == "LORA" and config["r"] == 4
