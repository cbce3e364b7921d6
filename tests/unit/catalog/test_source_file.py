from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autopeft.catalog.problems import BrokenFileError, Problem
from autopeft.catalog.source_file import MAX_ALIASES, MAX_DEPTH, MAX_FILE_BYTES, SourceFile, read_source_file


def read(tmp_path: Path, text: str | bytes) -> SourceFile:
    path = tmp_path / "one.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_source_file(path, "methods/one.yaml")


def problem(tmp_path: Path, text: str | bytes) -> Problem:
    with pytest.raises(BrokenFileError) as caught:
        read(tmp_path, text)
    return caught.value.problem


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5e-4", 5e-4),
        ("1.5E+3", 1500.0),
        ("60_000_000", 60_000_000),
        ("-3", -3),
        ("0.0", 0.0),
        ("true", True),
        ("null", None),
        ("~", None),
        ("", None),
        # YAML 1.1 would read these as True, False, 8, 3723 and a date.
        ("on", "on"),
        ("no", "no"),
        ("010", "010"),
        ("1:02:03", "1:02:03"),
        ("2026-01-01", "2026-01-01"),
        ("'7'", "7"),
        ("nan", "nan"),
        (".5", 0.5),
        ("1e400", float("inf")),
    ],
)
def test_scalars_read_as_people_mean_them(tmp_path: Path, text: str, value: Any) -> None:
    found = read(tmp_path, f"key: {text}\n").values["key"]
    assert found == value
    assert type(found) is type(value)


def test_every_field_keeps_its_line(tmp_path: Path) -> None:
    file = read(tmp_path, "a: 1\nb:\n  - x\n  - c:\n      d: 2\n")
    assert file.values == {"a": 1, "b": ["x", {"c": {"d": 2}}]}
    assert file.line(("b",)) == 2
    assert file.line(("b", 0)) == 3
    assert file.line(("b", 1, "c", "d")) == 5


def test_a_missing_field_gets_the_line_of_what_should_hold_it(tmp_path: Path) -> None:
    file = read(tmp_path, "a: 1\nb:\n  c: 2\n")
    assert file.problem(("b", "d"), "is missing") == Problem("methods/one.yaml", 2, "b.d", "is missing")


def test_a_duplicate_key_is_refused_with_its_line(tmp_path: Path) -> None:
    found = problem(tmp_path, "a: 1\nb: 2\na: 3\n")
    assert (found.line, found.what) == (3, "the key 'a' stands twice")


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.system ['true']",
        "a: !!python/name:os.system",
        "!!python/object:builtins.dict {a: 1}",
        "a: !include other.yaml",
    ],
)
def test_tags_that_name_code_are_refused(tmp_path: Path, text: str) -> None:
    assert "is not allowed" in problem(tmp_path, text).what


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    assert "nested deeper" in problem(tmp_path, "[" * 100_000).what
    assert "nested deeper" in problem(tmp_path, "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)).what
    assert read(tmp_path, "[" * MAX_DEPTH + "]" * MAX_DEPTH).values


def test_many_aliases_are_refused_and_few_are_fine(tmp_path: Path) -> None:
    few = ", ".join(["*x"] * MAX_ALIASES)
    assert read(tmp_path, f"a: &x 1\nb: [{few}]\n").values["b"] == [1] * MAX_ALIASES
    assert "aliases" in problem(tmp_path, f"a: &x 1\nb: [{few}, *x]\n").what


def test_an_alias_within_itself_is_refused(tmp_path: Path) -> None:
    assert "nested deeper" in problem(tmp_path, "a: &x [*x]\n").what


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    assert "larger than" in problem(tmp_path, "a: 1\n" + "# x\n" * (MAX_FILE_BYTES // 4 + 1)).what


def test_what_is_no_yaml_is_refused_with_its_line(tmp_path: Path) -> None:
    assert problem(tmp_path, "a: 1\nb: [1, 2\nc: 3\n").line >= 2
    assert problem(tmp_path, b"a: 1\nb: \xff\n") == Problem("methods/one.yaml", 2, "", "is not UTF-8 text")
    assert problem(tmp_path, "a: 1\n--- \nb: 2\n").line >= 1
    assert "key must be" in problem(tmp_path, "? [1, 2]\n: 3\n").what


def test_a_value_that_does_not_fit_its_tag_is_refused(tmp_path: Path) -> None:
    assert problem(tmp_path, "a: !!int many\n") == Problem("methods/one.yaml", 1, "", "is not a value of its type")
    assert problem(tmp_path, f"a: {'9' * 5000}\n").what == "is not a value of its type"


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(BrokenFileError, match="cannot be read"):
        read_source_file(tmp_path / "none.yaml", "none.yaml")


def is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(type(key) is str and is_plain(inner) for key, inner in value.items())
    if isinstance(value, list):
        return all(map(is_plain, value))
    return value is None or type(value) in {bool, int, float, str}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.sampled_from("ab1.-:!&*?|>%@`'\"{}[],#~\n \t<=_e\x00\ufeff"), max_size=40))
def test_any_text_gives_plain_values_or_a_problem(tmp_path: Path, text: str) -> None:
    try:
        file = read(tmp_path, text)
    except BrokenFileError:
        return
    assert is_plain(file.values)
