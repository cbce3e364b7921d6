"""Forty inputs that mean harm: each is refused in one line or comes to nothing (docs/security.md lists them).

None needs weights of a real model: what is refused is refused before anything of its size is read.
"""

import gzip
import io
import json
import os
import pickle
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from autopeft.api.estimate import estimate
from autopeft.api.status import render_report, status
from autopeft.catalog.load import load_catalog
from autopeft.cli.group import report as say
from autopeft.data.sources import read_source
from autopeft.domain.expression import parse_expression
from autopeft.domain.units import parse_size_bytes
from autopeft.errors import AutopeftError, CatalogError, InputError, RunError
from autopeft.modeling.build import load_base
from autopeft.modeling.config import transformers_config
from autopeft.modeling.recorded import read_recorded
from autopeft.modeling.source import read_model, require_weights
from autopeft.modeling.tokenizer import load_tokenizer
from autopeft.reporting.facts import read_report
from autopeft.reporting.html import render_html
from autopeft.reporting.leaderboard import render_leaderboard
from autopeft.search.run_directory import RunDirectory
from autopeft.training.checkpoint import checkpoint_path, load_tensors

RESULT = Path(__file__).parents[1] / "golden" / "report.result.json"
CONFIG = {
    "model_type": "bert",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "vocab_size": 50,
}
LORA = {"peft_type": "LORA", "r": 4, "target_modules": ["query"]}
REQUEST = {"model": "m", "dataset": "d", "task": "causal-lm", "columns": {}, "methods": []}
SCRIPT = "<script>alert(1)</script>"
OWNED = "owned"


class _RunsOnLoad:
    """A pickle that makes a file when it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (OWNED,)


def write(name: str, content: str | bytes | dict[str, Any]) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content) if isinstance(content, dict) else content
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def catalog_of(text: str, folder: str = "methods", name: str = "mine") -> object:
    return load_catalog(write(f"spaces/{folder}/{name}.yaml", text).parents[1])


def rule_when(condition: str) -> object:
    return parse_expression(condition)


def model_of(config: dict[str, Any] | str) -> object:
    write("model/config.json", config)
    model = read_model("model", load_catalog())
    return transformers_config(model, load_catalog().task("sequence-classification"), 2)


def weights_of(**files: bytes) -> object:
    write("model/config.json", CONFIG)
    for name, content in files.items():
        write(f"model/{name.replace('__', '.')}", content)
    catalog = load_catalog()
    model = read_model("model", catalog)
    require_weights(model)
    return load_base(model, catalog.task("sequence-classification"), 2)


def shard_elsewhere() -> object:
    """A weight index whose shard lies outside the model's folder, where a real file waits."""
    from safetensors.numpy import save_file

    Path("elsewhere").mkdir()
    save_file({}, "elsewhere/secret.safetensors")
    index = {
        "metadata": {},
        "weight_map": {"bert.embeddings.word_embeddings.weight": "../elsewhere/secret.safetensors"},
    }
    return weights_of(**{"model__safetensors__index__json": json.dumps(index).encode()})


def tokenizer_of(**files: str) -> object:
    for name, content in files.items():
        write(f"model/{name}.json", content)
    write("model/config.json", CONFIG)
    return load_tokenizer(Path("model"))


def sparse(name: str, size_bytes: int) -> Path:
    """A file that is long and takes no room."""
    with open(name, "wb") as stream:
        stream.truncate(size_bytes)
    return Path(name)


def linked_folder() -> object:
    write("secret.csv", "text,label\npassword,1\n")
    Path("data").mkdir()
    Path("data/train.csv").symlink_to(Path("secret.csv").resolve())
    return read_source("data")


def bomb() -> object:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as stream:
        for _ in range(120):
            stream.write(b"a" * 2**20)
    return read_source(write("bomb.csv.gz", packed.getvalue()))


def loading_script() -> object:
    write("data/data.py", "import os; os.mkdir('owned')")
    return read_source("data")


def run_with(**files: dict[str, Any] | str | bytes) -> Path:
    write("run/plan.json", {"request": REQUEST})
    for name, content in files.items():
        write(f"run/{name.replace('__', '.')}", content)
    return Path("run")


def pickled_state() -> object:
    path = checkpoint_path(Path("run/checkpoint"), 3)
    write(str(path), pickle.dumps(_RunsOnLoad()))
    return load_tensors(path)


REFUSED: dict[str, Callable[[], object]] = {
    "yaml-bomb": lambda: catalog_of("a: &a [x,x]\nb: &b [*a,*a]\nc: [" + "*b," * 40 + "]\n"),
    "yaml-depth": lambda: catalog_of("id: " + "[" * 5000),
    "yaml-python-tag": lambda: catalog_of("id: !!python/object/apply:os.mkdir [owned]\n"),
    "yaml-duplicate-key": lambda: catalog_of("id: mine\nid: other\n"),
    "yaml-two-megabytes": lambda: catalog_of("id: " + "a" * 2_000_000),
    "yaml-binary": lambda: catalog_of("\x00\x01"),
    "yaml-builder-is-an-import-path": lambda: catalog_of("id: mine\ntitle: t\nbuilder: os.mkdir\n"),
    "rule-calls": lambda: rule_when("__import__('os').mkdir('owned')"),
    "rule-attributes": lambda: rule_when("task.__class__ == 'x'"),
    "rule-subscripts": lambda: rule_when("[1, 2][0] == 1"),
    "rule-comprehension": lambda: rule_when("[x for x in [1]] == [1]"),
    "rule-power": lambda: rule_when("9 ** 9 ** 9 > 1"),
    "rule-depth": lambda: rule_when("(" * 400 + "1" + ")" * 400),
    "rule-length": lambda: rule_when("1 + " * 100_000 + "1 > 0"),
    "config-own-code": lambda: model_of(CONFIG | {"auto_map": {"AutoModel": "evil.Model"}}),
    "config-depth": lambda: model_of('{"model_type": ' + "[" * 100_000),
    "config-six-megabytes": lambda: model_of(CONFIG | {"note": "a" * 6_000_000}),
    "config-type-is-a-path": lambda: model_of(CONFIG | {"model_type": "../../evil"}),
    "config-not-an-object": lambda: model_of("[1]"),
    "config-negative-sizes": lambda: estimate(model=str(write("m/config.json", CONFIG | {"vocab_size": -5}).parent)),
    "config-a-trillion-layers": lambda: estimate(
        model=str(write("m/config.json", CONFIG | {"num_hidden_layers": 10**12}).parent)
    ),
    "config-a-width-of-10-to-30": lambda: estimate(
        model=str(write("m/config.json", CONFIG | {"hidden_size": 10**30}).parent)
    ),
    "weights-pickled": lambda: weights_of(pytorch_model__bin=pickle.dumps(_RunsOnLoad())),
    "weights-pickle-named-safetensors": lambda: weights_of(model__safetensors=pickle.dumps(_RunsOnLoad())),
    "weights-header-of-2-to-60-bytes": lambda: weights_of(model__safetensors=struct.pack("<Q", 2**60) + b"{}"),
    "weights-shard-outside-the-folder": shard_elsewhere,
    "tokenizer-broken": lambda: tokenizer_of(tokenizer='{"version": 1'),
    "tokenizer-own-code": lambda: tokenizer_of(
        tokenizer_config=json.dumps({"auto_map": {"AutoTokenizer": ["evil.Tokenizer", None]}})
    ),
    "adapter-of-adapters": lambda: read_recorded(write("adapter_config.json", {"peft_type": "XLORA", "adapters": {}})),
    "adapter-imports-a-module": lambda: read_recorded(
        write("adapter_config.json", LORA | {"megatron_config": {"a": 1}, "megatron_core": "os"})
    ),
    "data-link-out-of-the-folder": linked_folder,
    "data-loading-script": loading_script,
    "data-gzip-bomb": bomb,
    "data-one-line-of-4-gigabytes": lambda: read_source(sparse("wide.jsonl", 4 * 2**30)),
    "data-depth": lambda: read_source(write("deep.json", "[" * 200_000)),
    "data-hub-name-with-dots": lambda: read_source("../../etc/passwd"),
    "size-of-a-thousand-digits": lambda: parse_size_bytes("9" * 1000 + "TB"),
    "run-plan-of-another-kind": lambda: status(run_with(plan__json='{"request": {"methods": 5}}')),
    "run-result-depth": lambda: render_report(run_with(result__json='{"a": ' + "[" * 200_000)),
    "run-optimizer-state-pickled": pickled_state,
}


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_and_nothing_runs(name: str) -> None:
    with pytest.raises(AutopeftError) as caught:
        REFUSED[name]()
    assert isinstance(caught.value, CatalogError) or "\n" not in caught.value.message
    assert len(caught.value.message) < 2000
    assert isinstance(caught.value, InputError | RunError) or caught.value.exit_code == 2
    assert not Path(OWNED).exists()


def test_an_implementation_that_a_config_names_is_not_fetched() -> None:
    config: Any = model_of(CONFIG | {"attn_implementation": "evil/kernel", "_attn_implementation": "evil/kernel"})
    assert "evil" not in str(config._attn_implementation)


def test_an_adapter_that_names_a_remote_base_asks_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    recorded = read_recorded(write("adapter_config.json", LORA | {"base_model_name_or_path": "evil/base"}))
    assert recorded.base_model == "evil/base"


def test_markup_in_labels_and_names_is_shown_and_not_run() -> None:
    result = json.loads(RESULT.read_text(encoding="utf-8"))
    spoiled = json.loads(json.dumps(result).replace('"SST-2"', json.dumps(SCRIPT)))
    spoiled["asked"]["model"] = spoiled["asked"]["dataset"] = SCRIPT
    page = render_html(read_report(spoiled))
    assert SCRIPT not in page
    assert "&lt;script&gt;" in page


def test_a_formula_in_a_name_is_text_in_a_spreadsheet() -> None:
    result = json.loads(RESULT.read_text(encoding="utf-8"))
    result["trials"][0]["error"] = '=HYPERLINK("http://evil")'
    assert '"=HYPERLINK' not in render_leaderboard(read_report(result))


def test_a_torn_last_event_is_dropped_and_a_lying_one_refused() -> None:
    run = run_with()
    folder = RunDirectory(run).trial(0)
    write(str(folder.path / "events.jsonl"), '{"trial": 0, "to_st')
    assert folder.slices() == []
    write(str(folder.path / "events.jsonl"), '{"trial": "x"}\n')
    with pytest.raises(InputError, match="damaged"):
        folder.slices()


def test_terminal_escapes_in_a_message_reach_no_terminal() -> None:
    @click.command()
    def fail() -> None:
        sys.exit(say(InputError("no column '\x1b]0;owned\x07'", hint="see\x1b[2J"), debug=False))

    shown = CliRunner().invoke(fail).stderr
    assert "\x1b" not in shown and "\x07" not in shown
    assert "owned" in shown
