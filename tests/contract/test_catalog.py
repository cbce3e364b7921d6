"""The shipped catalogue against the installed libraries: builders, configs, module names, counts."""

import dataclasses
import re
from typing import Any

import pytest
import torch
import transformers
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from peft.utils import PeftType, TaskType

import autopeft.tuners  # noqa: F401 - registers our own builders with peft
from autopeft.catalog import load_catalog
from autopeft.catalog.locate import search_spaces_root
from autopeft.catalog.model_schema import ModelsSchema
from autopeft.catalog.source_file import read_source_file
from autopeft.catalog.vocabulary import OWN_BUILDERS, PEFT_BUILDERS, PEFT_TASK_TYPES
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ArchitectureSpec, ModelSpec
from autopeft.memory.depth import Stack, stacks_of, with_depths
from autopeft.modeling.architecture import architecture_of
from autopeft.modeling.heads import head_modules
from autopeft.modeling.tying import untie_output

CATALOG = load_catalog()
LAYERS = 2
AUTO_CLASSES = {
    "encoder": transformers.AutoModelForSequenceClassification,
    "decoder": transformers.AutoModelForCausalLM,
    "encoder-decoder": transformers.AutoModelForSeq2SeqLM,
}
NORM_ROLES = {role for spec in CATALOG.architectures.values() for role in spec.roles if role.endswith("_norm")}
MODEL_TYPES = [
    pytest.param(spec, model_type, id=model_type)
    for spec in CATALOG.architectures.values()
    for model_type in spec.model_types
]
PEFT_METHODS = [method for method in CATALOG.methods.values() if method.builder not in {"FULL", "HEAD"}]


def shipped_models() -> list[Any]:
    """Hub id and the transformers class that its parameters are counted in."""
    found = []
    for path in sorted((search_spaces_root() / "models").glob("*.yaml")):
        file = ModelsSchema.model_validate(read_source_file(path, path.name).values)
        found += [pytest.param(name, file.class_of(name), id=name) for name in file.models]
    return found


def parameters_at(class_name: str, model: ModelSpec, depths: dict[Stack, int]) -> int:
    config = with_depths(model, depths).config
    with torch.device("meta"):
        built = getattr(transformers, class_name)._from_config(config_of(dict(config)))
    untie_output(built, config)
    return sum(parameter.numel() for parameter in built.parameters())


def config_of(plain: dict[str, Any]) -> transformers.PretrainedConfig:
    fields = {key: value for key, value in plain.items() if key != "model_type"}
    return transformers.AutoConfig.for_model(plain["model_type"], **fields)


def shallow_model(spec: ArchitectureSpec, model_type: str, **fields: Any) -> torch.nn.Module:
    config = config_of({"model_type": model_type, **fields})
    config.num_hidden_layers = LAYERS
    for name in ("num_decoder_layers", "decoder_layers"):
        if hasattr(config, name):
            setattr(config, name, LAYERS)
    with torch.device("meta"):
        return AUTO_CLASSES[spec.kind].from_config(config)


def role_modules(spec: ArchitectureSpec, role: str, model: torch.nn.Module) -> dict[str, torch.nn.Module]:
    found = {}
    for ending in spec.roles[role]:
        pattern = re.compile(r"(?:.*\.)?" + re.escape(ending).replace(r"\*", r"\d+"))
        found |= {name: module for name, module in model.named_modules() if pattern.fullmatch(name)}
    return found


def is_matrix(module: torch.nn.Module) -> bool:
    return type(module).__name__ in {"Linear", "Conv1D"}


@pytest.mark.parametrize(("name", "class_name"), shipped_models())
def test_a_shipped_model_has_the_parameter_count_that_it_states(name: str, class_name: str) -> None:
    # Equal layers have equally many parameters: built with two and three of them (the first may differ).
    model = CATALOG.models[name]
    stacks = stacks_of(model, {})
    assert stacks is not None
    shallow = dict.fromkeys(stacks, 2)
    parameters = base = parameters_at(class_name, model, shallow)
    for stack in stacks:
        per_layer = parameters_at(class_name, model, shallow | {stack: 3}) - base
        parameters += (stack.layers - 2) * per_layer
    assert parameters == CATALOG.model_parameters[name]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "class_name"), shipped_models())
def test_a_shipped_model_built_whole_has_that_count_too(name: str, class_name: str) -> None:
    assert parameters_at(class_name, CATALOG.models[name], {}) == CATALOG.model_parameters[name]


def test_suggested_models_are_known_and_of_every_kind() -> None:
    kinds = {architecture_of(CATALOG.models[name].config, CATALOG).kind for name in CATALOG.suggested_models}
    assert kinds == {"encoder", "decoder", "encoder-decoder"}
    assert len(CATALOG.suggested_models) < len(CATALOG.models) / 2


def test_every_shipped_model_belongs_to_an_architecture() -> None:
    for model in CATALOG.models.values():
        assert architecture_of(model.config, CATALOG).id in CATALOG.architectures


def test_other_names_of_a_model_have_its_config() -> None:
    base, chat = (CATALOG.models[f"meta-llama/Llama-3.2-3B{ending}"] for ending in ("", "-Instruct"))
    assert (chat.name, chat.config) == ("meta-llama/Llama-3.2-3B-Instruct", base.config)
    assert CATALOG.model_parameters[chat.name] == CATALOG.model_parameters[base.name]


@pytest.mark.parametrize(("spec", "model_type"), MODEL_TYPES)
def test_roles_name_every_matrix_of_the_blocks_once(spec: ArchitectureSpec, model_type: str) -> None:
    model = shallow_model(spec, model_type)
    blocks = {n for n, module in model.named_modules() if is_matrix(module) and re.search(r"\.\d+\.", n)}
    named: list[str] = []
    for role in spec.roles.keys() - NORM_ROLES - {"pooler"}:
        named += role_modules(spec, role, model)
    assert set(named) == blocks
    # Query, key and value may be one matrix; every other one has one role.
    fused = spec.roles["query"] == spec.roles["key"] == spec.roles["value"]
    assert len(named) == len(blocks) + (2 * LAYERS if fused else 0)


@pytest.mark.parametrize(("spec", "model_type"), MODEL_TYPES)
def test_roles_name_every_norm_once(spec: ArchitectureSpec, model_type: str) -> None:
    model = shallow_model(spec, model_type)
    heads = tuple(f"{name}." for name in head_modules(model))
    norms = sorted(
        name
        for name, module in model.named_modules()
        if type(module).__name__.endswith("Norm") and not (heads and name.startswith(heads))
    )
    named = {name: module for role in NORM_ROLES for name, module in role_modules(spec, role, model).items()}
    # ModernBERT's first layer has an empty place where the others have a norm.
    assert sorted(name for name, module in named.items() if list(module.parameters())) == norms


@pytest.mark.parametrize(("spec", "model_type"), MODEL_TYPES)
def test_has_biases_is_true_of_the_blocks(spec: ArchitectureSpec, model_type: str) -> None:
    model = shallow_model(spec, model_type)
    biases = [getattr(m, "bias", None) for n, m in model.named_modules() if is_matrix(m) and ".0." in n]
    assert any(bias is not None for bias in biases) == spec.has_biases


def test_the_pooler_of_bert_is_named() -> None:
    spec = CATALOG.architectures["bert"]
    assert list(role_modules(spec, "pooler", shallow_model(spec, "bert"))) == ["bert.pooler.dense"]


def test_gated_t5_has_two_input_matrices_in_each_feed_forward() -> None:
    spec = CATALOG.architectures["t5"]
    model = shallow_model(spec, "t5", feed_forward_proj="gated-gelu")
    assert len(role_modules(spec, "ffn_in", model)) == 2 * 2 * LAYERS


def test_builders_are_the_installed_ones() -> None:
    assert {member.name for member in PeftType} - OWN_BUILDERS == PEFT_BUILDERS


def test_task_types_are_the_installed_ones() -> None:
    assert {member.name for member in TaskType} == PEFT_TASK_TYPES


@pytest.mark.parametrize("method", PEFT_METHODS, ids=lambda method: method.id)
def test_a_method_sets_only_fields_that_its_peft_configuration_has(method: MethodSpec) -> None:
    config_class = PEFT_TYPE_TO_CONFIG_MAPPING[PeftType[method.builder]]
    fields = {field.name for field in dataclasses.fields(config_class)}
    arguments = {knob.argument for knob in method.knobs if knob.argument}
    assert arguments | method.settings.keys() | method.targets.keys() <= fields


def t5_large_modules(method: str, field: str = "target_modules") -> list[torch.nn.Module]:
    spec = CATALOG.architectures["t5"]
    with torch.device("meta"):
        model = AUTO_CLASSES["encoder-decoder"].from_config(config_of(dict(CATALOG.models["t5-large"].config)))
    roles = CATALOG.methods[method].targets[field]
    return [module for role in roles for module in role_modules(spec, role, model).values()]


def test_targets_on_t5_large_give_the_counts_that_the_surveys_authors_logged() -> None:
    """arXiv:2303.15647, authors' log: trainable parameters of t5-large, to the parameter."""

    def lora(modules: list[torch.nn.Module]) -> int:
        return sum(8 * (module.in_features + module.out_features) for module in modules)

    assert lora(t5_large_modules("lora")) == 2_359_296
    assert lora(t5_large_modules("lora-all")) == 8_650_752
    assert sum(module.weight.numel() for module in t5_large_modules("ln-tuning")) == 124_928
    # (IA)^3 scales the outputs of keys and values, and the inputs of `wo`: the wider side of each.
    scaled = t5_large_modules("ia3")
    assert sum(max(module.in_features, module.out_features) for module in scaled) == 344_064
    assert len(t5_large_modules("ia3", "feedforward_modules")) == 48
    assert sum(2 * 1024 * 64 + 64 + module.out_features for module in t5_large_modules("houlsby")) == 12_687_360
