"""Configuration of BitFit."""

from dataclasses import dataclass, field

from peft.config import PeftConfig
from peft.utils import PeftType


@dataclass
class BitFitConfig(PeftConfig):
    """Configuration of BitFit (arXiv:2106.10199).

    Attributes:
        target_modules: modules whose bias is trained, as a list of name endings or one regular expression.
            Those that match but have no bias are left alone, so `.*` means every bias.
        exclude_modules: names, or one regular expression, that are not to be targeted.
        modules_to_save: modules beside the biases that are trained and saved, such as a task head.
    """

    target_modules: list[str] | str | None = field(
        default=None, metadata={"help": "Modules whose bias is trained; those without one are left alone."}
    )
    exclude_modules: list[str] | str | None = field(default=None, metadata={"help": "Modules to leave alone."})
    modules_to_save: list[str] | None = field(
        default=None, metadata={"help": "Modules beside the biases that are trained and saved."}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = PeftType.BITFIT
        if isinstance(self.target_modules, list):
            self.target_modules = sorted(set(self.target_modules))
