"""Configuration of Houlsby adapters."""

from dataclasses import dataclass, field

from peft.config import PeftConfig
from peft.utils import PeftType


@dataclass
class HoulsbyConfig(PeftConfig):
    """Configuration of Houlsby adapters (arXiv:1902.00751, figure 2).

    Attributes:
        bottleneck_size: width b of the bottleneck; on a module of d outputs it has 2db + b + d parameters.
        non_linearity: `relu`, `gelu`, `silu` or `tanh`. The paper says only "a nonlinearity"; `relu` is our
            choice.
        target_modules: the modules after whose output a bottleneck is put, as a list of name endings or one
            regular expression: the output projections of the attention and of the feed-forward block, so that
            the bottleneck comes before the residual is added.
        exclude_modules: names, or one regular expression, that are not to be targeted.
        modules_to_save: modules beside the adapters that are trained and saved, such as a task head.
    """

    bottleneck_size: int = field(default=64, metadata={"help": "Width of the bottleneck."})
    non_linearity: str = field(default="relu", metadata={"help": "relu, gelu, silu or tanh."})
    target_modules: list[str] | str | None = field(
        default=None, metadata={"help": "Output projections of the attention and feed-forward blocks."}
    )
    exclude_modules: list[str] | str | None = field(default=None, metadata={"help": "Modules to leave alone."})
    modules_to_save: list[str] | None = field(
        default=None, metadata={"help": "Modules beside the adapters that are trained and saved."}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = PeftType.HOULSBY
        if self.bottleneck_size < 1:
            raise ValueError(f"bottleneck_size is {self.bottleneck_size}; it must be at least 1")
        if isinstance(self.target_modules, list):
            self.target_modules = sorted(set(self.target_modules))
