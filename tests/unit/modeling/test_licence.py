"""The licence of a base, as its own model card names it; nothing else in the card counts."""

from pathlib import Path

import pytest

from autopeft.modeling.licence import licence_of


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: apache-2.0\ntags: [x]\n---\n# Model\n", "apache-2.0"),
        ("\ufeff---\r\ntags: [x]\r\nlicense: 'mit'\r\n---\r\n", "mit"),
        ("---\nlicense: other\nlicense_name: llama3.2\n---\n", "llama3.2"),
        ("---\nlicense: other\n---\n", None),
        ("---\ntags: [x]\n---\nlicense: mit\n", None),
        ("# Model\n\n---\nlicense: mit\n---\n", None),
        ("---\nlicense: mit\nnever closed", None),
        ("---\nlicense: |\n  <script>\n---\n", None),
        ("---\nother_license: mit\n---\n", None),
    ],
)
def test_only_the_front_matter_tells(tmp_path: Path, card: str, licence: str | None) -> None:
    (tmp_path / "README.md").write_text(card, encoding="utf-8", newline="")
    assert licence_of(tmp_path) == licence


def test_a_folder_without_a_card(tmp_path: Path) -> None:
    assert licence_of(tmp_path) is None
    (tmp_path / "README.md").mkdir()
    assert licence_of(tmp_path) is None


def test_bytes_that_are_no_text_are_no_licence(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"---\nlicense: \xff\xfe\n---\n")
    assert licence_of(tmp_path) is None
