"""Where a model comes from, and what is refused before anything is loaded."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import errors as hub_errors

from autopeft.catalog.contents import Catalog
from autopeft.domain.models import ModelSpec
from autopeft.errors import ModelError
from autopeft.modeling import hub, source
from autopeft.modeling.source import read_model, require_weights

BERT = {"model_type": "bert", "hidden_size": 32}


def config_in(folder: Path, content: object = BERT, name: str = "config.json") -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def test_folder_file_and_other_file(tmp_path: Path, catalog: Catalog) -> None:
    file = config_in(tmp_path)
    for name in (tmp_path, file):
        model = read_model(str(name), catalog)
        assert (model.model_type, model.path, model.name) == ("bert", tmp_path, str(name))
    other = config_in(tmp_path, name="my-config.json")
    assert read_model(str(other), catalog).path is None


def test_shipped_table_needs_no_network(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "fetch_config", lambda name: pytest.fail("asked the hub"))
    known = ModelSpec("org/known", BERT, source="table")
    assert read_model("org/known", replace(catalog, models={"org/known": known})) is known


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ("[]", "names no model_type"),
        ({"hidden_size": 3}, "names no model_type"),
        ({"model_type": 3}, "names no model_type"),
        ({**BERT, "auto_map": {"AutoModel": "evil.py"}}, "auto_map"),
        (json.dumps(BERT) + " " * 5_000_001, "larger than 5 MB"),
    ],
)
def test_config_is_not_trusted(tmp_path: Path, catalog: Catalog, content: object, says: str) -> None:
    config_in(tmp_path, content)
    with pytest.raises(ModelError, match=says) as caught:
        read_model(str(tmp_path), catalog)
    assert caught.value.hint and caught.value.exit_code == 4 and "\n" not in caught.value.message


def test_folder_without_config(tmp_path: Path, catalog: Catalog) -> None:
    with pytest.raises(ModelError, match=r"has no config.json"):
        read_model(str(tmp_path), catalog)
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match="holds an adapter"):
        read_model(str(tmp_path), catalog)


@pytest.mark.parametrize("name", ["no/such/folder", "./nowhere", "../x", "a b", "", "/etc/nothing-here"])
def test_what_cannot_be_a_hub_id_never_asks_the_hub(
    name: str, catalog: Catalog, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(source, "fetch_config", lambda name: pytest.fail("asked the hub"))
    with pytest.raises(ModelError):
        read_model(name, catalog)


def _response_error(kind: type[Exception]) -> Exception:
    error = kind.__new__(kind)
    Exception.__init__(error, "401 for url with header Bearer hf_secret")
    return error


@pytest.mark.parametrize(
    ("kind", "says", "hint"),
    [
        (hub_errors.GatedRepoError, "gated", "hf auth login"),
        (hub_errors.RepositoryNotFoundError, "no such hub id", "spelling"),
        (hub_errors.RemoteEntryNotFoundError, "no config on the hub", "transformers model"),
        (hub_errors.LocalEntryNotFoundError, "cannot be reached", "local model folder"),
        (hub_errors.OfflineModeIsEnabled, "cannot be reached", "local model folder"),
        (TimeoutError, "cannot be reached", "local model folder"),
    ],
)
def test_hub_errors_are_one_line_with_a_hint_and_no_token(
    kind: type[Exception], says: str, hint: str, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **kwargs: object) -> str:
        raise _response_error(kind)

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *args, **kwargs: None)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", fail)
    with pytest.raises(ModelError, match=says) as caught:
        read_model("org/model", catalog)
    assert hint in str(caught.value.hint)
    assert "hf_secret" not in str(caught.value) and caught.value.__cause__ is None


def test_unknown_hub_id_is_not_looked_for_in_the_cache(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: object, **kwargs: object) -> None:
        raise _response_error(hub_errors.RepositoryNotFoundError)

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", unknown)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *a, **k: pytest.fail("tried to download"))
    with pytest.raises(ModelError, match="no such hub id"):
        read_model("org/model", catalog)


@pytest.mark.parametrize("online", [True, False])
def test_without_the_hub_only_the_cache_is_asked(
    online: bool, tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, asked = config_in(tmp_path), []

    def model_info(*args: object, **kwargs: object) -> None:
        if not online:
            raise TimeoutError

    def download(name: str, file_name: str, *, local_files_only: bool) -> str:
        asked.append(local_files_only)
        return str(file)

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", model_info)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    assert read_model("org/model", catalog).model_type == "bert"
    assert asked == [not online]


def test_hub_config_is_read(tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    file = config_in(tmp_path)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *args, **kwargs: str(file))
    model = read_model("org/model", catalog)
    assert (model.name, model.path, dict(model.config)) == ("org/model", None, BERT)


def test_hub_weights_never_include_pickles_or_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[str] = []
    config_in(tmp_path)
    (tmp_path / "model.safetensors").touch()

    def download(name: str, *, allow_patterns: list[str], **kwargs: object) -> str:
        asked.extend(allow_patterns)
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert require_weights(ModelSpec("org/model", BERT)) == tmp_path
    assert "*.safetensors" in asked and not [p for p in asked if p.endswith((".bin", ".py", ".pt", ".pkl", "*"))]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ([], "has no model.safetensors"),
        (["pytorch_model.bin"], "only as a pickle"),
        (["model.safetensors", "adapter_config.json"], "adapter, not a base model"),
    ],
)
def test_unusable_weights(tmp_path: Path, files: list[str], says: str) -> None:
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(ModelError, match=says) as caught:
        require_weights(ModelSpec(str(tmp_path), BERT, tmp_path))
    assert caught.value.hint


@pytest.mark.parametrize("name", ["model.safetensors", "model.safetensors.index.json"])
def test_safetensors_are_found(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"weight_map": {}}')
    assert require_weights(ModelSpec("x", BERT, tmp_path)) == tmp_path


def test_config_file_alone_has_no_weights(tmp_path: Path, catalog: Catalog) -> None:
    file = config_in(tmp_path, name="other.json")
    with pytest.raises(ModelError, match="without weights"):
        require_weights(read_model(str(file), catalog))


def test_weights_of_a_hub_model_ask_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *a, **k: (_ for _ in ()).throw(OSError("down")))
    with pytest.raises(ModelError, match="cannot be reached"):
        hub.fetch_weights("org/model")
