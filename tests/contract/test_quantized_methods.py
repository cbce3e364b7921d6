"""What methods declare about quantised bases, tried on small Llama models in 4 and 8 bits; needs bitsandbytes."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from method_cases import CATALOG, FAMILIES, LLAMA, applies, batch_for, write_pretrained
from torch import Tensor, nn

from autopeft.domain.memory import StepShape
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ModelSpec
from autopeft.domain.step_checks import refused_method
from autopeft.errors import ModelError
from autopeft.memory.pricing import BaseModels, Pricing, price
from autopeft.modeling.adapter_files import load_adapter, save_adapter
from autopeft.modeling.architecture import architecture_of
from autopeft.modeling.build import load_base
from autopeft.modeling.source import read_model
from autopeft.modeling.step import build_optimizer, training_step
from autopeft.modeling.wrap import wrap

TASK = CATALOG.tasks[FAMILIES["llama-lm"][0]]
ARCHITECTURE = architecture_of(LLAMA, CATALOG)
STEPS = 6
ON_META = BaseModels()
DECLARED = [
    method
    for method in CATALOG.methods.values()
    if method.can("quantized_base") and (method.can("needs_quantized_base") or applies(method, TASK, ARCHITECTURE))
]
# Those that are used by default, and the one that is for nothing else; the others in the slow run.
# Four bits and not eight.
NOT_IN_8_BITS = [method for method in DECLARED if method.can("int8_base") is False]
METHODS = [
    pytest.param(
        method,
        id=method.id,
        marks=[] if not method.by_name_only or method.can("needs_quantized_base") else pytest.mark.slow,
    )
    for method in DECLARED
]
BASES = [
    pytest.param("nf4"),
    pytest.param("nf4-double", marks=pytest.mark.slow),
    pytest.param("int8", marks=pytest.mark.slow),
]


@pytest.fixture(scope="module")
def base_in(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str | None], tuple[Any, ModelSpec]]:
    pytest.importorskip("bitsandbytes")
    folder = tmp_path_factory.mktemp("quantised")
    write_pretrained(LLAMA, TASK, folder)

    @cache
    def read(layout: Any) -> tuple[Any, ModelSpec]:
        model = replace(read_model(str(folder), CATALOG), quantization=layout)
        return load_base(model, TASK, 2), model

    return read


def frozen(base: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in base.named_parameters()}


@torch.no_grad()
def answer(model: nn.Module, batch: dict[str, Tensor]) -> Any:
    return model.eval()(**batch)


@pytest.mark.parametrize("layout", BASES)
@pytest.mark.parametrize("method", METHODS)
def test_it_learns_leaves_the_base_and_reloads(method: MethodSpec, layout: str, base_in: Any, tmp_path: Path) -> None:
    if layout == "int8" and method in NOT_IN_8_BITS:
        pytest.skip("refused, as another test shows")
    base, model = base_in(layout)
    before, batch = frozen(base), batch_for(TASK, base.config.vocab_size)
    hyperparameters = method.start(base.num_parameters())
    torch.manual_seed(0)
    wrapped = wrap(base, method, hyperparameters, TASK, ARCHITECTURE)
    started = answer(wrapped, batch).loss
    optimizer = build_optimizer(wrapped, hyperparameters)
    for _ in range(STEPS):
        training_step(wrapped.train(), [batch], optimizer, max_grad_norm=1.0)
    ended = answer(wrapped, batch)
    assert ended.loss < started
    assert all(torch.equal(value, before[name]) for name, value in base.named_parameters())
    save_adapter(wrapped, tmp_path)
    assert torch.equal(answer(load_adapter(model, tmp_path, TASK, 2), batch).logits, ended.logits)


@pytest.mark.parametrize("layout", [pytest.param("nf4"), pytest.param("int8", marks=pytest.mark.slow)])
@pytest.mark.parametrize("method", METHODS)
def test_its_memory_is_predicted(method: MethodSpec, layout: Any) -> None:
    if layout == "int8" and method in NOT_IN_8_BITS:
        pytest.skip("refused, as another test shows")
    shape = StepShape(batch_size=2, max_length=16, dtype="bfloat16", quantization=layout)
    found = price(
        Pricing(ModelSpec("tiny", LLAMA), TASK, method, method.start(10**5), shape, ARCHITECTURE, bases=ON_META)
    )
    own = found.components_bytes["activations"], found.components_bytes["adapter"]
    assert all(own) and found.total_parameters > found.trainable_parameters


@pytest.mark.parametrize("method", NOT_IN_8_BITS, ids=lambda method: method.id)
def test_a_method_that_fails_in_8_bits_is_refused_there_and_pointed_to_4(method: MethodSpec) -> None:
    refusal = refused_method(method, StepShape(quantization="int8"))
    assert refusal is not None and "nf4" in refusal.hint
    assert refused_method(method, StepShape(quantization="nf4")) is None


def test_loftq_starts_nearer_to_what_the_base_was(base_in: Any) -> None:
    batch = batch_for(TASK, LLAMA["vocab_size"])
    plain, quantised = (base_in(layout)[0] for layout in (None, "nf4"))
    method = CATALOG.methods["loftq"]
    own, there = answer(plain, batch).logits, answer(quantised, batch).logits
    knobs = method.complete({"r": 32, "alpha": 8}, 0)
    started = answer(wrap(quantised, method, knobs, TASK, ARCHITECTURE), batch).logits
    assert (started - own).norm() < (there - own).norm()


def test_loftq_needs_a_quantised_base(base_in: Any) -> None:
    method = CATALOG.methods["loftq"]
    with pytest.raises(ModelError, match="not quantised"):
        wrap(base_in(None)[0], method, method.start(0), TASK, ARCHITECTURE)
    refusal = refused_method(method, StepShape())
    assert refusal is not None and "lora" in refusal.hint
    assert refused_method(method, StepShape(quantization="nf4")) is None
