"""Devices that training runs on, as `search_spaces/gpus/<id>.yaml` describes them."""

from collections.abc import Mapping
from dataclasses import dataclass

from autopeft.domain.methods import Source


@dataclass(frozen=True, slots=True)
class HardwareSpec:
    """One kind of device.

    Attributes:
        id: such as `l40s`.
        title: for people, such as `NVIDIA L40S`.
        aliases: other names that people write.
        generation: of its chip, such as `ada`; `cpu` for a processor.
        compute_capability: of a GPU, such as (8, 9), by NVIDIA's numbering; None for a processor.
        total_bytes: of its memory as sold; None where it varies.
        usable_bytes: of its memory as CUDA reports it; None where it varies.
        context_bytes: what a process takes of it before any tensor.
        bandwidth_bytes_per_second: between chip and memory, by the data sheet.
        flops_per_second: dtype -> dense floating point operations of matrix products, by the data sheet.
        achieved_share: dtype, or `bandwidth` -> the share of the data sheet's figure that training reaches.
        launch_seconds: the host's time to call one operator of a forward pass.
        kernel_seconds: the device's time for a kernel that does next to nothing.
        sources: of the figures.
    """

    id: str
    title: str
    aliases: tuple[str, ...]
    generation: str
    compute_capability: tuple[int, int] | None
    total_bytes: int | None
    usable_bytes: int | None
    context_bytes: int
    bandwidth_bytes_per_second: float
    flops_per_second: Mapping[str, float]
    achieved_share: Mapping[str, float]
    launch_seconds: float
    kernel_seconds: float
    sources: tuple[Source, ...] = ()

    def achieved_flops_per_second(self, dtype: str) -> float:
        """What matrix products of a dtype reach; a dtype that the table lacks runs like float32."""
        known = dtype if dtype in self.flops_per_second else "float32"
        return self.flops_per_second[known] * self.achieved_share[known]

    @property
    def achieved_bandwidth(self) -> float:
        """Bytes per second that kernels reach."""
        return self.bandwidth_bytes_per_second * self.achieved_share["bandwidth"]
