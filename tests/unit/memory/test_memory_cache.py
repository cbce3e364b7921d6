import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from autopeft.catalog.load import load_catalog
from autopeft.domain.memory import StepShape
from autopeft.domain.models import ModelSpec
from autopeft.memory.cache import EstimateCache, cache_folder, cache_key, user_cache
from autopeft.memory.estimate import TracingEstimator


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    cache = EstimateCache(tmp_path / "new")
    assert cache.get("a") is None
    cache.put("a", {"peak_bytes": 5})
    assert cache.get("a") == {"peak_bytes": 5}
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.json"]


@pytest.mark.parametrize("content", ["", "{", "[1]", "\udcff", "x" * 200_000])
def test_a_broken_file_is_no_answer(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_bytes(content.encode(errors="surrogateescape"))
    assert EstimateCache(tmp_path).get("a") is None


def test_old_files_make_room(tmp_path: Path) -> None:
    cache = EstimateCache(tmp_path, most_files=10)
    for number in range(50):
        cache.put(str(number), {"n": number})
    assert len(list(tmp_path.iterdir())) <= 10
    assert cache.get("49") == {"n": 49}


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = EstimateCache(tmp_path / "file")
    cache.put("a", {})
    assert cache.get("a") is None


def test_the_folder_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "autopeft" / "estimates"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == Path.home() / ".cache" / "autopeft" / "estimates"


def test_the_key_depends_on_every_part() -> None:
    assert cache_key({"rank": 8}) == cache_key({"rank": 8})
    assert cache_key({"rank": 8}) != cache_key({"rank": 16})


_ASK = """
import json, sys
from pathlib import Path
from autopeft.catalog.load import load_catalog
from autopeft.domain.memory import StepShape
from autopeft.domain.models import ModelSpec
from autopeft.errors import ModelError
from autopeft.memory.cache import EstimateCache
from autopeft.memory.estimate import TracingEstimator
catalog = load_catalog()
estimator = TracingEstimator(catalog, cache=EstimateCache(Path(sys.argv[1])))
config = dict(model_type="bert", hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
              vocab_size=100)
def ask(method, config):
    spec = catalog.methods[method]
    task = catalog.tasks["sequence-classification"]
    try:
        return estimator(ModelSpec("m", config), task, spec, spec.start(10**6), StepShape(2, 16)).to_dict()
    except ModelError as error:
        return error.message
answers = [ask("lora", config), ask("bitfit", dict(model_type="llama", hidden_size=32, intermediate_size=64,
    num_hidden_layers=2, num_attention_heads=2, vocab_size=100))]
print(json.dumps({"answers": answers, "torch": "torch" in sys.modules}))
"""


def test_a_second_process_answers_the_same_without_torch(tmp_path: Path) -> None:
    first, second = (
        json.loads(
            subprocess.run(
                [sys.executable, "-W", "ignore", "-c", _ASK, str(tmp_path)], capture_output=True, text=True, check=True
            ).stdout
        )
        for _ in range(2)
    )
    assert first["torch"] and not second["torch"]
    assert first["answers"] == second["answers"]
    assert "bitfit" in second["answers"][1]


def test_bytes_are_bounded_too(tmp_path: Path) -> None:
    cache = EstimateCache(tmp_path, most_bytes=5_000)
    for number in range(40):
        cache.put(str(number), {"text": "x" * 500})
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 5_000
    assert cache.get("39") is not None


def test_what_others_wrote_and_left_half_written_counts(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"old{number}.tmp").write_text("x")
        (tmp_path / f"old{number}.json").write_text("{}")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "README").write_text("not the cache's")
    EstimateCache(tmp_path, most_files=10).put("new", {})
    assert (tmp_path / "README").exists()
    assert len(list(tmp_path.iterdir())) < 25


def test_several_processes_may_write_and_prune_at_once(tmp_path: Path) -> None:
    caches = [EstimateCache(tmp_path, most_files=8) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda cache: [cache.put(str(n), {"n": n}) for n in range(100)], caches))
    assert all(json.loads(path.read_text()) for path in tmp_path.iterdir())
    assert len(list(tmp_path.iterdir())) <= 8 * 4


def test_the_users_cache_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOPEFT_CACHE", "off")
    assert user_cache() is None
    monkeypatch.delenv("AUTOPEFT_CACHE")
    assert user_cache() is not None


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"peak_bytes": None},
        {"components_bytes": [1]},
        {"assumptions": None},
        {"error": 5},
        {"error": "why", "hint": 3},
    ],
)
def test_an_entry_of_another_form_is_asked_again(change: dict[str, Any], tmp_path: Path) -> None:
    catalog = load_catalog()
    spec = catalog.methods["lora"]
    config = {"model_type": "bert", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1}
    config |= {"num_attention_heads": 2, "vocab_size": 100}
    asked = (ModelSpec("m", config), catalog.tasks["sequence-classification"], spec, spec.start(10**6), StepShape(2, 8))
    cache = EstimateCache(tmp_path)
    first = TracingEstimator(catalog, cache=cache)(*asked)
    (file,) = tmp_path.iterdir()
    kept = json.loads(file.read_text())
    file.write_text(json.dumps(kept | change))
    assert TracingEstimator(catalog, cache=cache)(*asked) == first
    assert json.loads(file.read_text()) == kept, "and kept anew"
    file.write_text(json.dumps({name: value for name, value in kept.items() if name != "step_flops"}))
    assert TracingEstimator(catalog, cache=cache)(*asked) == first
