import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_configs import tiny_config
from torch import nn

from autopeft.api.estimate import estimate
from autopeft.memory.operators import Operators
from autopeft.memory.pricing import price
from autopeft.memory.stream import ALLOC, PHASE, PHASES, EventStream
from autopeft.memory.trace import trace_steps
from autopeft.memory.workspace import cublas_workspace_bytes

MIB = 2**20


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8, device="meta")

    def forward(self, x: torch.Tensor) -> object:
        out = type("Out", (), {})()
        out.loss = self.layer(x).sum()
        return out


def _traced(operators: Operators, tokens: int = 4, first: int | None = None) -> EventStream:
    model = Tiny()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    first_batch = None if first is None else {"x": torch.zeros(first, 8, device="meta")}
    batch = {"x": torch.zeros(tokens, 8, device="meta")}
    return trace_steps(model, batch, optimizer, operators=operators, first_batch=first_batch)


def test_workspaces_grow_with_hopper() -> None:
    assert cublas_workspace_bytes() == cublas_workspace_bytes((8, 9)) == 8.125 * MIB
    assert cublas_workspace_bytes((9, 0)) == cublas_workspace_bytes((10, 0)) == 32 * MIB


def test_each_thread_makes_its_workspace_once_and_keeps_it() -> None:
    stream = _traced(Operators("cuda", None, (8, 0)))
    size = cublas_workspace_bytes((8, 0))
    phases, kept = [], 0
    phase = 0
    for kind, number in stream.events:
        phase = number if kind == PHASE else phase
        if kind != PHASE and stream.sizes[number] == size:
            phases.append(PHASES[phase])
            kept += 1 if kind == ALLOC else -1
    assert phases == ["forward", "backward"]
    assert kept == 2


def test_a_step_on_hopper_needs_both_larger_workspaces(tiny: Any) -> None:
    before, since = (price(tiny.pricing("llama", "lora", compute_capability=(n, 0))) for n in (8, 9))
    assert since.peak_bytes - before.peak_bytes == 2 * (cublas_workspace_bytes((9, 0)) - cublas_workspace_bytes((8, 0)))


def test_the_named_device_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    config = tmp_path / "config.json"
    config.write_text(json.dumps(tiny_config("llama")))
    peaks = {
        gpu: estimate(str(config), gpu=gpu, batch_size=2, max_length=16).peak_bytes for gpu in ("L40S", "A100", "H100")
    }
    assert peaks["L40S"] == peaks["A100"] < peaks["H100"]


def test_a_cpu_has_none() -> None:
    stream = _traced(Operators("cpu", None))
    assert cublas_workspace_bytes() not in stream.sizes


def test_the_first_step_runs_on_the_first_batch() -> None:
    outputs = 4 * 8
    stream = _traced(Operators("cpu", None), tokens=100, first=50)
    starts = [at for at, (kind, number) in enumerate(stream.events) if kind == PHASE and PHASES[number] == "forward"]
    made = [stream.sizes[n] for kind, n in stream.events[starts[0] : starts[1]] if kind == ALLOC]
    then = [stream.sizes[n] for kind, n in stream.events[starts[1] :] if kind == ALLOC]
    assert 50 * outputs in made and 100 * outputs not in made
    assert 100 * outputs in then and 50 * outputs not in then
