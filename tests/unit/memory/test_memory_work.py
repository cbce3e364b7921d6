"""What a traced step computes and moves, against sums made by hand."""

import json
from collections import Counter
from typing import Any

import pytest
import torch
from torch import nn

from autopeft.domain.work import Operation, StepWork
from autopeft.memory.depth import layer_kinds, stacks_of
from autopeft.memory.extrapolate_work import extrapolate_operations
from autopeft.memory.operations import step_work
from autopeft.memory.stream import OperationCounts, Recorded
from autopeft.memory.structure import KeptOnHost, to_meta
from autopeft.memory.trace import trace_steps
from autopeft.memory.tracker import StorageTracker
from autopeft.modeling.config import transformers_config

ROWS, IN, OUT = 32, 48, 80
# `torch.empty` within a test's own call.
_EMPTY = {Operation("host"): 1}


def counted(run: Any) -> dict[Operation, int]:
    """The operations of one call in the forward phase."""
    with StorageTracker() as tracker:
        tracker.enter("forward")
        run()
    return dict(step_work(tracker.finish().operations).phases["forward"])


class _Loss(nn.Module):
    """A linear layer whose squared output is the loss, in the form of a transformers model."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(IN, OUT, bias=False, device="meta")

    def forward(self, x: torch.Tensor) -> Any:
        return type("Output", (), {"loss": self.linear(x).square().sum(), "logits": None})


def test_a_linear_model_computes_and_moves_what_the_hand_count_says() -> None:
    model = _Loss()
    batch = {"x": torch.empty(ROWS, IN, device="meta")}
    stream = trace_steps(model, batch, torch.optim.AdamW(model.parameters(), foreach=True))
    work = step_work(stream.operations)
    product = Operation("matmul", "float32", 2 * ROWS * IN * OUT, 4 * (ROWS * IN + IN * OUT + ROWS * OUT))
    # The input wants no gradient, so the backward pass has the weight's product alone.
    assert {one: n for one, n in work.phases["forward"].items() if one.kind == "matmul"} == {product: 1}
    assert {one: n for one, n in work.phases["backward"].items() if one.kind == "matmul"} == {product: 1}
    assert work.flops == stream.step_flops == 2 * product.flops
    updates = {one.moved_bytes for one in work.phases["optimizer"] if one.kind == "foreach"}
    assert updates, "AdamW's update runs over the weight"
    assert all(size % (4 * IN * OUT) == 0 for size in updates)


def test_views_and_empty_tensors_cost_the_host_alone() -> None:
    tensor = torch.empty(8, 8, device="meta")
    found = counted(lambda: (tensor.t(), tensor.view(64), tensor[2], tensor.expand(3, 8, 8), torch.empty_like(tensor)))
    assert found == {Operation("host"): 5}


def test_an_embedding_moves_the_rows_that_it_takes_not_the_table() -> None:
    table = torch.empty(10_000, 64, device="meta")
    tokens = torch.empty(16, dtype=torch.long, device="meta")
    found = counted(lambda: nn.functional.embedding(tokens, table))
    assert found == {Operation("other", moved_bytes=2 * 16 * 64 * 4 + 16 * 8): 1}


def test_an_overwritten_tensor_is_not_read_and_one_used_twice_is_read_once() -> None:
    tensor = torch.empty(100, device="meta")
    assert counted(lambda: tensor.zero_()) == {Operation("other", moved_bytes=400): 1}
    assert counted(lambda: tensor * tensor) == {Operation("other", moved_bytes=800): 1}


def test_an_expanded_tensor_counts_what_lies_in_memory() -> None:
    row = torch.empty(1, 100, device="meta").expand(50, 100)
    assert counted(lambda: row.clone(memory_format=torch.contiguous_format)) == {
        Operation("other", moved_bytes=400 + 50 * 400): 1
    }


def test_a_solver_works_off_columns_one_after_the_other() -> None:
    matrix = torch.eye(24)
    assert counted(lambda: torch.linalg.solve(matrix, matrix))[Operation("serial")] >= 24


def test_reading_a_value_waits_for_the_device() -> None:
    value = torch.empty((), device="meta")
    assert counted(lambda: bool(value > 0))[Operation("sync")] == 1


def test_a_copy_from_the_host_is_a_transfer() -> None:
    assert counted(lambda: torch.empty(10, 10).to("meta")) == {Operation("transfer", moved_bytes=400): 1, **_EMPTY}


def test_what_a_method_moves_to_the_host_stays_there_for_the_trace() -> None:
    model = nn.Linear(4, 4)
    with KeptOnHost() as kept:
        model.register_buffer("moved", torch.ones(8, 8).cpu().to(dtype=torch.bfloat16))
        model.register_buffer("stayed", torch.ones(8, 8).to(model.weight.device))
    found = to_meta(model, kept.tensors)
    assert {name: one.device.type for name, one in found.state_dict(keep_vars=True).items()} == {
        "weight": "meta",
        "bias": "meta",
        "moved": "cpu",
        "stayed": "meta",
    }


@pytest.mark.parametrize("method", ["lora", "prefix-tuning", "full"])
@pytest.mark.parametrize("kind", ["llama", "bert", "t5"])
def test_two_shallow_models_give_the_work_of_the_deep_one(tiny: Any, kind: str, method: str) -> None:
    pricing = tiny.pricing(kind, method)
    config = transformers_config(pricing.model, pricing.task, pricing.shape.num_labels)
    (stack,) = stacks_of(pricing.model, layer_kinds(config)) or ()
    shallow, deeper = (pricing.traced({stack: layers}).stream.operations for layers in (3, 4))
    made = extrapolate_operations(shallow, deeper, stack.layers - 4)
    assert made == pricing.traced().stream.operations
    assert step_work(made).launches > 50


def test_an_operator_that_spans_all_layers_grows_with_the_depth() -> None:
    def at(layers: int) -> OperationCounts:
        spans = Recorded(1, "cat", Operation("other", moved_bytes=100 + 10 * layers))
        return Counter({spans: 1, Recorded(1, "mm", Operation("matmul", "float32", 8, 8)): 3 * layers})

    assert extrapolate_operations(at(2), at(3), 7) == at(10)


def test_counts_that_differ_by_more_than_layers_are_refused() -> None:
    lost = Recorded(1, "cat", Operation("other", moved_bytes=4))
    kept = Recorded(1, "mm", Operation("matmul", "float32", 8, 8))
    assert extrapolate_operations(Counter({lost: 1, kept: 1}), Counter({kept: 2}), 3) is None


def test_work_survives_json_and_stays_small(tiny: Any) -> None:
    work = step_work(tiny.pricing("t5", "dora").traced().stream.operations)
    text = json.dumps(work.to_dict())
    assert StepWork.from_dict(json.loads(text)) == work
    assert sum(map(len, work.phases.values())) < 400
    assert len(text) < 20_000
