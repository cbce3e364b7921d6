"""Each fault of a catalogue is named with file, line and field; all of them at once; none is skipped."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from autopeft.catalog import load_catalog
from autopeft.catalog.locate import search_spaces_root
from autopeft.errors import CatalogError

Edit = Callable[[str, str, str], None]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    copy = tmp_path / "search_spaces"
    shutil.copytree(search_spaces_root(), copy)
    return copy


@pytest.fixture
def edit(root: Path) -> Edit:
    def replace(name: str, old: str, new: str) -> None:
        path = root / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return replace


def faults(root: Path) -> list[str]:
    with pytest.raises(CatalogError) as caught:
        load_catalog(root)
    return caught.value.message.splitlines()


def line_of(root: Path, name: str, text: str) -> int:
    return (root / name).read_text()[: (root / name).read_text().index(text)].count("\n") + 1


def test_the_shipped_catalogue_loads() -> None:
    catalog = load_catalog()
    assert {"lora", "full", "houlsby", "prompt-tuning"} <= catalog.methods.keys()
    assert {"sequence-classification", "causal-lm", "text-to-text"} <= catalog.tasks.keys()
    assert {"bert", "llama", "t5", "gpt2"} <= catalog.architectures.keys()
    assert catalog.model_parameters["meta-llama/Llama-3.2-3B"] == 3_212_749_824


def test_it_is_read_once() -> None:
    assert load_catalog() is load_catalog()


def test_candidates_come_before_controls() -> None:
    roles = [method.role for method in load_catalog().methods.values()]
    assert roles == sorted(roles)


def test_an_unknown_field_is_refused_with_its_line(root: Path, edit: Edit) -> None:
    edit("methods/lora.yaml", "title:", "tilte:")
    line = line_of(root, "methods/lora.yaml", "tilte")
    assert f"search_spaces/methods/lora.yaml:{line}: tilte: unknown field" in faults(root)
    assert any(fault.endswith("title: is missing") for fault in faults(root))


def test_all_faults_of_all_files_are_shown_together(root: Path, edit: Edit) -> None:
    edit("methods/dora.yaml", "family: reparametrization", "family: magic")
    edit("methods/lora.yaml", "builder: LORA", "builder: os.system")
    edit("tasks/causal-lm.yaml", "metric: loss", "metric: luck")
    (root / "rules" / "broken.yaml").write_text("rules: [")
    found = faults(root)
    assert {fault.split(":")[0].removeprefix("search_spaces/") for fault in found} == {
        "methods/dora.yaml",
        "methods/lora.yaml",
        "tasks/causal-lm.yaml",
        "rules/broken.yaml",
    }


@pytest.mark.parametrize(
    ("name", "old", "new", "fault"),
    [
        (
            "methods/lora.yaml",
            "default: 8, argument: r",
            "default: 999, argument: r",
            "outside its own range",
        ),
        (
            "methods/lora.yaml",
            "default: 8, argument: r",
            "default: 8.0, argument: r",
            "outside its own range",
        ),
        ("methods/lora.yaml", "low: 1, high: 128", "low: 0, high: 128", "starts above zero"),
        ("methods/lora.yaml", "low: 1, high: 128", "low: 200, high: 128", "low below high"),
        ("methods/lora.yaml", ", argument: r}", "}", "r: every knob but"),
        ("methods/lora.yaml", "argument: lora_alpha", "argument: r", "two knobs set the same argument"),
        ("methods/lora.yaml", "target_modules: [query", "target_modules: [qurey", "'qurey' is no role"),
        ("methods/lora.yaml", "target_modules:", "lora_dropout:", "same field of the peft configuration"),
        ("methods/lora.yaml", "5_000_000", "500_000_000", "must rise in up_to_parameters"),
        ("methods/lora.yaml", "value: 1e-2}", "value: 7.5}", "outside its own range"),
        ("methods/lora.yaml", "id: lora", "id: loro", "must be named after the id: loro.yaml"),
        ("methods/lora.yaml", "high: 0.3", "high: 1e999", "knobs.dropout.high: "),
        ("methods/lora.yaml", "high: 0.3", "high: much", "knobs.dropout.high: should be a valid"),
        ("methods/lora-all.yaml", "aliases: [lora-all-linear]", "aliases: [lora]", "'lora' is described in"),
        ("methods/bitfit.yaml", "has_biases", "has_bias", "'has_bias' is no requirement"),
        ("methods/p-tuning.yaml", "causal-lm", "causal-ml", "there is no task 'causal-ml'"),
        ("methods/rslora.yaml", "sources:", "sources: []\nlater:", "sources: "),
        ("tasks/text-to-text.yaml", "metric: loss", "metric: luck", "'luck' is no metric"),
        ("tasks/text-to-text.yaml", "metric: loss", "metric: pearson", "pearson says nothing about generation"),
        ("tasks/summarization.yaml", "{source}", "{source.__class__}", "has a brace that stands around no role"),
        ("tasks/regression.yaml", "label: number", "label: digit", "kinds.label"),
        ("tasks/multiple-choice.yaml", "objective: choice", "objective: luck", "objective"),
        ("tasks/causal-lm.yaml", "text: [text", "text: [text, text", "stands for two roles"),
        ("architectures/bert.yaml", '["*.output.dense"]', '[".*output"]', "is no dotted name"),
        ("architectures/bert.yaml", "[bert,", "[bert, llama,", "model_type 'llama' is described in"),
        ("architectures/t5.yaml", "  ffn_out:", "  ffn_aus:", "'ffn_aus' is no role"),
        (
            "models/gpt2.yaml",
            "model_type: gpt2",
            "auto_map: {AutoModel: evil.Model}",
            "auto_map names code to run",
        ),
        ("models/gpt2.yaml", "  model_type: gpt2\n", "", "gpt2: model_type is missing"),
        ("models/gpt2.yaml", "counted_as: GPT2LMHeadModel\n", "", "gpt2: counted_as is missing"),
        ("models/gpt2.yaml", "[openai-community/gpt2]", "[t5-small]", "the model 't5-small' is described in"),
        ("models/gpt2.yaml", "  gpt2:", "  t5-small:", "the model 't5-small' is described in"),
    ],
)
def test_a_fault_is_named(root: Path, edit: Edit, name: str, old: str, new: str, fault: str) -> None:
    edit(name, old, new)
    # Where two files describe the same thing the fault stands in the second.
    assert any(fault in line for line in faults(root)), faults(root)


def test_a_method_whose_targets_an_architecture_lacks_is_named(root: Path, edit: Edit) -> None:
    edit("architectures/bert.yaml", '  key: ["*.attention.self.key"]\n', "")
    edit("architectures/bert.yaml", '  value: ["*.attention.self.value"]\n', "")
    edit("architectures/bert.yaml", '  query: ["*.attention.self.query"]\n', "")
    assert any("lora.yaml" in fault and "names no module of bert" in fault for fault in faults(root))


RULE = """rules:
  - id: X-1
    title: a test
    when: {when}
    effects: [{{kind: prefer, methods: [{methods}]}}]
    because: it is a test
    source: {{ref: none}}
    status: prior
    cases:
      - {{given: {{training_rows: 10}}, fires: true}}
      - {{given: {{training_rows: 1000}}, fires: {second}}}
"""


def test_a_rule_is_checked(root: Path) -> None:
    path = root / "rules" / "zz.yaml"
    path.write_text(RULE.format(when="training_rows < 100", methods="lora, additive, '*'", second="false"))
    assert load_catalog(root).rules["X-1"].effects[0].methods == ("lora", "additive", "*")


@pytest.mark.parametrize(
    ("when", "methods", "second", "fault"),
    [
        ("trianing_rows < 100", "lora", "false", "rules.0.when: "),
        ("__import__('os')", "lora", "false", "rules.0.when: "),
        ("training_rows < 100", "lorra", "false", "there is no method or family 'lorra'"),
        ("training_rows < 100", "lora", "true", "must show the rule firing and not firing"),
    ],
)
def test_a_broken_rule_is_refused(root: Path, when: str, methods: str, second: str, fault: str) -> None:
    (root / "rules" / "zz.yaml").write_text(RULE.format(when=when, methods=methods, second=second))
    assert [line for line in faults(root) if "rules/zz.yaml" in line and fault in line]


def test_a_file_with_another_ending_is_not_passed_over(root: Path) -> None:
    (root / "methods" / "mine.yml").write_text("id: mine\n")
    assert faults(root) == ["search_spaces/methods/mine.yml:1: the file's name must end in .yaml"]


def test_a_file_that_is_no_mapping_is_refused(root: Path) -> None:
    (root / "methods" / "mine.yaml").write_text("- id: mine\n")
    assert faults(root) == ["search_spaces/methods/mine.yaml:1: a mapping of fields is expected"]


def test_evidence_keeps_its_rows(root: Path) -> None:
    (root / "evidence" / "mine.yaml").write_text(
        "id: mine\ntitle: a test\nsource: {ref: none}\nrows:\n  - {method: lora, peak_bytes: 5, loss: null}\n"
    )
    assert load_catalog(root).evidence["mine"].rows == ({"method": "lora", "peak_bytes": 5, "loss": None},)


def test_loading_imports_nothing_heavy() -> None:
    code = (
        "import sys; from autopeft.catalog import load_catalog; load_catalog();"
        "print(*sorted({'torch', 'transformers', 'peft', 'numpy', 'datasets'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
