"""Output matrices that a checkpoint has and transformers ties away when it builds from a config."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel


def untie_output(model: PreTrainedModel, config: Mapping[str, Any]) -> None:
    """Give the output layer a matrix of its own where the config says that the checkpoint has one.

    transformers 5 ties the output of the T5 family to the embeddings whatever the config says, and unties it again
    when it loads a checkpoint that holds two different matrices, as those of T5 1.1, FLAN-T5 and mT5 do.

    Args:
        model: built from the config.
        config: the content of config.json.
    """
    output = model.get_output_embeddings()
    said = config.get("tie_word_embeddings") is False or config.get("scale_decoder_outputs") is False
    if not said or output is None or output.weight is not model.get_input_embeddings().weight:
        return
    output.weight = nn.Parameter(torch.empty_like(output.weight), requires_grad=output.weight.requires_grad)
    name = next(name for name, module in model.named_modules() if module is output)
    model.all_tied_weights_keys.pop(f"{name}.weight", None)
