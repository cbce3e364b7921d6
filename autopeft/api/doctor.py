"""`doctor`: what this machine has, what works on it, and what to install for the rest; never fails."""

import os
import platform
import shutil
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import autopeft
from autopeft.api.extras import Extra, known_extras

PACKAGES = ("torch", "transformers", "peft", "datasets", "optuna", "scikit-learn", "safetensors", "huggingface-hub")
# Below this, an encoder as small as MiniLM and its data come close to what there is.
_LEAST_HOST_BYTES = 2 * 2**30


@dataclass(frozen=True, slots=True)
class Device:
    """Something to compute on.

    Attributes:
        name: for people.
        kind: `cuda` or `cpu`.
        free_bytes: of its memory, now; None where it cannot be told.
        total_bytes: of its memory, or None.
        note: what it is good for.
    """

    name: str
    kind: str
    free_bytes: int | None
    total_bytes: int | None
    note: str


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that works here or does not.

    Attributes:
        what: the command or feature.
        works: whether it does.
        hint: what to do where it does not, or what to know; may be empty.
    """

    what: str
    works: bool
    hint: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found.

    Attributes:
        devices: those to compute on, the one that is used first.
        versions: package -> version; None where it is not installed.
        checks: what works here.
        extras: optional packages.
    """

    devices: tuple[Device, ...]
    versions: dict[str, str | None]
    checks: tuple[Check, ...]
    extras: tuple[Extra, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "devices": [asdict(device) for device in self.devices],
            "versions": dict(self.versions),
            "checks": [asdict(check) for check in self.checks],
            "extras": [asdict(one) | {"missing": list(one.missing), "installed": one.installed} for one in self.extras],
        }


def doctor() -> Diagnosis:
    """Look around; whatever is missing is in the answer."""
    torch = _import("torch")
    versions: dict[str, str | None] = {"python": platform.python_version(), "autopeft": autopeft.__version__}
    return Diagnosis(
        devices=(*_gpus(torch), _cpu(torch)),
        versions=versions | {name: _version(name) for name in PACKAGES},
        checks=(_recommends(), *_trains(torch), _hub(), _disk()),
        extras=known_extras(),
    )


def _import(name: str) -> Any:
    """The module, or the error that its import gave."""
    try:
        return import_module(name)
    except Exception as error:  # a broken installation raises anything: OSError, RuntimeError, ImportError
        return error


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _gpus(torch: Any) -> list[Device]:
    if isinstance(torch, Exception) or not torch.cuda.is_available():
        return []
    found = []
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        fast = "bfloat16" if torch.cuda.is_bf16_supported() else "float32 only"
        found.append(Device(torch.cuda.get_device_name(index), "cuda", int(free), int(total), fast))
    return found


def _cpu(torch: Any) -> Device:
    capabilities = {} if isinstance(torch, Exception) else torch.cpu.get_capabilities()
    fast = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    note = f"{cores} cores, {'fast' if fast else 'no fast'} bfloat16"
    free, total = _host_memory()
    return Device(platform.machine() or "CPU", "cpu", free, total, note)


def _host_memory() -> tuple[int | None, int | None]:
    """(available, total) bytes, where the system says so."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None, None
    sizes = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
    return sizes.get("MemAvailable"), sizes.get("MemTotal")


def _recommends() -> Check:
    failed = _import("autopeft.catalog.load")
    if isinstance(failed, Exception):
        return Check("methods, explain, tasks", False, f"{failed}; pip install --upgrade autopeft")
    return Check("methods, explain, tasks", True, "")


def _trains(torch: Any) -> list[Check]:
    broken = [name for name in ("torch", "transformers", "peft") if _version(name) is None]
    if broken or isinstance(torch, Exception):
        why = f"{' and '.join(broken)} not installed" if broken else f"torch does not load: {torch}"
        hint = f"{why}; pip install --upgrade autopeft"
        return [Check("recommend, estimate", False, hint), Check("search, predict, merge", False, hint)]
    if torch.cuda.is_available():
        where = "on the GPU"
    elif torch.version.cuda:
        where = "on the CPU: this torch has CUDA, but no device answers; see `nvidia-smi`"
    else:
        where = "on the CPU: small models only; a GPU needs a torch with CUDA, see pytorch.org"
    return [Check("recommend, estimate", True, "no GPU needed"), Check("search, predict, merge", True, where)]


def _hub() -> Check:
    """Whether models can be fetched; the hub itself is not asked."""
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}:
        return Check("models from the hub", False, "HF_HUB_OFFLINE is set: what is in the cache, and local folders")
    hub = _import("huggingface_hub")
    if isinstance(hub, Exception):
        return Check("models from the hub", False, "pip install --upgrade autopeft")
    known = hub.get_token() is not None
    return Check(
        "models from the hub", True, "logged in" if known else "not logged in: gated ones need `hf auth login`"
    )


def _disk() -> Check:
    free = shutil.disk_usage(Path.cwd()).free
    enough = free > _LEAST_HOST_BYTES
    return Check("runs in this folder", enough, f"{free / 2**30:.1f} GiB free on the disk")
