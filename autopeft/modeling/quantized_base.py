"""A base in 4 or 8 bits: what transformers is asked for, so that bitsandbytes holds the frozen weights."""

import logging
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn
from transformers import BitsAndBytesConfig, PreTrainedModel

from autopeft.domain.models import Quantization
from autopeft.errors import MissingDependencyError


def quantized_loading(
    layout: Quantization, kept: Sequence[str], dtype: torch.dtype, device: torch.device | str
) -> dict[str, Any]:
    """The further arguments of `from_pretrained` that give a quantised base (QLoRA, arXiv:2305.14314, section 3).

    Args:
        layout: nf4, nf4-double (its statistics quantised again) or int8.
        kept: modules that stay as they are.
        dtype: of matrix products; the stored weights are turned into it for each.
        device: where the weights go.

    Raises:
        MissingDependencyError: bitsandbytes is not installed.
    """
    if find_spec("bitsandbytes") is None:
        raise MissingDependencyError(
            f"a base in {layout} needs bitsandbytes, which is not installed",
            hint="pip install 'autopeft[quantized]', or leave --base-precision out",
        )
    # It warns in each forward pass that 8-bit products round their inputs, which is what they are.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    config = BitsAndBytesConfig(**layout_arguments(layout, kept), bnb_4bit_compute_dtype=dtype)
    return {"quantization_config": config, "device_map": {"": str(device)}}


def layout_arguments(layout: Quantization, kept: Sequence[str]) -> dict[str, Any]:
    """Arguments of `BitsAndBytesConfig`, as plain values.

    Args:
        layout: nf4, nf4-double or int8.
        kept: modules that stay as they are.
    """
    bits = {"load_in_8bit": True} if layout == "int8" else {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}
    nested = {"bnb_4bit_use_double_quant": True} if layout == "nf4-double" else {}
    return bits | nested | {"llm_int8_skip_modules": list(kept)}


def kept_modules(base: nn.Module) -> list[str]:
    """The modules that stayed as they are in a quantised base."""
    config: Any = base.config
    return list(config.quantization_config.llm_int8_skip_modules or ())


def keep_layout(model: PreTrainedModel) -> PreTrainedModel:
    """Stop bitsandbytes from repacking 4-bit weights on a CPU in the first evaluation.

    It would do so in place (bitsandbytes 0.50.2, nn/modules.py, Linear4bit.forward), into bfloat16 products, and for
    layers of 32 n outputs alone; clones share what undoes the quantisation, so one's repacking would break the others.

    Args:
        model: as transformers read it; changed.

    Returns:
        The model.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    return model


def is_quantized(model: nn.Module) -> bool:
    """Whether a base was loaded in 4 or 8 bits, by whoever loaded it."""
    return bool(getattr(model, "is_quantized", False))
