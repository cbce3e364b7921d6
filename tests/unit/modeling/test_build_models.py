"""Bases on meta and with weights: the right class, frozen, deterministic, and clear refusals."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertForSequenceClassification

from autopeft.catalog.contents import Catalog
from autopeft.domain.memory import StepShape
from autopeft.domain.models import ModelSpec
from autopeft.errors import ModelError
from autopeft.modeling.build import build_on_meta, enable_gradient_checkpointing, load_base, renamed_weights
from autopeft.modeling.heads import head_modules, reset_head
from autopeft.modeling.quiet import quiet_transformers
from autopeft.modeling.source import read_model

CLASSES = {
    ("bert", "sequence-classification"): "BertForSequenceClassification",
    ("llama", "sequence-classification"): "LlamaForSequenceClassification",
    ("llama", "causal-lm"): "LlamaForCausalLM",
    ("t5", "text-to-text"): "T5ForConditionalGeneration",
}
TINY_BERT = {
    "model_type": "bert",
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "vocab_size": 64,
}
HEADS = {"bert": ("classifier",), "llama": ("score",)}


@pytest.mark.parametrize(("family", "task_id"), CLASSES)
def test_meta_and_real_agree(family: str, task_id: str, tiny_folders: dict[str, Path], catalog: Catalog) -> None:
    model, task = read_model(str(tiny_folders[family]), catalog), catalog.tasks[task_id]
    on_meta = build_on_meta(model, task, StepShape(dtype="bfloat16", num_labels=5))
    real = load_base(model, task, 5)
    assert type(on_meta).__name__ == type(real).__name__ == CLASSES[family, task_id]
    assert {p.device.type for p in on_meta.parameters()} == {"meta"}
    assert {p.dtype for p in on_meta.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in real.parameters()} == {torch.float32}
    shapes = [{name: p.shape for name, p in one.named_parameters()} for one in (on_meta, real)]
    assert shapes[0] == shapes[1]
    assert not any(p.requires_grad for one in (on_meta, real) for p in one.parameters())
    assert on_meta.training and not real.training
    assert head_modules(real) == head_modules(on_meta) == (HEADS[family] if "class" in task_id else ())
    assert isinstance(real.config.pad_token_id, int)


def test_padding_falls_back_to_the_first_end_token(tiny_folders: dict[str, Path], catalog: Catalog) -> None:
    model = read_model(str(tiny_folders["llama"]), catalog)
    assert build_on_meta(model, catalog.tasks["causal-lm"], StepShape()).config.pad_token_id == 1


def test_loading_is_quiet_and_leaves_the_random_state(
    tiny_folders: dict[str, Path], catalog: Catalog, capfd: pytest.CaptureFixture[str]
) -> None:
    model = read_model(str(tiny_folders["bert"]), catalog)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = load_base(model, catalog.tasks["sequence-classification"], 2)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    second = load_base(model, catalog.tasks["sequence-classification"], 2)
    assert torch.equal(first.classifier.weight, second.classifier.weight)
    assert capfd.readouterr() == ("", "")


def _changed_checkpoint(source: Path, target: Path, change: object) -> ModelSpec:
    shutil.copytree(source, target)
    state = load_file(target / "model.safetensors")
    change(state)
    save_file(state, target / "model.safetensors", metadata={"format": "pt"})
    return ModelSpec(str(target), json.loads((target / "config.json").read_text()), target)


def test_absent_pooler_counts_as_head(tiny_folders: dict[str, Path], catalog: Catalog, tmp_path: Path) -> None:
    def drop(state: dict[str, torch.Tensor]) -> None:
        for key in [key for key in state if "pooler" in key]:
            del state[key]

    model = _changed_checkpoint(tiny_folders["bert"], tmp_path / "m", drop)
    base = load_base(model, catalog.tasks["sequence-classification"], 2)
    assert head_modules(base) == ("classifier", "bert.pooler.dense")
    before = base.bert.pooler.dense.weight.clone()
    reset_head(base, 1)
    assert not torch.equal(base.bert.pooler.dense.weight, before)


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ("encoder.layer.1.output.dense.weight", None),
        ("embeddings.word_embeddings.weight", None),
        ("encoder.layer.0.intermediate.dense.weight", (3, 3)),
        ("pooler.dense.weight", (3, 3)),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    key: str, shape: tuple[int, ...] | None, tiny_folders: dict[str, Path], catalog: Catalog, tmp_path: Path
) -> None:
    def change(state: dict[str, torch.Tensor]) -> None:
        if shape is None:
            del state[key]
        else:
            state[key] = torch.zeros(shape)

    model = _changed_checkpoint(tiny_folders["bert"], tmp_path / "m", change)
    with pytest.raises(ModelError, match="do not fit") as caught:
        load_base(model, catalog.tasks["sequence-classification"], 2)
    assert key in caught.value.message


def test_head_of_another_size_is_replaced(tiny_folders: dict[str, Path], catalog: Catalog, tmp_path: Path) -> None:
    task = catalog.tasks["sequence-classification"]
    tuned = load_base(read_model(str(tiny_folders["bert"]), catalog), task, 7)
    with quiet_transformers():
        tuned.save_pretrained(tmp_path)
    base = load_base(read_model(str(tmp_path), catalog), task, 2)
    assert base.classifier.weight.shape == (2, 32) and base.config.num_labels == 2
    assert torch.equal(base.bert.pooler.dense.weight, tuned.bert.pooler.dense.weight)


def test_broken_weights_are_one_line(tiny_folders: dict[str, Path], catalog: Catalog, tmp_path: Path) -> None:
    shutil.copytree(tiny_folders["bert"], tmp_path / "m")
    (tmp_path / "m" / "model.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{not json at all")
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        load_base(read_model(str(tmp_path / "m"), catalog), catalog.tasks["sequence-classification"], 2)
    assert "\n" not in caught.value.message and caught.value.hint


@pytest.mark.parametrize(
    ("config", "task_id", "says"),
    [
        ({"model_type": "nonesuch"}, "causal-lm", "does not know"),
        ({"model_type": "bert", "hidden_size": "many"}, "sequence-classification", "config of x"),
        ({"model_type": "bert", "hidden_size": 30, "num_attention_heads": 4}, "sequence-classification", "config of x"),
        (TINY_BERT, "text-to-text", "no head for text-to-text"),
        ({"model_type": "bert", "hidden_size": 32}, "sequence-classification", "does not say num_hidden_layers"),
        ({"model_type": "llama", "auto_map": {"AutoModel": "x.py"}}, "causal-lm", "auto_map"),
        ({"model_type": "llama", "quantization_config": {"load_in_4bit": True}}, "causal-lm", "quantised"),
    ],
)
def test_unusable_configs(config: dict, task_id: str, says: str, catalog: Catalog) -> None:
    with pytest.raises(ModelError, match=says) as caught:
        build_on_meta(ModelSpec("x", config), catalog.tasks[task_id], StepShape())
    assert caught.value.hint and "\n" not in caught.value.message


def test_config_cannot_choose_an_implementation_from_the_hub(
    tiny_folders: dict[str, Path], catalog: Catalog, tmp_path: Path
) -> None:
    shutil.copytree(tiny_folders["llama"], tmp_path / "m")
    file = tmp_path / "m" / "config.json"
    asked = {"attn_implementation": "kernels-community/evil", "_attn_implementation": "kernels-community/evil"}
    file.write_text(json.dumps(json.loads(file.read_text()) | asked))
    model = read_model(str(tmp_path / "m"), catalog)
    for base in (
        build_on_meta(model, catalog.tasks["causal-lm"], StepShape()),
        load_base(model, catalog.tasks["causal-lm"], 2),
    ):
        assert "evil" not in str(base.config._attn_implementation)


def test_gradient_checkpointing(tiny_folders: dict[str, Path], catalog: Catalog) -> None:
    model = read_model(str(tiny_folders["llama"]), catalog)
    shape = StepShape(gradient_checkpointing=True)
    assert build_on_meta(model, catalog.tasks["causal-lm"], shape).is_gradient_checkpointing
    cannot = BertForSequenceClassification.__new__(BertForSequenceClassification)
    cannot.supports_gradient_checkpointing = False
    with pytest.raises(ModelError, match="cannot do gradient checkpointing"):
        enable_gradient_checkpointing(cannot)


def test_same_seed_same_head(tiny_folders: dict[str, Path], catalog: Catalog) -> None:
    base = load_base(read_model(str(tiny_folders["bert"]), catalog), catalog.tasks["sequence-classification"], 2)
    drawn = []
    for seed in (1, 1, 2):
        reset_head(base, seed)
        drawn.append(base.classifier.weight.clone())
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


def test_a_decoder_that_answers_questions_has_its_pretrained_weights(
    tiny_folders: dict[str, Path], catalog: Catalog, tmp_path: Path
) -> None:
    """Llama's class for it calls the pretrained part otherwise than checkpoints of language models do."""
    task = catalog.task("question-answering").on("decoder")
    folder = shutil.copytree(tiny_folders["llama"], tmp_path / "llama")
    kept = load_file(folder / "model.safetensors")
    save_file(
        {f"model.{name.removeprefix('model.')}": value for name, value in kept.items()}, folder / "model.safetensors"
    )
    model = read_model(str(folder), catalog)
    own = dict(load_base(model, task, 2).named_parameters())
    for name, value in kept.items():
        assert torch.equal(own[f"transformer.{name.removeprefix('model.')}"], value.float())
    assert renamed_weights(model, task) == {r"^model\.": "transformer."}
    assert renamed_weights(model, catalog.task("causal-lm")) is None


@pytest.mark.parametrize("family", ["bert", "llama", "t5"])
def test_of_question_answering_only_the_last_layer_is_a_head(
    family: str, tiny_folders: dict[str, Path], catalog: Catalog
) -> None:
    task = catalog.task("question-answering")
    base = load_base(read_model(str(tiny_folders[family]), catalog), task, 2)
    assert head_modules(base) == ("qa_outputs",)
