"""Where a base model comes from: the shipped table, a local folder or file, or the hub."""

import json
import re
from pathlib import Path
from typing import Any

from autopeft.catalog import Catalog
from autopeft.domain.models import ModelSpec
from autopeft.errors import ModelError
from autopeft.modeling.hub import fetch_config, fetch_weights
from autopeft.modeling.own_code import check_runs_no_code
from autopeft.modeling.size_bounds import check_sizes_are_possible

# The largest config.json of a public model is far below this; more is no config.
GREATEST_CONFIG_BYTES = 5_000_000
_INDEX = "model.safetensors.index.json"
_WEIGHTS = ("model.safetensors", _INDEX)
_PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json", "model.pt", "model.pth", "model.bin")
_HUB_ID = re.compile(r"(?:[\w-][\w.-]*/)?[\w-][\w.-]*", re.ASCII)


def read_model(name: str, catalog: Catalog) -> ModelSpec:
    """The base model that a user names.

    Args:
        name: a local folder with a config.json (weights may be absent), the path of a config file, or a hub
            id; what lies on disk wins, then the shipped table, then the hub.
        catalog: with the shipped table.

    Raises:
        ModelError: there is no such model, or its config cannot be used.
    """
    path = Path(name).expanduser()
    if path.exists():
        return _read_local(name, path)
    if name in catalog.models:
        return catalog.models[name]
    if not _HUB_ID.fullmatch(name):
        raise ModelError(
            f"there is no model at {name}", hint="name a folder with a config.json, a config file or a hub id"
        )
    return ModelSpec(name, read_config(fetch_config(name), name), source=f"config.json of {name} on the hub")


def read_config(path: Path, name: str) -> dict[str, Any]:
    """The checked content of a config.json, which is trusted in nothing.

    Args:
        path: of the file.
        name: of the model, for errors.

    Raises:
        ModelError: unreadable, too large, no JSON object with a `model_type`, or in need of its own code.
    """
    try:
        if path.stat().st_size > GREATEST_CONFIG_BYTES:
            raise ModelError(f"{path} is larger than 5 MB, which no model config is", hint="name the config.json")
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read: {error}", hint="it must be a JSON file") from error
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise ModelError(f"{path} names no model_type", hint="name the config.json of a transformers model")
    check_runs_no_code(config, name)
    check_sizes_are_possible(config, name)
    return config


def require_weights(model: ModelSpec) -> Path:
    """The folder with the model's weights in safetensors; those of a hub model are fetched.

    Raises:
        ModelError: there are none, or only pickled ones.
    """
    folder = model.path
    if folder is None:
        if Path(model.name).expanduser().exists():
            raise _no_weights(model.name, f"{model.name} is a config file without weights")
        folder = fetch_weights(model.name)
    if (folder / "adapter_config.json").exists():
        raise ModelError(
            f"{folder} holds an adapter, not a base model",
            hint="name the base model that the adapter was made for",
        )
    if any((folder / name).is_file() for name in _WEIGHTS):
        _check_shards(folder / _INDEX)
        return folder
    if pickles := [name for name in _PICKLES if (folder / name).exists()]:
        raise ModelError(
            f"{folder} has its weights only as a pickle ({pickles[0]}), which can run code when it is read",
            hint="load the model where you trust it and save_pretrained(folder), which writes safetensors",
        )
    raise _no_weights(model.name, f"{folder} has no model.safetensors")


def _check_shards(index: Path) -> None:
    """See that the index names files beside itself: it could name any on the disk.

    Raises:
        ModelError: it names another, or cannot be read.
    """
    if not index.is_file():
        return
    try:
        named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{index} cannot be read: {error}", hint="save the model again") from error
    if strangers := [name for name in named if not isinstance(name, str) or Path(name).name != name]:
        raise ModelError(
            f"{index} names {strangers[0]!r}, which does not lie beside it", hint="save the model into one folder"
        )


def _read_local(name: str, path: Path) -> ModelSpec:
    if path.is_dir():
        file, folder = path / "config.json", path
        if not file.is_file():
            adapter = (path / "adapter_config.json").exists()
            raise ModelError(
                f"{path} {'holds an adapter, not a base model' if adapter else 'has no config.json'}",
                hint="name a folder with the config.json of a transformers model",
            )
    else:
        file, folder = path, path.parent
    beside = file.name == "config.json"
    return ModelSpec(name, read_config(file, name), folder if beside else None, source=str(file))


def _no_weights(name: str, what: str) -> ModelError:
    return ModelError(
        what,
        hint=f"training needs weights; `autopeft recommend --model {name}` and `estimate` work without them",
    )
