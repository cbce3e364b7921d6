"""What would be published of an adapter: a folder of its own, in which nothing speaks of this machine."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

ADAPTER_CONFIG = "adapter_config.json"
CARD = "README.md"
# What a hub repository of an adapter, or of a whole model, is made of.
_PUBLISHED = ("*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json", ADAPTER_CONFIG)


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """One file.

    Attributes:
        name: within the repository.
        bytes: its size.
    """

    name: str
    bytes: int


def stage(adapter: Path, card: str, base: str, folder: Path) -> tuple[PublishedFile, ...]:
    """Copy what is published to `folder`.

    Args:
        adapter: the best adapter's folder.
        card: text of the model card.
        base: hub id of the base model, which the adapter's configuration then names.
        folder: an empty one.

    Returns:
        The files, by name.
    """
    for pattern in _PUBLISHED:
        for file in sorted(adapter.glob(pattern)):
            shutil.copyfile(file, folder / file.name)
    config = folder / ADAPTER_CONFIG
    if config.exists():
        fields = json.loads(config.read_text(encoding="utf-8")) | {"base_model_name_or_path": base}
        config.write_text(json.dumps(fields, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    (folder / CARD).write_text(card, encoding="utf-8")
    return tuple(PublishedFile(file.name, file.stat().st_size) for file in sorted(folder.iterdir()))


def upload(folder: Path, repository: str, *, private: bool) -> str:
    """Create the repository if it is not there and upload the folder; gives the address.

    Args:
        folder: from `stage`.
        repository: `owner/name`.
        private: whether a new repository is private.
    """
    from huggingface_hub import HfApi

    hub = HfApi()
    hub.create_repo(repository, private=private, exist_ok=True)
    told = hub.upload_folder(repo_id=repository, folder_path=folder, commit_message="Adapter found by autopeft")
    return str(told.commit_url)
