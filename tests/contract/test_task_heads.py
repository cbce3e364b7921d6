"""Every method on every kind of head: what the catalogue offers trains, and a forecast of its memory can be made."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from autopeft.domain.memory import StepShape
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ModelSpec
from autopeft.domain.tasks import HEADS, TaskSpec
from autopeft.memory.batch import empty_batch, label_count
from autopeft.memory.estimate import TracingEstimator
from autopeft.modeling.architecture import architecture_of
from autopeft.modeling.build import build_on_meta
from autopeft.modeling.step import build_optimizer, training_step
from autopeft.modeling.wrap import wrap
from autopeft.recommend.fit import catalog_objections
from autopeft.training.row_losses import row_losses
from tests.contract.method_cases import BERT, CATALOG, LLAMA, T5

SHAPE = StepShape(batch_size=4, max_length=16, target_length=8, dtype="float32", num_labels=3)
CONFIGS: dict[str, dict[str, Any]] = {"encoder": BERT, "decoder": LLAMA | {"pad_token_id": 0}, "encoder-decoder": T5}
# The heads and objectives that the other contract tests do not cover.
TASKS = [
    task
    for task in CATALOG.tasks.values()
    if task.head in ("token-classification", "question-answering", "multiple-choice")
    or task.id in ("regression", "multi-label-classification")
]
# Shadow's loss holds that of its own small network as well.
ADDS_A_LOSS = ("SHADOW",)
PLAIN = ("lora", "full", "head-only")


def cases(methods: Iterator[MethodSpec]) -> list[Any]:
    found = []
    for method in methods:
        for task in TASKS:
            for kind in task.architectures:
                architecture = architecture_of(CONFIGS[kind], CATALOG)
                if kind in CONFIGS and not catalog_objections(method, task, architecture):
                    name = f"{method.id}-{task.id}-{kind}"
                    marks = () if method.id in PLAIN and kind == "encoder" else (pytest.mark.slow,)
                    found.append(pytest.param(method, task, kind, id=name, marks=marks))
    return found


def random_batch(task: TaskSpec, vocabulary: int) -> dict[str, torch.Tensor]:
    drawn = torch.Generator().manual_seed(5)
    batch = empty_batch(task, SHAPE, "cpu")
    batch["attention_mask"].fill_(1)
    batch["input_ids"].random_(3, vocabulary, generator=drawn)
    below = label_count(task, SHAPE, vocabulary)
    for name in sorted(batch.keys() - {"attention_mask", "input_ids"}):
        batch[name].random_(0, below, generator=drawn)
    return batch


@pytest.mark.parametrize(("method", "task", "kind"), cases(iter(CATALOG.methods.values())))
def test_a_method_trains_on_the_head_and_its_rows_add_up_to_its_loss(
    method: MethodSpec, task: TaskSpec, kind: str
) -> None:
    config = CONFIGS[kind]
    torch.manual_seed(0)
    base = build_on_meta(ModelSpec("tiny", config), task, SHAPE).to_empty(device="cpu")
    with torch.no_grad():
        base.init_weights()
        for parameter in base.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.05)
    architecture = architecture_of(config, CATALOG)
    hyperparameters = method.start(base.num_parameters())
    model = wrap(base, method, hyperparameters, task, architecture, head_seed=1)
    batch = random_batch(task, config["vocab_size"])
    optimizer = build_optimizer(model, hyperparameters)
    before = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
    losses = [float(training_step(model, [batch], optimizer)) for _ in range(3)]
    assert all(torch.isfinite(torch.tensor(losses)))
    assert any(not torch.equal(p, before[name]) for name, p in model.named_parameters() if name in before)
    model.eval()
    with torch.no_grad():
        rows = row_losses(model, batch)
        own = float(model(**batch).loss)
    if method.builder not in ADDS_A_LOSS:
        assert float(rows.losses.sum() / rows.weights.sum()) == pytest.approx(own, rel=1e-4)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_memory_can_be_forecast_for_the_head(task: TaskSpec) -> None:
    lora = CATALOG.methods["lora"]
    hyperparameters = lora.start(10**5)
    estimate = TracingEstimator(CATALOG, cache=False)
    found = estimate(ModelSpec("tiny", BERT), task, lora, hyperparameters, SHAPE)
    parts = {name: size for name, size in found.components_bytes.items() if name != "allocator_overhead"}
    assert found.peak_bytes == sum(parts.values())
    longer = estimate(
        ModelSpec("tiny", BERT), task, lora, hyperparameters, StepShape(**{**shape_fields(), "max_length": 64})
    )
    assert longer.peak_bytes > found.peak_bytes


def shape_fields() -> dict[str, Any]:
    return {name: getattr(SHAPE, name) for name in SHAPE.__dataclass_fields__}


def test_every_head_has_its_plainest_task() -> None:
    assert {head.known_as for head in HEADS.values()} <= CATALOG.tasks.keys()
