"""Answers that the model writes itself: greedy, in batches, up to a length."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers import GenerationConfig

from autopeft.data.batches import collate, collate_prompts
from autopeft.data.task_data import EncodedSplit
from autopeft.modeling.sharded import is_sharded


@dataclass(frozen=True, slots=True)
class Writer:
    """How answers are written.

    Attributes:
        tokenizer: turns tokens into text.
        pad_id: fills a batch.
        most_tokens: that an answer may have; the greatest length of the targets.
    """

    tokenizer: Any
    pad_id: int
    most_tokens: int


@torch.no_grad()
def write(model: nn.Module, split: EncodedSplit, rows: Sequence[int], writer: Writer) -> list[str]:
    """The answer to each row.

    A decoder reads each row's prompt, padded on the left so that all go on at the same place; an encoder-decoder reads
    the source. The likeliest token is taken each time, so that the same model always writes the same.

    Args:
        model: plain or wrapped by peft, in evaluation mode.
        split: that the rows are of.
        rows: numbers, from 0.
        writer: the tokenizer and the limit.
    """
    device = next(model.parameters()).device
    if _plain(model).config.is_encoder_decoder:
        batch = {k: t for k, t in collate(split, rows, writer.pad_id).items() if k in ("input_ids", "attention_mask")}
    else:
        batch = collate_prompts(split, rows, writer.pad_id)
    moved = {name: tensor.to(device) for name, tensor in batch.items()}
    return write_greedily(model, moved, writer)


def write_greedily(model: nn.Module, batch: Mapping[str, Tensor], writer: Writer) -> list[str]:
    """What the model writes after each row, whatever its checkpoint's generation_config.json says.

    Args:
        model: plain or wrapped by peft, in evaluation mode.
        batch: what `generate` takes, on the model's device; a decoder's rows end in the last column.
        writer: the tokenizer and the limit.
    """
    inner, generator = _plain(model), cast(Any, model)
    # Processes that share a model run the same number of passes, whoever is done first.
    together = {"synced_gpus": True} if is_sharded(model) else {}
    own = inner.generation_config
    # transformers fills in from here what the settings of a call leave open: penalties, least lengths, forced tokens.
    inner.generation_config = GenerationConfig()
    try:
        written: Tensor = generator.generate(**batch, generation_config=_settings(inner.config, writer), **together)
    finally:
        inner.generation_config = own
    fresh = written if inner.config.is_encoder_decoder else written[:, batch["input_ids"].shape[1] :]
    texts: list[str] = writer.tokenizer.batch_decode(fresh, skip_special_tokens=True)
    return [text.strip() for text in texts]


def _plain(model: nn.Module) -> Any:
    return model.get_base_model() if isinstance(model, PeftModel) else model


def _settings(config: Any, writer: Writer) -> GenerationConfig:
    """The likeliest token each time, until the tokenizer's end token."""
    return GenerationConfig(
        max_new_tokens=writer.most_tokens,
        do_sample=False,
        num_beams=1,
        pad_token_id=writer.pad_id,
        eos_token_id=writer.tokenizer.eos_token_id,
        bos_token_id=getattr(config, "bos_token_id", None),
        decoder_start_token_id=getattr(config, "decoder_start_token_id", None),
    )
