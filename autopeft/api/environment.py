"""What a result was measured with."""

import platform
from importlib.metadata import version
from typing import Any

import torch

import autopeft


def environment(autocast: str | None) -> dict[str, Any]:
    """The `environment` part of result.json."""
    cuda = torch.cuda.is_available()
    return {
        "autopeft": autopeft.__version__,
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "transformers", "peft", "optuna")},
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "threads": torch.get_num_threads(),
        "autocast": autocast,
        "platform": platform.platform(terse=True),
    }
