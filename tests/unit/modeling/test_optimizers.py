"""Optimizers by name: what runs, and what stands in for it in a trace."""

import sys

import pytest
import torch
from torch import nn

from autopeft.domain.memory import OptimizerName
from autopeft.errors import MissingDependencyError, UsageError
from autopeft.memory.tracker import StorageTracker
from autopeft.modeling.optimizers import OPTIMIZERS, make_optimizer

# Bytes of the state of bitsandbytes 0.50.2's optimizers after one step, read off on a CPU, without the two code tables
# (1,024 B each) that all parameters share. Paged state is the same there: a CPU has no managed memory.
MEASURED_STATE_BYTES = [
    ("adamw-8bit", (64, 64), 4096 + 4096 + 64 + 64),
    ("adamw-8bit", (63, 65), 16380 + 16380),
    ("adamw-8bit", (10,), 40 + 40),
    ("paged-adamw-32bit", (64, 64), 16384 + 16384),
    ("paged-adamw-8bit", (64, 64), 4096 + 4096 + 64 + 64),
]
_CODE_TABLES = ("qmap1", "qmap2")


def _stepped(name: OptimizerName, shape: tuple[int, ...], device: str) -> tuple[torch.optim.Optimizer, nn.Parameter]:
    parameter = nn.Parameter(torch.ones(shape, device=device))
    optimizer = make_optimizer(name, [parameter], 0.1, None)
    parameter.grad = torch.ones(shape, device=device)
    optimizer.step()
    return optimizer, parameter


@pytest.mark.parametrize(("name", "shape", "measured"), MEASURED_STATE_BYTES)
def test_traced_state_has_the_bytes_of_the_real_one(name: OptimizerName, shape: tuple[int, ...], measured: int) -> None:
    optimizer, parameter = _stepped(name, shape, "meta")
    state = {key: value for key, value in optimizer.state[parameter].items() if key not in _CODE_TABLES}
    assert sum(value.untyped_storage().nbytes() for value in state.values()) == measured


def test_large_paged_moments_are_not_on_the_device() -> None:
    optimizer, parameter = _stepped("paged-adamw-32bit", (1000, 100), "meta")
    assert optimizer.state[parameter] == {}
    optimizer, parameter = _stepped("paged-adamw-8bit", (1000, 100), "meta")
    assert set(optimizer.state[parameter]) == {*_CODE_TABLES, "absmax1", "absmax2"}


def test_code_tables_are_shared() -> None:
    parameters = [nn.Parameter(torch.ones(64, 64, device="meta")) for _ in range(2)]
    optimizer = make_optimizer("adamw-8bit", parameters, 0.1, None)
    for parameter in parameters:
        parameter.grad = torch.ones(64, 64, device="meta")
    optimizer.step()
    first, second = (optimizer.state[parameter]["qmap1"] for parameter in parameters)
    assert first is second


@pytest.mark.parametrize("name", ["adamw", "adamw-fused", "adamw-for-loop", "adafactor", "sgd"])
def test_torch_optimizers_descend(name: OptimizerName) -> None:
    _, parameter = _stepped(name, (3, 5), "cpu")
    assert (parameter < 1).all()


def test_forms_of_adamw_agree() -> None:
    updated = [_stepped(name, (3, 5), "cpu")[1] for name in ("adamw", "adamw-fused", "adamw-for-loop")]
    torch.testing.assert_close(updated[0], updated[1])
    torch.testing.assert_close(updated[0], updated[2])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_can_be_traced(name: OptimizerName) -> None:
    with StorageTracker():  # which answers Adafactor when it asks for a norm
        _stepped(name, (3, 5), "meta")


def test_an_unknown_name_is_refused_with_those_that_exist() -> None:
    with pytest.raises(UsageError, match="lion") as caught:
        make_optimizer("lion", [], 0.1, None)  # type: ignore[arg-type]
    assert "adamw-8bit" in str(caught.value.hint)


def test_a_missing_bitsandbytes_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", None)
    with pytest.raises(MissingDependencyError, match="bitsandbytes") as caught:
        _stepped("adamw-8bit", (3, 5), "cpu")
    assert caught.value.exit_code == 5
