"""Every architecture of the catalogue: its heads, and clear refusals of configs that do not say enough."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "memory"))

from tiny_configs import tiny_config

from autopeft.catalog.contents import Catalog
from autopeft.domain.memory import StepShape
from autopeft.domain.models import ModelSpec
from autopeft.errors import ModelError
from autopeft.modeling.architecture import architecture_of, target_regex
from autopeft.modeling.build import build_on_meta
from autopeft.modeling.heads import head_modules

HEADS = {
    "bert": ("classifier",),
    "roberta": ("classifier",),
    "electra": ("classifier",),
    "distilbert": ("pre_classifier", "classifier"),
    "deberta-v2": ("pooler", "classifier"),
    "modernbert": ("head", "classifier"),
    "gpt2": ("score",),
    "mixtral": ("score",),
    "qwen3": ("score",),
    "gemma3_text": ("score",),
    "phi": ("score",),
    "phi3": ("score",),
    "t5": ("classification_head",),
    "bart": ("classification_head",),
}


def _model(model_type: str, **changes: object) -> ModelSpec:
    return ModelSpec(f"tiny-{model_type}", tiny_config(model_type) | changes)


@pytest.mark.parametrize("model_type", HEADS)
def test_the_classification_head_of_every_architecture_is_found(model_type: str, catalog: Catalog) -> None:
    base = build_on_meta(_model(model_type), catalog.tasks["sequence-classification"], StepShape())
    assert head_modules(base) == HEADS[model_type]


@pytest.mark.parametrize("model_type", ["gpt2", "mixtral", "gemma2", "phi3"])
def test_a_language_model_has_no_head_to_train(model_type: str, catalog: Catalog) -> None:
    assert head_modules(build_on_meta(_model(model_type), catalog.tasks["causal-lm"], StepShape())) == ()


@pytest.mark.parametrize("said", [{"tie_word_embeddings": False}, {"scale_decoder_outputs": False}])
def test_the_output_of_flan_t5_is_a_matrix_of_its_own(said: dict[str, bool], catalog: Catalog) -> None:
    base = build_on_meta(_model("t5", **said), catalog.tasks["text-to-text"], StepShape())
    embeddings = base.get_input_embeddings().weight
    assert base.get_output_embeddings().weight is not embeddings
    assert base.encoder.embed_tokens.weight is embeddings is base.decoder.embed_tokens.weight
    tied = build_on_meta(_model("t5"), catalog.tasks["text-to-text"], StepShape())
    assert tied.get_output_embeddings().weight is tied.get_input_embeddings().weight


@pytest.mark.parametrize(
    ("model_type", "task_id", "left_out"),
    [
        ("bert", "sequence-classification", "num_hidden_layers"),
        ("llama", "causal-lm", "vocab_size"),
        ("gpt2", "causal-lm", "n_embd"),
        ("distilbert", "sequence-classification", "n_heads"),
        ("t5", "text-to-text", "d_model"),
        ("bart", "text-to-text", "decoder_layers"),
    ],
)
def test_a_config_without_a_size_is_refused_by_name(
    model_type: str, task_id: str, left_out: str, catalog: Catalog
) -> None:
    config = {key: value for key, value in tiny_config(model_type).items() if key != left_out}
    with pytest.raises(ModelError, match=rf"the config of x does not say {left_out}\n") as caught:
        build_on_meta(ModelSpec("x", config), catalog.tasks[task_id], StepShape())
    assert caught.value.exit_code == 4 and caught.value.hint


def test_an_unknown_architecture_is_one_line_with_a_hint(catalog: Catalog) -> None:
    with pytest.raises(ModelError, match="'mamba' are not supported") as caught:
        architecture_of({"model_type": "mamba"}, catalog)
    assert caught.value.exit_code == 4 and "modernbert" in str(caught.value.hint)
    assert "\n" not in caught.value.message


def test_a_model_of_text_and_images_is_refused_by_what_it_is(catalog: Catalog) -> None:
    text = tiny_config("gemma3_text") | {"model_type": "gemma3_text"}
    with pytest.raises(ModelError, match="'gemma3' take more than text") as caught:
        architecture_of({"model_type": "gemma3", "text_config": text}, catalog)
    assert "'gemma3_text'" in caught.value.message and "text_config" in str(caught.value.hint)
    assert caught.value.exit_code == 4
    assert architecture_of(text, catalog).id


@pytest.mark.parametrize("within", [None, "gemma3_text", {}, {"model_type": "mamba"}])
def test_what_is_within_an_unknown_type_and_unknown_too_changes_nothing(within: object, catalog: Catalog) -> None:
    with pytest.raises(ModelError, match="'llava' are not supported"):
        architecture_of({"model_type": "llava", "text_config": within}, catalog)


def test_a_mixture_of_experts_says_that_it_has_no_feed_forward_modules(catalog: Catalog) -> None:
    base = build_on_meta(_model("mixtral"), catalog.tasks["causal-lm"], StepShape())
    with pytest.raises(ModelError, match="targets ffn_out, and the mixtral model has no such module"):
        target_regex(catalog.architectures["mixtral"], ["ffn_out"], base)
