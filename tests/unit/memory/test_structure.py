"""Methods that compute on weights are wrapped on real ones and traced on meta; sparse tensors trace there too."""

import pytest
import torch
from torch import nn

from autopeft.catalog import load_catalog
from autopeft.domain.memory import DType, StepShape
from autopeft.domain.models import ModelSpec
from autopeft.errors import ModelError
from autopeft.memory.operators import Operators
from autopeft.memory.pricing import trace_estimate
from autopeft.memory.structure import to_meta, wrap_for_trace
from autopeft.modeling.architecture import architecture_of
from autopeft.modeling.build import build_on_meta
from autopeft.modeling.wrap import wrap

CATALOG = load_catalog()
CONFIG = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 50,
}
ON_WEIGHTS = ("boft", "shira", "unilora", "frod", "adamss")


@pytest.mark.parametrize("method_id", ON_WEIGHTS)
def test_a_method_that_computes_on_weights_ends_on_meta_with_as_many_parameters(method_id: str) -> None:
    method, task = CATALOG.method(method_id), CATALOG.task("causal-lm")
    architecture = architecture_of(CONFIG, CATALOG)
    base = build_on_meta(ModelSpec("small", CONFIG), task, StepShape(dtype="float32"))
    knobs = method.start(100_000)
    with pytest.raises(ModelError):
        wrap(base, method, knobs, task, architecture)
    traced = wrap_for_trace(base, method, knobs, task, architecture)
    assert all(p.is_meta for p in traced.parameters())
    assert all(p.is_meta for p in base.parameters())
    real = build_on_meta(ModelSpec("small", CONFIG), task, StepShape(dtype="float32")).to_empty(device="cpu")
    torch.manual_seed(0)
    for parameter in real.parameters():
        nn.init.normal_(parameter, std=0.1)
    counted = sum(p.numel() for p in wrap(real, method, knobs, task, architecture).parameters() if p.requires_grad)
    assert sum(p.numel() for p in traced.parameters() if p.requires_grad) == counted


def test_what_does_not_apply_is_still_refused() -> None:
    method, task = CATALOG.method("shira"), CATALOG.task("causal-lm")
    base = build_on_meta(ModelSpec("small", CONFIG), task, StepShape())
    with pytest.raises(ModelError, match="r 60 of shira must leave"):
        wrap_for_trace(base, method, method.start(100_000) | {"r": 60}, task, architecture_of(CONFIG, CATALOG))


# In float32 FRoD multiplies by its sparse matrix, else by a dense copy.
@pytest.mark.parametrize(
    ("method_id", "dtype"), [("shira", "bfloat16"), ("waveft", "bfloat16"), ("frod", "bfloat16"), ("frod", "float32")]
)
def test_sparse_methods_are_priced(method_id: str, dtype: DType) -> None:
    method = CATALOG.method(method_id)
    estimate = trace_estimate(
        ModelSpec("small", CONFIG),
        CATALOG.task("causal-lm"),
        method,
        method.start(100_000),
        StepShape(batch_size=2, max_length=16, dtype=dtype),
        architecture_of(CONFIG, CATALOG),
    )
    assert estimate.peak_bytes > estimate.components_bytes["weights"] > 0


def test_twins_share_what_the_tensors_shared() -> None:
    model = nn.Module()
    model.one = nn.Linear(4, 4)
    model.two = nn.Linear(4, 4)
    model.two.weight = model.one.weight
    model.held = {"plain": torch.zeros(50)}
    model.half = model.held["plain"][:25]
    twin = to_meta(model)
    assert twin.one.weight is twin.two.weight and twin.one.weight.is_meta and twin.one.weight.requires_grad
    plain, half = twin.held["plain"], twin.half
    assert plain.is_meta and half.shape == (25,)
    assert plain.untyped_storage()._cdata == half.untyped_storage()._cdata


def test_a_gradient_hook_is_not_lost_in_silence() -> None:
    model = nn.Linear(2, 2)
    model.weight.register_hook(lambda gradient: gradient)
    with pytest.raises(ModelError, match="gradient hook"):
        to_meta(model)


def test_a_sparse_matrix_on_meta_carries_gradients_to_its_values() -> None:
    values = torch.empty(3, device="meta", requires_grad=True)
    dense = torch.empty(4, 5, device="meta").clone()
    with Operators().active():
        sparse = torch.sparse_coo_tensor(torch.empty(2, 3, device="meta", dtype=torch.int32), values * 2, (4, 5))
        dense += sparse
    dense.sum().backward()
    assert dense.shape == (4, 5) and values.grad is not None and values.grad.shape == (3,)


def test_a_sparse_matrix_on_meta_multiplies_and_carries_gradients_to_both() -> None:
    values = torch.empty(3, device="meta", requires_grad=True)
    dense = torch.empty(5, 7, device="meta", requires_grad=True)
    with Operators().active():
        sparse = torch.sparse_coo_tensor(torch.empty(2, 3, device="meta", dtype=torch.int32), values, (4, 5))
        product = torch.sparse.mm(sparse.coalesce(), dense)
    product.sum().backward()
    assert product.shape == (4, 7)
    assert values.grad is not None and values.grad.shape == (3,)
    assert dense.grad is not None and dense.grad.shape == (5, 7)


def test_a_mask_on_meta_picks_everything() -> None:
    rows = torch.empty(2, 6, device="meta")
    with Operators().active():
        assert rows[:, torch.empty(6, device="meta") > 0].shape == (2, 6)
