"""Linear layers on the meta device that hold and allocate what bitsandbytes' do, and LoRA on top of them.

Modelled is memory, not arithmetic: sizes and lives of the stored weights and of the temporaries of forward and
backward, as read in bitsandbytes 0.50.2 (nn/modules.py, autograd/_functions.py, functional.py, backends/cuda/ops.py)
and in peft's LoRA layers on top (tuners/lora/bnb.py). Not modelled: the fused 4-bit kernel, which up to 512 tokens
(1,536 for small matrices) spares the forward pass its dequantised weight, and outlier columns of 8-bit products, whose
number depends on the data. Methods other than LoRA run peft's layers for plain linear ones.

Shapes: M tokens in a batch, K input and N output features, n = N K elements of a weight.
"""

from typing import Any

import torch
from peft.tuners.lora.layer import Linear as LoraLinear
from torch import Tensor, nn

from autopeft.domain.models import Quantization

BLOCK = 64
NESTED_BLOCK = 256
_CODE_4BIT, _CODE_8BIT = 16, 256
# transformers' llm_int8_threshold: larger inputs would be multiplied in half precision.
_OUTLIER = 6.0


class QuantizedLinear(nn.Linear):
    """A frozen linear layer in one of bitsandbytes' layouts.

    4-bit: weight ((n + 1) // 2, 1) uint8; a float32 maximum for each block of 64 (`nf4`), or that maximum as uint8
    with a float32 one for each 256 of them, their mean and a code table of 256 (`nf4-double`); a code table of 16.
    8-bit: weight (N, K) int8 and a float32 scale for each row.

    Attributes:
        layout: nf4, nf4-double or int8.
        compute_dtype: of the matrix product.
        weight_dtype: of the weights before they were quantised, in which they are dequantised.
        autocast: whether the step runs under autocast, which decides what peft casts.
        W_q: the stored weight, under the name by which peft recognises a layer that dequantises itself.
    """

    absmax: Tensor
    absmax_mean: Tensor
    row_scales: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: nn.Parameter | None,
        layout: Quantization,
        *,
        weight_dtype: torch.dtype,
        compute_dtype: torch.dtype,
        autocast: bool,
    ) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = in_features, out_features
        self.layout, self.autocast = layout, autocast
        self.weight_dtype, self.compute_dtype = weight_dtype, compute_dtype
        weight, statistics = _stored(in_features, out_features, layout)
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.register_parameter("bias", bias)
        for name, tensor in statistics.items():
            self.register_buffer(name, tensor, persistent=False)

    @property
    def W_q(self) -> Tensor:
        """The stored weight."""
        return self.weight

    def forward(self, input: Tensor) -> Tensor:
        """(..., K) to (..., N), in the input's dtype."""
        if self.layout == "int8":
            return _Product8Bit.apply(input, self, self.bias)
        output: Tensor = _Product4Bit.apply(input.to(self.compute_dtype), self, _bias_of(self))
        return output.to(input.dtype)

    def dequantize(self) -> Tensor:
        """A fresh (N, K) weight in the dtype that it had before."""
        if self.layout == "int8":
            return self.weight.to(torch.float32).mul_(self.row_scales.unsqueeze(1).mul(1.0 / 127.0))
        maxima = self.absmax
        if self.layout == "nf4-double":
            maxima = torch.zeros_like(self.absmax, dtype=torch.float32)
            maxima += self.absmax_mean
        dequantised = self.weight.new_zeros(self.out_features, self.in_features, dtype=self.weight_dtype)
        del maxima
        return dequantised


class _Product4Bit(torch.autograd.Function):
    """bitsandbytes' MatMul4Bit: the weight is dequantised in the forward and again in the backward pass."""

    @staticmethod
    def forward(ctx: Any, tokens: Tensor, layer: QuantizedLinear, bias: Tensor | None) -> Tensor:
        ctx.layer = layer
        scales = torch.zeros_like(layer.absmax, dtype=torch.float32) if layer.layout == "nf4-double" else None
        scales_and_mean = None if scales is None else scales + layer.absmax_mean
        dequantised = tokens.new_zeros(layer.out_features, layer.in_features)
        output = nn.functional.linear(tokens, dequantised, bias)
        del scales, scales_and_mean
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        dequantised = ctx.layer.dequantize().to(gradient.dtype)
        return torch.matmul(gradient, dequantised), None, _bias_gradient(ctx, gradient)


class _Product8Bit(torch.autograd.Function):
    """bitsandbytes' MatMul8bitLt without outliers: the input stays saved; the weight is dequantised backwards.

    The input is a plain attribute of the graph's node, so that gradient checkpointing, which drops saved tensors, does
    not drop it. The real one lives to the end of the whole backward pass; here it goes with its layer, so that layers
    repeat. Where the peak lies, in the first layers to go backwards, all inputs live either way.
    """

    @staticmethod
    def forward(ctx: Any, tokens: Tensor, layer: QuantizedLinear, bias: Tensor | None) -> Tensor:
        ctx.layer = layer
        rows = tokens.reshape(-1, tokens.shape[-1])
        half = rows.to(torch.float16)
        row_scales = half.new_empty(half.shape[0], dtype=torch.float32)
        quantised = torch.zeros_like(half, dtype=torch.int8)
        outliers = half.abs() >= _OUTLIER
        del outliers, half
        products = _integer_product(quantised, layer.weight)
        output = torch.zeros_like(products, dtype=torch.float16)
        if bias is not None and bias.dtype != torch.float16:
            output.add_(bias)
        ctx.tokens = rows if ctx.needs_input_grad[0] else None
        del row_scales
        return output.to(tokens.dtype).reshape(*tokens.shape[:-1], layer.out_features)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        layer, shape = ctx.layer, gradients[0].shape
        tokens, ctx.tokens = ctx.tokens, None
        gradient = gradients[0].reshape(-1, shape[-1]).contiguous()
        weight = layer.weight.to(tokens.dtype, copy=True)
        weight.mul_(layer.row_scales.unsqueeze(1).mul(1.0 / 127.0))
        back = torch.matmul(gradient.to(tokens.dtype), weight)
        return back.view(*shape[:-1], layer.in_features), None, _bias_gradient(ctx, gradient)


class QuantizedLora(LoraLinear):
    """LoRA on a quantised layer, with the casts and copies of peft's Linear4bit and Linear8bitLt (0.21.2)."""

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """The base layer's result, cloned where it is 4-bit, plus each adapter's in the base's dtype."""
        layer = self.get_base_layer()
        result = self.base_layer(x, *args, **kwargs)
        if layer.layout != "int8":
            result = result.clone()
        for name in self.active_adapters:
            if name in self.lora_A:
                result = self._add(name, x, result, cast=not layer.autocast)
        return result

    def _add(self, name: str, x: Tensor, result: Tensor, *, cast: bool) -> Tensor:
        down, up = self.lora_A[name], self.lora_B[name]
        dtype = result.dtype
        x = self._cast_input_dtype(x, down.weight.dtype) if cast else x
        if name in self.lora_variant:
            result = self.lora_variant[name].forward(self, active_adapter=name, x=x, result=result)
            return result.to(dtype) if cast else result
        output = up(down(self.lora_dropout[name](x))) * self.scaling[name]
        return result + (output.to(dtype) if cast else output)


def _stored(inputs: int, outputs: int, layout: Quantization) -> tuple[Tensor, dict[str, Tensor]]:
    """The weight and its statistics on the meta device."""
    elements = inputs * outputs
    if layout == "int8":
        return _empty((outputs, inputs), torch.int8), {"row_scales": _empty((outputs,), torch.float32)}
    blocks = -(-elements // BLOCK)
    weight = _empty(((elements + 1) // 2, 1), torch.uint8)
    statistics = {"code": _empty((_CODE_4BIT,), torch.float32)}
    if layout == "nf4":
        return weight, statistics | {"absmax": _empty((blocks,), torch.float32)}
    return weight, statistics | {
        "absmax": _empty((blocks,), torch.uint8),
        "absmax_mean": _empty((), torch.float32),
        "nested_absmax": _empty((-(-blocks // NESTED_BLOCK),), torch.float32),
        "nested_code": _empty((_CODE_8BIT,), torch.float32),
    }


def _empty(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


def _integer_product(rows: Tensor, weight: Tensor) -> Tensor:
    """(M, N) int32, as the integer kernel writes it; run as a product that counts as one."""
    products = rows.new_zeros(rows.shape[0], weight.shape[0], dtype=torch.int32)
    torch.mm(rows, weight.t(), out=products.view(torch.int8)[:, : weight.shape[0]])
    return products


def _bias_of(layer: QuantizedLinear) -> Tensor | None:
    return None if layer.bias is None else layer.bias.to(layer.compute_dtype)


def _bias_gradient(ctx: Any, gradient: Tensor) -> Tensor | None:
    return gradient.flatten(0, -2).sum(0) if ctx.needs_input_grad[2] else None
