"""What is remembered of operators on meta is what they would have given."""

import pytest
import torch

from autopeft.memory.meta_memo import RememberedShapes
from autopeft.memory.tracker import StorageTracker

META = torch.device("meta")
CALLS = {
    "sized with a number of Python's": lambda: torch.empty(2, 3, dtype=torch.bfloat16, device=META) * 2.0,
    "whole numbers lifted by Python": lambda: torch.empty(2, 3, dtype=torch.int64, device=META) * 2.5,
    "whole numbers lifted by a tensor": lambda: (
        torch.empty(2, 3, dtype=torch.int64, device=META) * torch.tensor(2.5, dtype=torch.float64)
    ),
    "the host's numbers alone": lambda: torch.tensor(2.5, dtype=torch.float64).to(torch.bfloat16),
    "a number on the device": lambda: torch.empty((), dtype=torch.float64, device=META).to(torch.bfloat16),
    "broadcast and permuted": lambda: (
        torch.empty(4, 1, 3, device=META).transpose(0, 2) + torch.empty(1, 4, device=META)
    ),
    "several results": lambda: torch.native_layer_norm(
        torch.empty(2, 5, device=META), [5], torch.ones(5, device=META), torch.zeros(5, device=META), 1e-5
    ),
    "joined": lambda: torch.cat([torch.empty(2, 3, device=META), torch.empty(2, 3, device=META)], 1),
    "a parameter": lambda: torch.nn.Parameter(torch.empty(3, device=META)).detach() * torch.empty(2, 3, device=META),
}


def layouts(out: torch.Tensor | tuple[torch.Tensor, ...]) -> list[tuple[object, ...]]:
    parts = out if isinstance(out, tuple) else (out,)
    return [(one.shape, one.stride(), one.dtype, one.device) for one in parts]


@pytest.mark.parametrize("name", CALLS)
def test_the_second_answer_is_the_first(name: str) -> None:
    plain = layouts(CALLS[name]())
    known: dict[object, object] = {}
    for other in (*CALLS.values(), CALLS[name], CALLS[name]):
        with StorageTracker(run=RememberedShapes(known)):
            out = other()
    assert layouts(out) == plain


def test_an_update_in_place_gives_the_same_tensors() -> None:
    weights = [torch.empty(3, device=META), torch.empty(2, 2, device=META)]
    with StorageTracker(run=RememberedShapes({})):
        torch._foreach_mul_(weights, 0.9)
    assert [w.shape for w in weights] == [(3,), (2, 2)]
