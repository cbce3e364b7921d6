"""A trial's state on disk: trainable tensors and optimizer moments in one safetensors file a step.

A file carries the sha256 of its tensors: what a disk or a copy has changed is found out before it is trained on.
"""

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from autopeft.errors import DamagedStateError, RunError
from autopeft.modeling.adapter_files import load_trainable_state, trainable_state
from autopeft.modeling.sharded import shared_like, whole

# `projection` is of GaLore.
_MOMENTS = ("exp_avg", "exp_avg_sq", "step", "projection")
_SEAL = "sha256"
_HINT = "restore the file, then `autopeft resume`"


def checkpoint_path(folder: Path, step: int) -> Path:
    """The file of the state after `step` optimizer steps."""
    return folder / f"step-{step:07d}.safetensors"


def save_checkpoint(
    folder: Path, step: int, model: torch.nn.Module, optimizer: torch.optim.Optimizer, *, writes: bool = True
) -> Path:
    """Write the state after `step`, atomically. Earlier files stay until `prune_checkpoints`.

    Args:
        folder: of the trial's checkpoints.
        step: optimizer steps done.
        model: as `wrap` gave it; of a sharded one the file holds what is whole, and every process must ask.
        optimizer: of the model.
        writes: whether this process writes the file.

    Raises:
        RunError: the disk is full or not writable.
    """
    path = checkpoint_path(folder, step)
    tensors = {f"model.{name}": tensor for name, tensor in trainable_state(model).items()}
    tensors |= _optimizer_tensors(model, optimizer)
    if writes:
        save_tensors(tensors, path)
    return path


def save_tensors(tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write tensors as one safetensors file, atomically; its folder is made where it is not there.

    Raises:
        RunError: the disk is full or not writable.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        save_file(plain, temporary, metadata={_SEAL: _digest(plain)})
        with open(temporary, "rb") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except (OSError, SafetensorError) as error:
        with suppress(OSError):  # its folder may be what cannot be written
            temporary.unlink(missing_ok=True)
        raise RunError(f"cannot write {path}: {error}", hint="make room, then `autopeft resume`") from error


def load_tensors(path: Path) -> dict[str, torch.Tensor]:
    """What `save_tensors` wrote.

    Raises:
        DamagedStateError: the file is missing, or not what was written.
    """
    try:
        with safe_open(path, framework="pt") as stored:
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - no mapping
            seal = (stored.metadata() or {}).get(_SEAL)
    except (OSError, SafetensorError) as error:
        raise DamagedStateError(f"cannot read {path}: {error}", hint=_HINT) from error
    if seal != _digest(tensors):
        raise DamagedStateError(f"{path} is not what was written: its checksum differs", hint=_HINT)
    return tensors


def _digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """sha256 over names, shapes, dtypes and bytes."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def load_checkpoint(folder: Path, step: int, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Put the state after `step` into model and optimizer.

    Raises:
        DamagedStateError: the file is missing, or not what was written.
    """
    tensors = load_tensors(checkpoint_path(folder, step))
    prefix = "model."
    load_trainable_state(model, {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)})
    for name, parameter in _trainable(model):
        state = {moment: tensors.get(f"optimizer.{moment}.{name}") for moment in _MOMENTS}
        if state["step"] is not None:
            optimizer.state[parameter] = {
                moment: value if moment == "step" else _placed(value, parameter)
                for moment, value in state.items()
                if value is not None
            }


def prune_checkpoints(folder: Path, keep_step: int | None) -> None:
    """Delete every checkpoint but that of `keep_step` (None: all of them)."""
    keep = None if keep_step is None else checkpoint_path(folder, keep_step)
    for path in folder.glob("*.safetensors"):
        if path != keep:
            path.unlink(missing_ok=True)
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)


def _optimizer_tensors(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    return {
        f"optimizer.{moment}.{name}": whole(optimizer.state[parameter][moment])
        for name, parameter in _trainable(model)
        for moment in _MOMENTS
        if moment in optimizer.state.get(parameter, {})
    }


def _placed(moment: torch.Tensor, parameter: torch.nn.Parameter) -> torch.Tensor:
    """Divided where the parameter is; GaLore's moments have a shape of their own."""
    return shared_like(moment, parameter) if moment.shape == parameter.shape else moment.to(parameter.device)


def _trainable(model: torch.nn.Module) -> list[tuple[str, torch.nn.Parameter]]:
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
