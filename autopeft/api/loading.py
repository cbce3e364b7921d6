"""The winner of a run, as a model; and the lines that load it without autopeft."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autopeft.api.preparation import read_subject
from autopeft.catalog.load import load_catalog
from autopeft.catalog.vocabulary import OWN_TUNERS
from autopeft.domain.methods import MethodSpec
from autopeft.domain.tasks import TaskSpec
from autopeft.modeling.adapter_files import load_adapter
from autopeft.search.run_directory import RunDirectory, read_json

_AUTO_CLASSES = {
    "sequence-classification": "AutoModelForSequenceClassification",
    "causal-lm": "AutoModelForCausalLM",
    "seq2seq-lm": "AutoModelForSeq2SeqLM",
}


def load_best(run: Path, device: str) -> Any:
    """The adapted model of a finished run, in float32 and evaluation mode.

    Raises:
        InputError: the run is not finished.
        ModelError: the base model is not where it was.
    """
    request = RunDirectory(run).request()
    result = read_json(run / "result.json")
    subject = read_subject(request, load_catalog())
    labels = result["data"]["labels"]
    return load_adapter(subject.model, run / "best_adapter", subject.task, len(labels or ()) or 2, device=device)


def load_lines(
    task: TaskSpec,
    method: MethodSpec,
    model: str,
    adapter: str,
    labels: Mapping[str, int] | None,
    pad_id: int | None,
) -> list[str]:
    """Lines of Python that load the winner with transformers and peft.

    Args:
        task: of the search.
        method: of the winner.
        model: path of the base.
        adapter: folder of the adapter.
        labels: of a classification, else None.
        pad_id: the padding token, where the base's config names none.
    """
    auto_class = _AUTO_CLASSES[task.head]
    count = f", num_labels={len(labels)}" if labels else ""
    if method.builder == "FULL":
        return [
            f"from transformers import {auto_class}",
            f"model = {auto_class}.from_pretrained({adapter!r})",
        ]
    own = ["import autopeft.tuners  # registers the method with peft"] if method.builder in OWN_TUNERS else []
    return [
        "from peft import PeftModel",
        f"from transformers import {auto_class}",
        *own,
        f'base = {auto_class}.from_pretrained({model!r}, dtype="float32"{count})',
        *([] if pad_id is None else [f"base.config.pad_token_id = {pad_id}"]),
        f"model = PeftModel.from_pretrained(base, {adapter!r}).eval()",
    ]
