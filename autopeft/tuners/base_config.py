"""What the configurations of all own tuners share."""

from dataclasses import dataclass, field
from typing import ClassVar

from peft.config import PeftConfig
from peft.utils import PeftType


@dataclass
class AdapterConfig(PeftConfig):
    """Configuration of an own tuner; a subclass names its peft type and adds its own fields.

    Attributes:
        target_modules: the modules that the method changes, as a list of name endings or one regular expression.
        exclude_modules: names, or one regular expression, that are not to be targeted.
        modules_to_save: modules beside the adapters that are trained and saved, such as a task head.
    """

    type_name: ClassVar[str]

    target_modules: list[str] | str | None = field(default=None, metadata={"help": "Modules that the method changes."})
    exclude_modules: list[str] | str | None = field(default=None, metadata={"help": "Modules to leave alone."})
    modules_to_save: list[str] | None = field(
        default=None, metadata={"help": "Modules beside the adapters that are trained and saved."}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = PeftType[self.type_name]
        if isinstance(self.target_modules, list):
            self.target_modules = sorted(set(self.target_modules))

    def _at_least_one(self, *names: str) -> None:
        """Refuse counts and sizes below 1.

        Raises:
            ValueError: naming the field and its value.
        """
        for name in names:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
