"""How long a text may be for a base model, read off its config."""

from typing import Final

from autopeft.domain.models import Kind, ModelSpec

# Config keys that bound the length: learned positions, or the length rotary ones were trained for.
_LENGTH_KEYS: Final = ("max_position_embeddings", "n_positions")
# Their positions are counted from behind the padding token's number: 514 of them are 512 tokens.
_COUNT_AFTER_PADDING: Final = ("roberta", "xlm-roberta", "camembert")


def longest_input(model: ModelSpec, kind: Kind) -> int | None:
    """The most tokens that the model takes, or None where its config names no bound.

    T5's relative positions set none, BART's learned ones do.

    Args:
        model: the base model.
        kind: of its architecture.
    """
    # T5's old configs name `n_positions`, which no layer reads.
    keys = _LENGTH_KEYS[:1] if kind == "encoder-decoder" else _LENGTH_KEYS
    for key in keys:
        value = model.config.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return max(1, value - _positions_taken(model))
    return None


def _positions_taken(model: ModelSpec) -> int:
    padding = model.config.get("pad_token_id", 1)
    return padding + 1 if model.model_type in _COUNT_AFTER_PADDING and isinstance(padding, int) else 0
