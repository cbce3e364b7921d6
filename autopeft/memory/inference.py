"""Evaluation and generation under the tracker: phases of a run that hold no gradients."""

import inspect
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor, nn

from autopeft.domain.tasks import HeadKind
from autopeft.memory.operators import Operators
from autopeft.memory.stream import EventStream
from autopeft.memory.trace import book_model
from autopeft.memory.tracker import StorageTracker

_GENERATING: tuple[HeadKind, ...] = ("causal-lm", "seq2seq-lm")


def trace_inference(
    model: nn.Module,
    batch: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
    head: HeadKind,
    *,
    operators: Operators | None = None,
    padded: bool = False,
    host_counts: bool = False,
) -> EventStream:
    """Evaluate `batch` and, for a language model, generate a token after it, between two training steps.

    Evaluation is one forward pass with its loss. Generation reads the whole prompt into a key-value cache (logits of
    its last token alone, as transformers' `generate` asks for them) and then adds one token, for which the cache of
    each layer is copied to its new length; an encoder-decoder fills its decoder's cache to the target's length.

    Args:
        model: as training left it; it is put into evaluation mode.
        batch: the model's arguments.
        optimizer: with its state; it stays on the device meanwhile.
        head: of the task; a classification generates nothing.
        operators: of the device that is meant; None for those of the tensors' own device.
        padded: whether the batch counts as padded (only asked on meta).
        host_counts: whether tensors on other devices than the model's count too.

    Returns:
        The stream, with the phases load, evaluation and generation.
    """
    optimizer.zero_grad(set_to_none=True)
    tracker = StorageTracker(
        padded=padded, discover=host_counts, device=None if host_counts else next(model.parameters()).device.type
    )
    book_model(tracker, model, batch, optimizer)
    workspaces = _workspaces(operators, tracker, next(model.parameters()).device)
    model.eval()
    with torch.no_grad(), operators.active() if operators is not None else nullcontext(), tracker:
        tracker.enter("evaluation")
        model(**batch)
        if head in _GENERATING:
            tracker.enter("generation")
            _generate(tracker, model, batch)
    stream = tracker.finish()
    del workspaces
    return stream


def _workspaces(operators: Operators | None, tracker: StorageTracker, device: torch.device) -> list[Tensor]:
    """Those of the forward and of autograd's thread, which training has made and which live to the end."""
    size_bytes = operators.workspace_bytes if operators is not None else 0
    made = [torch.empty(size_bytes, dtype=torch.uint8, device=device) for _ in range(2)]
    tracker.add(made if size_bytes else [], "temporaries")
    return made


def _generate(tracker: StorageTracker, model: nn.Module, batch: Mapping[str, Tensor]) -> None:
    inner: Any = model.get_base_model() if isinstance(model, PeftModel) else model
    tokens, mask = batch["input_ids"], batch["attention_mask"]
    if inner.config.is_encoder_decoder:
        _generate_from_encoder(tracker, inner, tokens, mask, batch["labels"])
        return
    known = inspect.signature(inner.forward).parameters
    last_logits = {"logits_to_keep": 1} if "logits_to_keep" in known else {}
    cache = model(input_ids=tokens, attention_mask=mask, use_cache=True, **last_logits).past_key_values
    _book_cache(tracker, cache)
    longer = mask.new_ones(mask.shape[0], cache.get_seq_length() + 1)
    cache = inner(input_ids=tokens[:, :1], attention_mask=longer, past_key_values=cache, use_cache=True)
    _book_cache(tracker, cache.past_key_values)


def _generate_from_encoder(tracker: StorageTracker, inner: Any, tokens: Tensor, mask: Tensor, labels: Tensor) -> None:
    encoded = inner.get_encoder()(input_ids=tokens, attention_mask=mask)
    decoded = inner.get_decoder()(
        input_ids=labels, encoder_hidden_states=encoded[0], encoder_attention_mask=mask, use_cache=True
    )
    _book_cache(tracker, decoded.past_key_values)
    inner(
        encoder_outputs=encoded,
        attention_mask=mask,
        decoder_input_ids=labels[:, :1],
        past_key_values=decoded.past_key_values,
        use_cache=True,
    )


def _book_cache(tracker: StorageTracker, cache: Any) -> None:
    """Count keys and values as activations: they outlive the pass that made them."""
    parts = [getattr(cache, name, cache) for name in ("self_attention_cache", "cross_attention_cache")]
    layers = [layer for part in dict.fromkeys(parts) for layer in part.layers]
    held = [getattr(layer, name, None) for layer in layers for name in ("keys", "values")]
    tracker.add([tensor for tensor in held if isinstance(tensor, Tensor)], "activations")
