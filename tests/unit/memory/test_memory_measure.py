from dataclasses import replace
from pathlib import Path

import pytest
import torch

from autopeft.catalog.load import load_catalog
from autopeft.domain.memory import DType, StepShape
from autopeft.memory.batch import empty_batch
from autopeft.memory.measure import measure_step
from autopeft.memory.operators import Operators
from autopeft.memory.stream import find_peak
from autopeft.memory.trace import trace_steps
from autopeft.modeling.architecture import architecture_of
from autopeft.modeling.build import build_on_meta, load_base
from autopeft.modeling.source import read_model
from autopeft.modeling.step import build_optimizer, training_step
from autopeft.modeling.wrap import wrap

SHAPE = StepShape(batch_size=8, max_length=32, target_length=16, dtype="float32")
ENCODER_METHODS = ("lora", "dora", "ia3", "full", "houlsby", "bitfit", "prefix-tuning", "head-only")
CASES = [
    *[("minilm-tiny-distilled", "sequence-classification", method) for method in ENCODER_METHODS],
    ("stories260k", "causal-lm", "lora-all"),
    ("t5-tiny-news", "text-to-text", "lora"),
]


@pytest.mark.parametrize("autocast", [None, "bfloat16"])
@pytest.mark.parametrize(("name", "task_id", "method_id"), CASES)
def test_prediction_without_weights_equals_the_real_step_to_the_byte(
    material: Path, name: str, task_id: str, method_id: str, autocast: DType | None
) -> None:
    catalog = load_catalog()
    model, task, method = (
        read_model(str(material / "models" / name), catalog),
        catalog.tasks[task_id],
        catalog.methods[method_id],
    )
    architecture, knobs = architecture_of(model.config, catalog), method.start(10**6)
    shape = replace(SHAPE, autocast=autocast)

    bare = wrap(build_on_meta(model, task, shape), method, knobs, task, architecture)
    stream = trace_steps(
        bare,
        empty_batch(task, shape),
        build_optimizer(bare, knobs),
        steps=1,
        operators=Operators("cpu", autocast),
        host_counts=True,
    )

    real = wrap(load_base(model, task, 2), method, knobs, task, architecture, head_seed=1).train()
    optimizer = build_optimizer(real, knobs)
    batch = {key: torch.ones_like(value) for key, value in empty_batch(task, shape, "cpu").items()}
    dtype = getattr(torch, autocast) if autocast else None
    existing = [*real.parameters(), *real.buffers(), *batch.values()]
    measured = measure_step(lambda: training_step(real, [batch], optimizer, autocast=dtype), existing)

    assert find_peak(stream, int).peak_bytes == measured
