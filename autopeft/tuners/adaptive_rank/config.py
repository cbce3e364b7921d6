"""Configuration of AdaLoRA."""

from dataclasses import dataclass, field
from typing import ClassVar

from autopeft.tuners.base_config import AdapterConfig

# arXiv:2303.10512, section 4.1: the initial budget is 1.5 times the final one.
_INITIAL_BUDGET = 1.5


@dataclass
class AdaptiveRankConfig(AdapterConfig):
    """Configuration of AdaLoRA (arXiv:2303.10512).

    Attributes:
        r: mean rank of the updates at the end; they start at 1.5 times as many.
        alpha: the update is scaled by alpha / (starting rank).
        orthogonality: weight of the penalty on singular vectors that are not orthonormal.
        warmup_share: share of the training before the first triplet goes.
        final_share: share of the training after the last triplet went.
        smoothing: of sensitivity and of its uncertainty, both exponential means (beta_1 and beta_2).
    """

    type_name: ClassVar[str] = "ADAPTIVE_RANK"

    r: int = field(default=8, metadata={"help": "Mean rank of the updates at the end."})
    alpha: float = field(default=16.0, metadata={"help": "The update is scaled by alpha / (starting rank)."})
    orthogonality: float = field(default=0.1, metadata={"help": "Weight of the orthogonality penalty."})
    warmup_share: float = field(default=0.1, metadata={"help": "Share of the training before the first prune."})
    final_share: float = field(default=0.5, metadata={"help": "Share of the training after the last prune."})
    smoothing: float = field(default=0.85, metadata={"help": "Of sensitivity and uncertainty."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least_one("r")
        if self.warmup_share < 0 or self.final_share < 0 or self.warmup_share + self.final_share >= 1:
            raise ValueError("warmup_share and final_share must leave a part of the training for handing out ranks")

    @property
    def start_rank(self) -> int:
        """The rank that every matrix starts with."""
        return max(self.r + 1, round(_INITIAL_BUDGET * self.r))

    def budget(self, step: int, total_steps: int) -> float:
        """Mean rank allowed after `step` of `total_steps` updates: a cubic fall (section 3.3, equation 12)."""
        first = round(total_steps * self.warmup_share)
        last = max(first + 1, total_steps - round(total_steps * self.final_share))
        left = 1 - min(1.0, max(0.0, (step - first) / (last - first)))
        return self.r + (self.start_rank - self.r) * left**3

    def hands_out(self, step: int, total_steps: int) -> bool:
        """Whether ranks are still handed out after `step`; later ones keep what they have."""
        return step <= max(1, total_steps - round(total_steps * self.final_share))
