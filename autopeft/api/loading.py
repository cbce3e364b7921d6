"""The lines of Python that load the winner of a run without autopeft."""

from collections.abc import Mapping
from typing import Any

from autopeft.catalog.vocabulary import OWN_TUNERS
from autopeft.domain.methods import MethodSpec
from autopeft.domain.tasks import HEADS, TaskSpec


def load_lines(
    task: TaskSpec,
    method: MethodSpec,
    model: str,
    adapter: str,
    labels: Mapping[str, int] | None,
    pad_id: int | None,
    layout: Mapping[str, Any] | None = None,
    renamed: Mapping[str, str] | None = None,
) -> list[str]:
    """Lines of Python that load the winner with transformers and peft.

    Args:
        task: of the search.
        method: of the winner.
        model: path of the base.
        adapter: folder of the adapter.
        labels: of a classification, else None.
        pad_id: the padding token, where the base's config names none or another.
        layout: arguments of transformers' `BitsAndBytesConfig`, where it was trained on a quantised base.
        renamed: see `modeling.build.renamed_weights`.
    """
    auto_class = HEADS[task.head].auto_class
    outputs = task.outputs or len(labels or ())
    count = f", num_labels={outputs}" if outputs and task.head != "multiple-choice" else ""
    if method.builder == "FULL":
        return [
            f"from transformers import {auto_class}",
            f"model = {auto_class}.from_pretrained({adapter!r})",
        ]
    own = ["import autopeft.tuners  # registers the method with peft"] if method.builder in OWN_TUNERS else []
    said = ", ".join(f"{name}={value!r}" for name, value in (layout or {}).items())
    config = [f"layout = BitsAndBytesConfig({said})"] if layout else []
    quantised = ", quantization_config=layout" if layout else ""
    names = f", key_mapping={dict(renamed)!r}" if renamed else ""
    return [
        "from peft import PeftModel",
        f"from transformers import {auto_class}{', BitsAndBytesConfig' if layout else ''}",
        *own,
        *config,
        f'base = {auto_class}.from_pretrained({model!r}, dtype="float32"{count}{quantised}{names})',
        *([] if pad_id is None else [f"base.config.pad_token_id = {pad_id}"]),
        f"model = PeftModel.from_pretrained(base, {adapter!r}).eval()",
    ]
