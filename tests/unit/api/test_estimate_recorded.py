"""An adapter_config.json is priced as it is: counted against what peft's maintainers counted, refused where wrong."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from autopeft import estimate
from autopeft.catalog.locate import search_spaces_root
from autopeft.domain.memory import MemoryEstimate
from autopeft.errors import InputError, ModelError, UsageError
from autopeft.memory.layer_choice import picks_layers
from autopeft.modeling.recorded import read_recorded

BASE = "meta-llama/Llama-3.2-3B"
LORA = {"peft_type": "LORA", "r": 4, "target_modules": ["q_proj"], "task_type": "CAUSAL_LM"}
TINY = {
    "model_type": "llama",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 6,
    "num_attention_heads": 2,
    "vocab_size": 100,
    "max_position_embeddings": 64,
}
EXPERIMENTS = (
    "ia3/llama-3.2-3B-default",
    "ln_tuning/llama-3.2-3B-default",
    "lora/llama-3.2-3B-rank10-target-mlp",
    "lora/llama-3.2-3B-rank32-dora",
    "prompt_tuning/llama-3.2-3B-sample_vocab-lr_0.001",
    "vera/llama-3.2-3B-default",
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(TINY))
    return str(file)


def written(folder: Path, fields: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "adapter_config.json"
    file.write_text(json.dumps(fields))
    return file


def priced(folder: Path, fields: dict[str, Any], model: str) -> MemoryEstimate:
    return estimate(model, peft_config=written(folder, fields), batch_size=2, max_length=16)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_published_configurations_train_as_many_parameters_as_published(experiment: str, tmp_path: Path) -> None:
    with (search_spaces_root() / "evidence" / "peft_metamath_measured.csv").open(encoding="utf-8", newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["experiment"] == experiment)
    written(tmp_path / "adapter", json.loads(row["peft_config_json"]))
    found = estimate(peft_config=tmp_path / "adapter", batch_size=4, max_length=768)
    assert found.trainable_parameters == int(row["num_trainable_params"])
    assert (found.model, found.method) == (BASE, row["peft_type"].lower())
    assert found.hyperparameters.items() <= json.loads(row["peft_config_json"]).items()


def test_it_is_the_catalogues_method_where_the_fields_are_the_same(tiny: str, tmp_path: Path) -> None:
    fields = LORA | {"r": 8, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"], "inference_mode": True}
    recorded = priced(tmp_path / "a", fields, tiny)
    named = estimate(tiny, "lora", hyperparameters={"r": 8}, batch_size=2, max_length=16)
    assert recorded.components_bytes == named.components_bytes
    assert recorded.hyperparameters["r"] == 8 and "learning_rate" not in recorded.hyperparameters


def test_layers_that_are_told_apart_are_counted_one_by_one(tiny: str, tmp_path: Path) -> None:
    each = priced(tmp_path / "a", LORA, tiny).trainable_parameters // 6
    some = LORA | {"layers_to_transform": [1, 5]}
    assert priced(tmp_path / "b", some, tiny).trainable_parameters == 2 * each
    deeper = LORA | {"rank_pattern": {"layers.5.self_attn.q_proj": 8}}
    assert priced(tmp_path / "c", deeper, tiny).trainable_parameters == 7 * each
    assert not picks_layers(LORA)


def test_what_it_trains_beside_the_adapter_is_taken_as_it_is(tiny: str, tmp_path: Path) -> None:
    plain = priced(tmp_path / "a", LORA, tiny)
    saved = priced(tmp_path / "b", LORA | {"modules_to_save": ["lm_head"]}, tiny)
    assert saved.trainable_parameters - plain.trainable_parameters == 32 * 100


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"ranks": 3}, "knows no field 'ranks'"),
        ({"r": 0}, "positive integer"),
        ({"target_modules": ["nowhere"]}, "nowhere"),
        ({"r": 4096}, "exceeds the size"),
    ],
)
def test_what_peft_would_not_take_is_refused(change: dict[str, Any], says: str, tiny: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=says):
        priced(tmp_path / "a", LORA | change, tiny)


def test_an_unknown_field_is_refused_with_the_files_name(tiny: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="adapter_config"):
        priced(tmp_path / "a", LORA | {"ranks": 3}, tiny)
    assert priced(tmp_path / "b", LORA | {"ranks": None}, tiny).trainable_parameters


@pytest.mark.parametrize(
    "fields",
    [
        {"peft_type": "XLORA", "adapters": {"0": "somewhere"}},
        LORA | {"megatron_config": {"a": 1}, "megatron_core": "os"},
        {"peft_type": "SHADOW", "shadow_model": "somebody/model"},
        {"peft_type": "os.system"},
        {"peft_type": ["LORA"]},
        LORA | {"task_type": "ANYTHING"},
        LORA | {"task_type": ["CAUSAL_LM"]},
    ],
)
def test_what_would_load_something_else_is_refused(fields: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="adapter_config"):
        read_recorded(written(tmp_path / "a", fields))


@pytest.mark.parametrize("content", ["", "[]", "{", '"LORA"', "[" * 100_000])
def test_a_file_that_is_no_configuration_is_refused(content: str, tmp_path: Path) -> None:
    file = tmp_path / "adapter_config.json"
    file.write_text(content)
    with pytest.raises(InputError, match="adapter_config"):
        read_recorded(file)
    with pytest.raises(InputError):
        read_recorded(tmp_path / "nothing")


def test_a_model_must_be_known_from_somewhere(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="names no base model"):
        estimate(peft_config=written(tmp_path / "a", LORA))
    with pytest.raises(UsageError, match="hyperparameters"):
        estimate(BASE, peft_config=written(tmp_path / "a", LORA), hyperparameters={"r": 3})


def test_a_budget_names_the_largest_batches(tiny: str) -> None:
    shape: dict[str, Any] = {"max_length": 64, "dtype": "bfloat16"}
    plain = estimate(tiny, batch_size=1, gpu_mem="900MB", **shape).to_dict()
    assert plain["fits"]
    without, recomputed = plain["largest_batches"]
    assert without["gradient_checkpointing"] is False and recomputed["gradient_checkpointing"] is True
    assert 1 < without["batch_size"] < recomputed["batch_size"]
    room = 900 * 10**6 - plain["context_bytes"]
    assert estimate(tiny, batch_size=without["batch_size"], **shape).reserved_bytes <= room
    assert estimate(tiny, batch_size=without["batch_size"] + 1, **shape).reserved_bytes > room
