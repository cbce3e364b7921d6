"""Whether a text and the virtual tokens in front of it fit the positions that the base model has learned.

On meta no look-up fails that a real table of positions would refuse, so what is traced has to be checked by number.
"""

from peft import PeftModel, PrefixTuningConfig
from torch import nn

from autopeft.domain.memory import StepShape
from autopeft.domain.methods import MethodSpec
from autopeft.errors import ModelError

# What transformers calls tables of learned positions: BERT's, GPT-2's and BART's families.
_TABLES = ("position_embeddings", "wpe", "embed_positions")


def check_positions(model: nn.Module, method: MethodSpec, shape: StepShape) -> None:
    """Assert that the longest text of a step fits beside a prompt method's virtual tokens.

    Args:
        model: wrapped by peft, or plain.
        method: that wrapped it.
        shape: of the step; in an encoder-decoder a prefix stands in front of the target, a prompt of the source.

    Raises:
        ModelError: it does not; the hint names the longest text that does.
    """
    if not isinstance(model, PeftModel) or not model.active_peft_config.is_prompt_learning:
        return
    config, base = model.active_peft_config, model.get_base_model()
    if config.num_virtual_tokens is None:  # LLaMA-Adapter's stand in no row of positions
        return
    on_target = base.config.is_encoder_decoder and isinstance(config, PrefixTuningConfig)
    tokens = shape.target_length if on_target else shape.max_length
    places = min((_places(m) for name, m in base.named_modules() if name.split(".")[-1] in _TABLES), default=None)
    if places is not None and tokens + config.num_virtual_tokens > places:
        raise ModelError(
            f"{config.num_virtual_tokens} virtual tokens of {method.id} and {tokens} of text exceed the model's "
            f"{places} positions",
            hint=f"use at most {max(places - config.num_virtual_tokens, 1)} tokens of text",
        )


def _places(table: nn.Module) -> int:
    """Rows of a table that texts may use: RoBERTa's and BART's first ones stand for something else."""
    rows = int(getattr(table, "num_embeddings", 0))
    padding = getattr(table, "padding_idx", None)
    return rows - (padding + 1 if padding is not None else int(getattr(table, "offset", 0)))
