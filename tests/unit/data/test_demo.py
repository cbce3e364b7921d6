import hashlib
import importlib.machinery
import importlib.util
import sys
from collections import Counter
from pathlib import Path

import pytest

from autopeft.data import demo
from autopeft.data.baselines import majority, tfidf
from autopeft.data.docstrings import AREAS_FILE, Docstring, collect_docstrings, read_areas
from autopeft.data.load import prepare_data
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import CatalogError, DataError, MissingDependencyError, ModelError


@pytest.fixture(scope="module")
def tables() -> dict[str, dict[str, list[str]]]:
    return demo.demo_dataset()


def library(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_py", ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_the_real_corpus_has_the_promised_size_and_nine_areas(tables: dict[str, dict[str, list[str]]]) -> None:
    sizes = {split: len(columns["text"]) for split, columns in tables.items()}
    assert 4500 < sizes["train"] < 5500
    assert all(600 < sizes[split] < 1000 for split in ("validation", "test"))
    for columns in tables.values():
        assert len(set(columns["label"])) == 9
        assert all(len(text.split()) >= 3 and text == " ".join(text.split()) for text in columns["text"])


def test_no_text_is_in_two_splits(tables: dict[str, dict[str, list[str]]]) -> None:
    texts = [text for columns in tables.values() for text in columns["text"]]
    assert len(texts) == len(set(texts))


def test_the_corpus_is_hard_but_learnable(classification: TaskSpec, tables: dict[str, dict[str, list[str]]]) -> None:
    plain = prepare_data(tables, classification, max_train_rows=1500)
    chance, words = majority(plain.labels, "accuracy"), tfidf(plain.texts, plain.labels, "accuracy")
    assert chance.test_metric is not None and words.test_metric is not None
    assert 0.15 < chance.test_metric < 0.25
    assert chance.test_metric + 0.15 < words.test_metric < 0.7


def test_first_paragraphs_are_taken_from_every_depth(tmp_path: Path) -> None:
    root = library(
        tmp_path,
        asyncio__deep_py='''"""What the module does.

        More about it."""
if True:
    class A:
        """A class  of\n        two lines."""
        def f(self):
            """Too short."""
            async def g():
                """A function inside of it."""
''',
        asyncio__test__skipped_py='"""A docstring of a test."""',
        json__broken_py="def (",
        unknown_py='"""A module that has no area."""',
    )
    found = collect_docstrings(root)
    assert sorted((row.text, row.area, row.file) for row in found) == [
        ("A class of two lines.", "concurrency", "asyncio/deep.py"),
        ("A function inside of it.", "concurrency", "asyncio/deep.py"),
        ("What the module does.", "concurrency", "asyncio/deep.py"),
    ]


def test_a_text_in_two_areas_has_no_label(tmp_path: Path) -> None:
    both, one = '"""Close the thing now."""', '"""Open the thing now."""'
    root = library(tmp_path, asyncio__a_py=both, json__b_py=both, http__c_py=one, http__d_py=one)
    assert [(row.text, row.file) for row in collect_docstrings(root)] == [("Open the thing now.", "http/c.py")]


def test_files_stay_whole_whatever_the_seed() -> None:
    rows = [Docstring(f"text {n}", f"area {n % 3}", f"file {n % 60}") for n in range(600)]
    seen = set()
    for seed in range(3):
        splits = demo.split_by_file(rows, seed)
        assert splits == demo.split_by_file(rows, seed)
        files = [{row.file for row in part} for part in splits.values()]
        assert sum(map(len, files)) == len(set().union(*files)) == 60
        assert all(len(splits[split]) == 60 for split in ("validation", "test"))
        seen.add(frozenset(files[2]))
    assert len(seen) == 3


def test_a_stripped_library_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gives 0 docstrings"):
        demo.demo_dataset(library=tmp_path)


def test_the_areas_name_real_modules() -> None:
    areas = read_areas()
    assert len(set(areas.values())) == 9
    known = sum(name.removesuffix(".py") in sys.stdlib_module_names for name in areas)
    # Names of other versions of Python may be missing from this one.
    assert known > 0.85 * len(areas)
    assert min(Counter(areas.values()).values()) >= 5


@pytest.mark.parametrize(
    ("text", "says"),
    [("areas: [a", "stdlib_areas.yaml"), ("areas: {a: [x], b: [x]}", "both a and b"), ("other: 1", "must give a list")],
)
def test_a_broken_file_of_areas_is_a_catalogue_error(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / AREAS_FILE).write_text(text)
    with pytest.raises(CatalogError, match=says):
        read_areas(tmp_path)


def installed(monkeypatch: pytest.MonkeyPatch, folder: Path, weights: bytes) -> None:
    (folder / "model").mkdir()
    (folder / "model" / "model.safetensors").write_bytes(weights)
    spec = importlib.machinery.ModuleSpec(demo.MODEL_PACKAGE, None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    monkeypatch.setattr(demo, "find_spec", lambda _: spec)


def test_the_model_is_checked_before_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    installed(monkeypatch, tmp_path, b"weights")
    with pytest.raises(ModelError, match="not the published file"):
        demo.demo_model_path()
    monkeypatch.setattr(demo, "WEIGHTS_SHA256", hashlib.sha256(b"weights").hexdigest())
    assert demo.demo_model_path() == tmp_path / "model"
    (tmp_path / "model" / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        demo.demo_model_path()


def test_without_the_extra_the_way_to_get_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "find_spec", lambda _: None)
    with pytest.raises(MissingDependencyError) as caught:
        demo.demo_model_path()
    assert caught.value.exit_code == 5
    assert "pip install 'autopeft[demo]'" in str(caught.value.hint)


def test_the_installed_model_is_the_published_one() -> None:
    if importlib.util.find_spec(demo.MODEL_PACKAGE) is None:
        pytest.skip("the extra `demo` is not installed")
    assert (demo.demo_model_path() / "config.json").is_file()
    assert demo.MODEL_PACKAGE not in sys.modules
