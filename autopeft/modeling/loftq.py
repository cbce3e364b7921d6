"""LoftQ's start of LoRA: the factors begin at what quantising the base lost (arXiv:2310.08659, section 3).

The paper alternates between quantising W - B A and taking B A from what is left of W. Choice: one step, so that the
base stays the one that everybody quantises, and a saved adapter is plain LoRA on it; as in peft's
`replace_lora_weights_loftq`, which runs on GPUs and from 4 bits alone. Choice: alpha / r, which scales the product, is
divided out of it, so that the start does not depend on alpha.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.lora.layer import LoraLayer
from peft.utils.integrations import dequantize_bnb_weight
from safetensors import safe_open
from torch import Tensor

from autopeft.domain.methods import MethodSpec
from autopeft.errors import ModelError
from autopeft.modeling.quantized_base import is_quantized
from autopeft.modeling.quantized_layers import QuantizedLinear


def takes_loftq_start(method: MethodSpec) -> bool:
    """Whether the method starts so; peft is then asked for LoRA's usual start, which this replaces."""
    return method.settings.get("init_lora_weights") == "loftq"


def start_from_quantisation(model: PeftModel) -> None:
    """Set the factors of every layer to the best product of their rank for what the layer's weight lost.

    Does nothing on the meta device.

    Args:
        model: LoRA on a base that `load_base` quantised; changed.

    Raises:
        ModelError: the base is not quantised, or its own weights are not where they were.
    """
    layers = {name: module for name, module in model.get_base_model().named_modules() if isinstance(module, LoraLayer)}
    if any(isinstance(layer.get_base_layer(), QuantizedLinear) for layer in layers.values()):
        return
    base = model.get_base_model()
    if not is_quantized(base):
        raise ModelError(
            "loftq makes up for what quantising the base loses, and this base is not quantised",
            hint="add --base-precision nf4 (--quantization nf4 in recommend and estimate), or use lora",
        )
    weights = _own_weights(Path(base.name_or_path), [f"{name}.weight" for name in layers])
    for layer, weight in zip(layers.values(), weights, strict=True):
        for adapter in layer.lora_A:
            _start_layer(layer, adapter, weight)


@torch.no_grad()
def _start_layer(layer: LoraLayer, adapter: str, weight: Tensor) -> None:
    held: Any = layer.get_base_layer()
    kept = dequantize_bnb_weight(held.weight, getattr(held, "state", None)).float()
    lost = weight.to(kept.device).float() - kept
    down, up = best_product(lost, layer.r[adapter])
    layer.lora_A[adapter].weight.copy_(down)
    layer.lora_B[adapter].weight.copy_(up / layer.scaling[adapter])


def best_product(matrix: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """A: rank x in and B: out x rank with B A nearest to the matrix; both carry the roots of its singular values.

    Args:
        matrix: out x in.
        rank: at most its smaller side.
    """
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    roots = values[:rank].sqrt()
    return roots[:, None] * right[:rank], left[:, :rank] * roots


def _own_weights(folder: Path, names: list[str]) -> Iterator[Tensor]:
    """The weights of these names as the checkpoint holds them, which may lack the model's prefix.

    Raises:
        ModelError: one is not there.
    """
    held: dict[str, Path] = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as opened:
            held |= dict.fromkeys(opened.keys(), file)
    for name in names:
        key = next((key for key in held if f".{name}".endswith(f".{key}") or f".{key}".endswith(f".{name}")), None)
        if key is None:
            raise ModelError(
                f"loftq needs the weight {name} as it was before quantising, and {folder} holds none of that name",
                hint="name the folder with the base's own safetensors, or use lora",
            )
        with safe_open(held[key], "pt") as opened:
            yield opened.get_tensor(key)
