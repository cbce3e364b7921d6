"""The tokenizer of a model folder."""

from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from autopeft.errors import ModelError
from autopeft.modeling.config import first_line

# Not even a byte-level tokenizer has as few; an empty T5 one keeps a lone word boundary.
_LEAST_VOCABULARY = 2


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a model folder.

    Raises:
        ModelError: there is none.
    """
    hint = "put the base model's tokenizer.json beside the weights"
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"no tokenizer can be loaded from {folder}: {first_line(error)}", hint=hint) from error
    # Without any file, some classes come up empty and turn every word into the unknown token.
    words = set(tokenizer.get_vocab()) - set(tokenizer.get_added_vocab()) - set(tokenizer.all_special_tokens)
    if len(words) < _LEAST_VOCABULARY:
        raise ModelError(f"{folder} has no tokenizer: its vocabulary is empty", hint=hint)
    return tokenizer
