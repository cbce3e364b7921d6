"""The base model's own answer, from a wrapped model."""

import contextlib
from collections.abc import Iterator

from peft import PeftModel
from peft.utils import AuxiliaryTrainingWrapper


@contextlib.contextmanager
def adapter_disabled(model: PeftModel) -> Iterator[None]:
    """Inside, the model answers as the base did before it was wrapped, head included.

    For prompt methods peft's own `disable_adapter` keeps the trained head and fails on classifiers (0.21.2:
    it looks for `prepare_inputs_for_generation`), hence this. What trains is afterwards what did before: peft would
    also switch on what LoRA-FA keeps frozen.

    Args:
        model: wrapped by peft.
    """
    if not model.active_peft_config.is_prompt_learning:
        flags = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
        with model.disable_adapter():
            yield
        for parameter, trains in flags:
            parameter.requires_grad_(trains)
        return
    heads = [module for module in model.modules() if isinstance(module, AuxiliaryTrainingWrapper)]
    model.__dict__["forward"] = model.get_base_model().forward
    for head in heads:
        head._disable_adapters = True
    try:
        yield
    finally:
        del model.__dict__["forward"]
        for head in heads:
            head._disable_adapters = False
