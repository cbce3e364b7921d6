"""Predicted against measured memory: Mistral-7B on an A100, measured by the fms-acceleration project.

    python benchmarks/memory_fms.py

Every row of `search_spaces/evidence/fms_a100_measured.csv` (full fine-tuning, LoRA, LoRA on a 4-bit base; gradient
checkpointing and flash attention in all) is priced at 4096 tokens. Measured is the true peak of torch's allocator.
Twice: for the transformers that ran, 4.45 by the project's own pin (scripts/benchmarks/refs/requirements.txt), whose
loss copied the float32 logits when it shifted them by a token; and for the installed one, which does not. That loss is
all that is taken from the version, and nothing is fitted. The fp16 rows are of short texts whose mean length alone is
known: they are shown and not counted. Writes `memory_fms.md` and `memory_fms.json` beside it.
"""

import csv
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.nn import functional
from transformers.loss.loss_utils import LOSS_MAPPING

from autopeft.catalog.contents import Catalog
from autopeft.catalog.load import load_catalog
from autopeft.domain.memory import MemoryEstimate, StepShape
from autopeft.domain.methods import MethodSpec
from autopeft.memory.pricing import BaseModels, Pricing, price
from autopeft.modeling.architecture import architecture_of
from autopeft.modeling.recorded import read_recorded

HERE = Path(__file__).parent
EVIDENCE = HERE.parent / "search_spaces" / "evidence" / "fms_a100_measured.csv"
MODEL = "mistralai/Mistral-7B-v0.1"
PACKED_TOKENS = 4096
LEARNING_RATE = {"learning_rate": 1e-4}
TARGET_MEAN, TARGET_WORST = 0.03, 0.08
# What each framework does to what stays unquantised. The table shows that the first upcasts the norms alone: its runs
# end with 65 norms of 4096 features in 2 more bytes, and embeddings as they were. Float32 activations then meet
# bfloat16 weights, which only autocast allows.
FRAMEWORKS: dict[str, dict[str, Any]] = {
    "none": {},
    "baseline-peft-bnb": {"quantization": "nf4-double", "upcast": "norms", "autocast": "bfloat16"},
    "accelerated-peft-bnb": {"quantization": "nf4-double"},
}


@dataclass(frozen=True)
class Row:
    """One published run; bytes, errors relative to the measurement."""

    run: str
    counted: bool
    measured_bytes: int
    peak_bytes: int
    error: float
    peak_phase: str
    installed_bytes: int
    installed_error: float


@cache
def catalog() -> Catalog:
    return load_catalog()


def read_measured() -> list[dict[str, str]]:
    with EVIDENCE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def predict(measurement: Mapping[str, str]) -> MemoryEstimate:
    """The estimate of a row."""
    model = catalog().models[MODEL]
    # A fresh set of bases each time: a built model keeps the loss function that it was first asked with.
    return price(
        Pricing(
            model,
            catalog().tasks["causal-lm"],
            _method(measurement),
            LEARNING_RATE,
            _shape(measurement),
            architecture_of(model.config, catalog()),
            bases=BaseModels(),
        )
    )


@contextmanager
def loss_of_transformers_4() -> Iterator[None]:
    """Put the causal loss of transformers 4.45 in the place of the installed one."""
    installed = LOSS_MAPPING["ForCausalLM"]
    LOSS_MAPPING["ForCausalLM"] = _shifting_loss
    try:
        yield
    finally:
        LOSS_MAPPING["ForCausalLM"] = installed


def _shifting_loss(logits: Tensor, labels: Tensor, vocab_size: int, **_: Any) -> Tensor:
    upcast = logits.float()
    shifted = upcast[..., :-1, :].contiguous()
    return functional.cross_entropy(shifted.view(-1, vocab_size), labels[..., 1:].contiguous().view(-1))


def mean_absolute(errors: Sequence[float]) -> float:
    return sum(map(abs, errors)) / len(errors)


def _counts(measurement: Mapping[str, str]) -> bool:
    return measurement["torch_dtype"] == "bfloat16"


def _shape(measurement: Mapping[str, str]) -> StepShape:
    return StepShape(
        batch_size=int(measurement["per_device_train_batch_size"]),
        max_length=PACKED_TOKENS if _counts(measurement) else round(float(measurement["seq_len_from_throughput"])),
        dtype="bfloat16",
        gradient_checkpointing=True,
        attention="flash",
        **FRAMEWORKS[measurement["framework_config"]],
    )


def _method(measurement: Mapping[str, str]) -> MethodSpec:
    if not measurement["peft_method"]:
        return catalog().methods["full"]
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": int(float(measurement["r"])),
        "lora_alpha": int(float(measurement["lora_alpha"])),
        "target_modules": measurement["target_modules"].split(),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "adapter_config.json"
        path.write_text(json.dumps(config), encoding="utf-8")
        return read_recorded(path).method


def _row(measurement: Mapping[str, str]) -> Row:
    measured = int(float(measurement["torch_peak_alloc_bytes"]))
    installed = predict(measurement)
    with loss_of_transformers_4():
        ran = predict(measurement)
    kind = measurement["peft_method"] or "full"
    framework = "" if measurement["framework_config"] == "none" else f", {measurement['framework_config']}"
    return Row(
        f"{kind}{framework}, {measurement['torch_dtype']}, batch {measurement['per_device_train_batch_size']}",
        _counts(measurement),
        measured,
        ran.peak_bytes,
        ran.peak_bytes / measured - 1,
        ran.peak_phase,
        installed.peak_bytes,
        installed.peak_bytes / measured - 1,
    )


def write_table(rows: Sequence[Row]) -> str:
    lines = [
        "# Predicted and measured memory, Mistral-7B",
        "",
        "Written by `python benchmarks/memory_fms.py`. Measured: `max_memory_allocated()` on an A100-80GB, from",
        "`search_spaces/evidence/fms_a100_measured.csv`. Predicted: `peak_bytes`, 4096 tokens, gradient checkpointing.",
        "Predicted for transformers 4.45, which ran (pinned beside the project's tables), and for the installed one.",
        "Fp16 rows are not counted: the length of their texts is known as a mean alone.",
        "",
        "| run | counted | measured GiB | predicted GiB | error | peak in | with the installed transformers | error |",
        "| --- | --- | ---: | ---: | ---: | --- | ---: | ---: |",
        *map(_line, rows),
        "",
        *_summary([row for row in rows if row.counted]),
        "",
        "Transformers 4.45 made a contiguous copy of the float32 logits without the last token, 4 bytes for each token",
        "and vocabulary entry, while the 16-bit logits were alive. The installed one shifts the labels instead, so a",
        "step of today needs that much less. Nothing else depends on the version here, and nothing is fitted.",
    ]
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    return (
        f"| {row.run} | {'yes' if row.counted else 'no'} | {row.measured_bytes / 2**30:.2f} "
        f"| {row.peak_bytes / 2**30:.2f} | {row.error:+.1%} | {row.peak_phase} "
        f"| {row.installed_bytes / 2**30:.2f} | {row.installed_error:+.1%} |"
    )


def _summary(counted: Sequence[Row]) -> list[str]:
    ran, installed = [row.error for row in counted], [row.installed_error for row in counted]
    return [
        f"Mean absolute error of the counted rows: {mean_absolute(ran):.1%}, worst {max(map(abs, ran)):.1%} (targets "
        f"{TARGET_MEAN:.0%} and {TARGET_WORST:.0%}); with the installed transformers {mean_absolute(installed):.1%}, "
        f"worst {max(map(abs, installed)):.1%}."
    ]


def main() -> None:
    rows = [_row(measurement) for measurement in read_measured()]
    table = write_table(rows)
    print(table)
    (HERE / "memory_fms.md").write_text(table, encoding="utf-8")
    plain = {"rows": [asdict(row) for row in rows]}
    (HERE / "memory_fms.json").write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
