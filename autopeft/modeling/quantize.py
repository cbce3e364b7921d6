"""A quantised base on the meta device: which layers transformers would quantise, and what stays in which dtype."""

import torch
from peft import LoraConfig, PeftConfig
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D
from transformers.quantizers.base import get_keys_to_not_convert
from transformers.quantizers.quantizers_utils import should_convert_module

from autopeft.domain.memory import Upcast
from autopeft.domain.models import Quantization
from autopeft.errors import ModelError
from autopeft.modeling.heads import head_modules
from autopeft.modeling.quantized_layers import QuantizedLinear, QuantizedLora

_HALF = (torch.float16, torch.bfloat16)


def quantize(
    model: PreTrainedModel, layout: Quantization, *, compute_dtype: torch.dtype, autocast: bool = False
) -> PreTrainedModel:
    """Replace the linear layers that transformers would quantise; the task head, which trains, stays as it is.

    Args:
        model: on the meta device; changed.
        layout: nf4, nf4-double or int8.
        compute_dtype: of matrix products.
        autocast: whether the step runs under autocast.

    Returns:
        The same model.

    Raises:
        ModelError: it has no layer that could be quantised.
    """
    kept = unquantized_modules(model)
    found = [
        (name, module)
        for name, module in model.named_modules()
        if (type(module) is nn.Linear or isinstance(module, Conv1D)) and should_convert_module(name, kept)
    ]
    if not found:
        raise ModelError(
            f"{type(model).__name__} has no linear layer that could be quantised", hint="leave --quantization out"
        )
    for name, module in found:
        weight = module.weight
        inputs, outputs = weight.shape if isinstance(module, Conv1D) else reversed(weight.shape)
        quantised = QuantizedLinear(
            inputs,
            outputs,
            module.bias,
            layout,
            weight_dtype=weight.dtype,
            compute_dtype=compute_dtype,
            autocast=autocast,
        )
        model.set_submodule(name, quantised)
    return model.requires_grad_(False)


def unquantized_modules(model: PreTrainedModel) -> list[str]:
    """Names of the modules that stay as they are in a quantised base: the output layer, and the head, which trains."""
    return [*get_keys_to_not_convert(model), *head_modules(model)]


def upcast_unquantized(model: PreTrainedModel, which: Upcast) -> None:
    """Turn half-precision parameters outside the quantised layers into float32.

    Args:
        model: from `quantize`; changed.
        which: `all` as peft's `prepare_model_for_kbit_training` (utils/other.py); `norms` as trl's
            `peft_module_casting_to_bf16`, which takes embeddings and output back to bfloat16.
    """
    for name, module in model.named_modules():
        norm = isinstance(module, nn.LayerNorm) or "norm" in name
        if which == "none" or (which == "norms" and not norm):
            continue
        for parameter in module.parameters(recurse=False):
            if parameter.dtype in _HALF:
                parameter.data = parameter.data.float()


def use_quantized_lora(config: PeftConfig) -> None:
    """Have peft put `QuantizedLora` on quantised layers."""
    if type(config) is LoraConfig:
        config._register_custom_module({QuantizedLinear: QuantizedLora})


def hidden_elements(model: nn.Module) -> int:
    """Elements of quantised weights beyond those that are stored: two 4-bit ones share a byte."""
    layers = [module for module in model.modules() if isinstance(module, QuantizedLinear)]
    return sum(layer.in_features * layer.out_features - layer.weight.numel() for layer in layers)
