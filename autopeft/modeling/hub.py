"""The Hugging Face hub: a model's config and weights, and one clear error when it cannot be reached."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from autopeft.errors import ModelError

T = TypeVar("T")
# Weights as safetensors only, configs, the files of the tokenizers, the card: never a pickle, never code.
_WANTED = ("*.safetensors", "*.json", "*.txt", "*.model", "*.tiktoken", "README.md")
_SECONDS_TO_ANSWER = 10


def fetch_config(name: str) -> Path:
    """The config.json of a hub model, from the local cache or the hub.

    Args:
        name: hub id.

    Raises:
        ModelError: unknown, gated or out of reach.
    """
    from huggingface_hub import hf_hub_download

    return Path(
        _ask(name, "config", lambda: hf_hub_download(name, "config.json", local_files_only=not _reachable(name)))
    )


def fetch_weights(name: str) -> Path:
    """The folder with a hub model's safetensors, config and tokenizer files.

    Args:
        name: hub id.

    Raises:
        ModelError: unknown, gated or out of reach.
    """
    from huggingface_hub import snapshot_download

    return Path(
        _ask(
            name,
            "weights",
            lambda: snapshot_download(name, allow_patterns=list(_WANTED), local_files_only=not _reachable(name)),
        )
    )


def _reachable(name: str) -> bool:
    """Whether the hub answers for this model; one request, since a download would retry for half a minute.

    Raises:
        RepositoryNotFoundError: it answers that there is no such model.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        HfApi().model_info(name, timeout=_SECONDS_TO_ANSWER)
    except RepositoryNotFoundError:
        raise
    except Exception:  # every kind of network failure; the local cache may still have the model
        return False
    return True


def _ask(name: str, what: str, request: Callable[[], T]) -> T:
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        RemoteEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        return request()
    except GatedRepoError:
        raise ModelError(
            f"{name} is gated on the hub",
            hint=f"accept its terms at huggingface.co/{name}, then run `hf auth login`",
        ) from None
    except (RepositoryNotFoundError, HFValidationError):
        raise ModelError(
            f"there is no model {name}: no such local folder and no such hub id",
            hint="check the spelling; for a private model run `hf auth login`",
        ) from None
    except RemoteEntryNotFoundError:
        raise ModelError(f"{name} has no {what} on the hub", hint="name a transformers model") from None
    except Exception as error:
        # Not chained and not quoted: the text of a request's error can carry headers.
        raise ModelError(
            f"{name} is no local path, and the hub cannot be reached for its {what} ({type(error).__name__})",
            hint="name a local model folder, or connect to the internet",
        ) from None
