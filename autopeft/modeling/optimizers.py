"""The optimizers that a step may use, by name; on the meta device stand-ins where the real kernel needs a GPU."""

from collections.abc import Iterable
from functools import partial
from importlib import import_module
from typing import Any, get_args

import torch
from torch import Tensor, nn

from autopeft.domain.memory import OptimizerName
from autopeft.errors import MissingDependencyError, UsageError

# torch.optim.AdamW's own default, used for methods without a weight_decay knob.
DEFAULT_WEIGHT_DECAY = 0.01
# bitsandbytes/optim/optimizer.py (0.50.2): Optimizer2State.init_state and get_state_buffer.
_LEAST_8BIT_ELEMENTS = 4096
_LEAST_PAGED_ELEMENTS = 100_000
_STATE_BLOCK = 256
_CODE_ENTRIES = 256

_BITSANDBYTES: dict[str, str] = {
    "adamw-8bit": "AdamW8bit",
    "paged-adamw-8bit": "PagedAdamW8bit",
    "paged-adamw-32bit": "PagedAdamW32bit",
}
# Each torch form is named outright, so that the traced update makes the temporaries of the one that runs.
_TORCH: dict[str, tuple[Any, float]] = {
    "adamw": (partial(torch.optim.AdamW, foreach=True), DEFAULT_WEIGHT_DECAY),
    "adamw-fused": (partial(torch.optim.AdamW, fused=True), DEFAULT_WEIGHT_DECAY),
    "adamw-for-loop": (partial(torch.optim.AdamW, foreach=False, fused=False), DEFAULT_WEIGHT_DECAY),
    "adafactor": (partial(torch.optim.Adafactor, foreach=False), 0.0),
    "sgd": (partial(torch.optim.SGD, foreach=True), 0.0),
}
OPTIMIZERS: tuple[OptimizerName, ...] = get_args(OptimizerName)


def make_optimizer(
    name: OptimizerName, parameters: Iterable[nn.Parameter], learning_rate: float, weight_decay: float | None
) -> torch.optim.Optimizer:
    """The optimizer called `name`.

    On the meta device the fused and bitsandbytes forms, which have no meta kernels, are stood in for by `TracedAdamW`.

    Args:
        name: as in `StepShape.optimizer`.
        parameters: those that train.
        learning_rate: of all of them.
        weight_decay: None takes the optimizer's own default.

    Raises:
        UsageError: there is no such optimizer.
        MissingDependencyError: it is one of bitsandbytes', which is not installed.
    """
    if name not in OPTIMIZERS:
        raise UsageError(f"there is no optimizer {name!r}", hint=f"use one of {', '.join(OPTIMIZERS)}")
    trained = list(parameters)
    on_meta = bool(trained) and trained[0].device.type == "meta"
    if on_meta and (name in _BITSANDBYTES or name == "adamw-fused"):
        return TracedAdamW(trained, name, learning_rate)
    if name in _BITSANDBYTES:
        build, decay = getattr(_bitsandbytes_optim(), _BITSANDBYTES[name]), DEFAULT_WEIGHT_DECAY
    else:
        build, decay = _TORCH[name]
    made: torch.optim.Optimizer = build(
        trained, lr=learning_rate, weight_decay=decay if weight_decay is None else weight_decay
    )
    return made


def _bitsandbytes_optim() -> Any:
    try:
        return import_module("bitsandbytes.optim")
    except ImportError as error:
        raise MissingDependencyError(
            "8-bit and paged optimizers need bitsandbytes, which is not installed",
            hint="pip install bitsandbytes, or choose --optimizer adamw",
        ) from error


class TracedAdamW(torch.optim.Optimizer):
    """What the fused and the bitsandbytes forms of AdamW allocate, and nothing else: they update in place.

    - fused: two moments in the parameter's dtype, and a step counter of 4 B on the device.
    - 8bit: two uint8 moments with a float32 maximum for each block of 256, and two code tables of 256 float32 that all
      parameters share; parameters of fewer than 4096 elements keep float32 moments.
    - paged: moments of 100,000 elements and more lie in managed memory, which counts as the host's; the maxima stay
      on the device.

    Source: torch/optim/adamw.py (fused) and bitsandbytes 0.50.2, optim/optimizer.py, Optimizer2State.init_state and
    Optimizer8bit.get_state_buffer.

    Args:
        parameters: on the meta device.
        name: `adamw-fused` or one of bitsandbytes'.
        learning_rate: kept in the parameter group and not used.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], name: str, learning_rate: float) -> None:
        super().__init__(parameters, {"lr": learning_rate})
        self._fused = name == "adamw-fused"
        self._paged = name.startswith("paged")
        self._bits = 8 if name.endswith("8bit") else 32
        self._codes: dict[str, Tensor] = {}

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # a trace has no closure to evaluate
        """Allocate the state of parameters that have a gradient and none yet."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None and parameter not in self.state:
                    self.state[parameter] = self._state(parameter)

    def _state(self, parameter: nn.Parameter) -> dict[str, Tensor]:
        if self._fused:
            counter = torch.empty((), dtype=torch.float32, device=parameter.device)
            return {"step": counter, "exp_avg": parameter.clone(), "exp_avg_sq": parameter.clone()}
        eight_bit = self._bits == 8 and parameter.numel() >= _LEAST_8BIT_ELEMENTS
        state: dict[str, Tensor] = {}
        if not (self._paged and parameter.numel() >= _LEAST_PAGED_ELEMENTS):
            dtype = torch.uint8 if eight_bit else torch.float32
            state |= {name: torch.empty_like(parameter, dtype=dtype) for name in ("state1", "state2")}
        if eight_bit:
            state |= self._shared_codes(parameter)
            blocks = -(-parameter.numel() // _STATE_BLOCK)
            for name in ("absmax1", "absmax2"):
                state[name] = torch.empty(blocks, dtype=torch.float32, device=parameter.device)
        return state

    def _shared_codes(self, parameter: nn.Parameter) -> dict[str, Tensor]:
        if not self._codes:
            self._codes = {
                name: torch.empty(_CODE_ENTRIES, dtype=torch.float32, device=parameter.device)
                for name in ("qmap1", "qmap2")
            }
        return self._codes
