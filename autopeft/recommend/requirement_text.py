"""Hard requirements as people write them: `mergeable,max-adapter-mb=8`."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from autopeft.errors import UsageError

# Name -> the field of `Options` that it sets, for those without and with a number.
FLAGS: Final[Mapping[str, str]] = {
    "mergeable": "mergeable",
    "zero-inference-overhead": "no_inference_overhead",
    "quantized-base-ok": "quantized_base_ok",
}
NUMBERS: Final[Mapping[str, str]] = {
    "max-adapter-mb": "max_adapter_bytes",
    "max-latency-overhead": "max_latency_overhead",
}
_BYTES_PER_MB: Final = 10**6
_MOST: Final = 1e9


def read_requirements(texts: Iterable[str]) -> dict[str, Any]:
    """The fields of `Options` that the requirements set.

    Args:
        texts: each one requirement, or several with commas between them.

    Raises:
        UsageError: an unknown requirement, a missing number, or one that makes no sense.
    """
    fields: dict[str, Any] = {}
    for part in (part.strip() for text in texts for part in text.split(",")):
        if not part:
            continue
        name, separator, number = part.lower().replace("_", "-").partition("=")
        name = name.strip()
        if name in FLAGS and not separator:
            fields[FLAGS[name]] = True
        elif name in NUMBERS:
            fields[NUMBERS[name]] = _amount(name, number.strip())
        else:
            raise _refusal(part, name)
    return fields


def _amount(name: str, text: str) -> int | float:
    """Bytes for a size, a share for an overhead; `10%` and `0.1` are the same overhead."""
    percent = text.endswith("%") and name == "max-latency-overhead"
    try:
        value = float(text.removesuffix("%")) / (100 if percent else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= _MOST:
        raise UsageError(f"--require {name} needs a number from 0", hint=f"write it like {name}={_example(name)}")
    return int(value * _BYTES_PER_MB) if name == "max-adapter-mb" else value


def _example(name: str) -> str:
    return "8" if name == "max-adapter-mb" else "0.1"


def _refusal(part: str, name: str) -> UsageError:
    known = [*FLAGS, *(f"{number}={_example(number)}" for number in NUMBERS)]
    close = difflib.get_close_matches(name, [*FLAGS, *NUMBERS], n=1)
    hint = f"did you mean {close[0]}?" if close and close[0] != name else f"there are {', '.join(known)}"
    return UsageError(f"there is no requirement {part!r}", hint=hint)
