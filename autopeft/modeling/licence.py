"""The licence of a base model, where its own model card states one."""

import re
from pathlib import Path

CARD = "README.md"
# The front matter of a card is a page; nothing behind it is read.
_MOST_CHARACTERS = 20_000
_FRONT_MATTER = re.compile(r"\A---\r?\n(.*?)\r?\n---", re.DOTALL)
_LICENCE = re.compile(r"""^license(?:_name)?:[ \t]*["']?([A-Za-z0-9][\w.+ -]{0,60}?)["']?[ \t]*\r?$""", re.MULTILINE)
# The hub's word for "see license_name".
_ELSEWHERE = {"other", "unknown"}


def licence_of(folder: Path) -> str | None:
    """What the front matter of the model card in a model folder names as `license`; None where nothing does.

    Args:
        folder: with the model.
    """
    try:
        with open(folder / CARD, encoding="utf-8-sig", errors="replace") as stream:
            head = _FRONT_MATTER.match(stream.read(_MOST_CHARACTERS))
    except OSError:
        return None
    named = _LICENCE.findall(head.group(1)) if head else []
    return next((name for name in named if name.lower() not in _ELSEWHERE), None)
