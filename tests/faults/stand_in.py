"""Training made up: each slice's state is a hash of the state before it, so that whatever is mixed up shows.

Loads no torch, so that a worker process of it starts at once. Numbers and bytes depend on the trial's spec, its seed
and its step alone, as those of real slices do.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from autopeft.domain.evaluation import Evaluation
from autopeft.domain.trials import SliceResult, TrialSpec
from autopeft.errors import DamagedStateError, RunError
from autopeft.execution.protocol import SliceTask

ROWS = 16
WEIGHTS = 256
RUNGS = (10, 30, 90)
FULL_STEPS = RUNGS[-1]
METHODS = ("lora", "ia3", "houlsby")


def state_after(spec: TrialSpec, step: int) -> bytes:
    """Trained from scratch to a rung: 32 bytes."""
    state = hashlib.sha256(json.dumps([spec.method, dict(spec.hyperparameters), spec.seed]).encode()).digest()
    for rung in RUNGS:
        if rung <= step:
            state = _trained(state, rung)
    return state


def train(task: SliceTask) -> SliceResult:
    """One slice, from the checkpoint where there is one to begin with; its results are made of what it read."""
    spec, folder, from_step, to_step = task.spec, task.folder, task.from_step, task.to_step
    state = state_after(spec, from_step) if task.restart or from_step == 0 else load(folder, from_step)
    state = _trained(state, to_step)
    save(folder, to_step, state)
    return result_of(spec, to_step, state)


def result_of(spec: TrialSpec, to_step: int, state: bytes) -> SliceResult:
    """What a slice that ends in this state says: LoRA with a high rate is good, and more steps help."""
    rate = float(cast(float, spec.hyperparameters["learning_rate"]))
    loss = abs(rate - 1e-2) + (0.0 if spec.method == "lora" else 0.5) + 1.0 / to_step + state[0] / 1e4
    scores = tuple(float(byte % 4 > 0) for byte in state[:ROWS])
    metric = sum(scores) / ROWS
    curve = ((to_step, loss + 0.1),)
    rows = scores if to_step == FULL_STEPS else ()
    return SliceResult(to_step, loss, 0.01, metric, 0.05, curve, 0.1, 0.01, 0.11, 1000, WEIGHTS, rows)


def evaluation(state: bytes) -> Evaluation:
    """Of the test split."""
    labels = tuple(byte % 4 > 0 for byte in state[ROWS:])
    return Evaluation(tuple(byte / 256 for byte in state[ROWS:]), (1.0,) * ROWS, (1,) * ROWS, tuple(map(int, labels)))


def checkpoint(folder: Path, step: int) -> Path:
    """Where the state after a step lies, as for real training."""
    return folder / "checkpoint" / f"step-{step:07d}.safetensors"


def save(folder: Path, step: int, state: bytes) -> None:
    """The state, atomically.

    Raises:
        RunError: the disk is full or not writable.
    """
    path = checkpoint(folder, step)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(_tensors(state), temporary)
        os.replace(temporary, path)
    except (OSError, SafetensorError) as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise RunError(f"cannot write {path}: {error}", hint="make room, then `autopeft resume`") from error


def load(folder: Path, step: int) -> bytes:
    """The state after a step.

    Raises:
        DamagedStateError: it is not there, or not what was written.
    """
    try:
        with safe_open(checkpoint(folder, step), "numpy") as stored:
            found = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - no mapping
    except (OSError, SafetensorError) as error:
        raise DamagedStateError(f"cannot read {checkpoint(folder, step)}: {error}") from error
    state = found["state"].tobytes()
    if not all(np.array_equal(found[name], tensor) for name, tensor in _tensors(state).items()):
        raise DamagedStateError("the weights are not those of the state")
    return state


def _tensors(state: bytes) -> Mapping[str, Any]:
    """The state, and weights enough for a file of some size."""
    weights = hashlib.shake_256(state).digest(WEIGHTS * 4)
    return {"state": np.frombuffer(state, np.uint8), "weights": np.frombuffer(weights, np.uint8)}


def _trained(state: bytes, rung: int) -> bytes:
    return hashlib.sha256(state + rung.to_bytes(4, "big")).digest()


def export(spec: TrialSpec, state: bytes, target: Path) -> None:
    """An adapter folder that holds the state.

    Raises:
        RunError: the disk is full or not writable.
    """
    try:
        target.mkdir(parents=True, exist_ok=True)
        save_file(_tensors(state), target / "adapter_model.safetensors")
        (target / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "trained": spec.method}))
    except (OSError, SafetensorError) as error:
        raise RunError(f"cannot write {target}: {error}", hint="make room, then `autopeft resume`") from error
