"""What trains in float32 beside half-precision weights."""

from torch import nn


def train_in_float32(model: nn.Module) -> None:
    """Give what trains in half precision float32 master weights, as training in float16 needs.

    A float16 gradient cannot be unscaled (torch.amp.GradScaler refuses it), so what trains is kept in float32 and cast
    by autocast: an adapter beside a float16 base, and for full fine-tuning the whole model, which is how accelerate and
    transformers' Trainer run it.

    Args:
        model: as `wrap` gave it; changed.
    """
    for parameter in model.parameters():
        if parameter.requires_grad and parameter.is_floating_point():
            parameter.data = parameter.data.float()
