"""The generated pages: fresh in the repository, and named when they are not."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "generate.py"


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_docs", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pages_in_the_repository_are_fresh(generate: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check"]) == 0, capsys.readouterr().err


def test_a_stale_page_is_named_and_not_written(
    generate: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate.main([], tmp_path) == 0
    (tmp_path / "methods.md").write_text("old")
    assert generate.main(["--check"], tmp_path) == 1
    assert capsys.readouterr().err == "docs/methods.md is out of date; run `make docs`\n"
    assert (tmp_path / "methods.md").read_text() == "old"


def test_every_method_and_rule_has_its_section(generate: ModuleType, tmp_path: Path) -> None:
    from autopeft.catalog import load_catalog

    generate.main([], tmp_path)
    methods, rules = ((tmp_path / name).read_text() for name in ("methods.md", "rules.md"))
    assert all(f"\n## {method}\n" in methods for method in load_catalog().methods)
    assert all(f"\n## {rule}\n" in rules for rule in load_catalog().rules)
