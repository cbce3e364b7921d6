"""Predicted against measured memory: Llama-3.2-3B on an L40S, measured by peft's maintainers.

    python benchmarks/memory_metamath.py

Every row of `search_spaces/evidence/peft_metamath_measured.csv` whose method this version offers is priced with the
peft configuration that the row records, at batch 4 and 768 tokens, bf16 weights, adapters in fp32. Measured is
`max_memory_reserved()` of the whole process. Writes `memory_metamath.md` and `memory_metamath.json` beside it.
"""

import csv
import inspect
import json
import warnings
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from peft import get_peft_model
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from torch import nn
from transformers import PreTrainedModel

from autopeft.catalog.load import load_catalog
from autopeft.domain.memory import StepShape
from autopeft.domain.models import ModelSpec
from autopeft.memory.allocator import replay
from autopeft.memory.batch import empty_batch
from autopeft.memory.depth import with_layers
from autopeft.memory.extrapolate import repeat_layers
from autopeft.memory.operators import Operators
from autopeft.memory.stream import EventStream, find_peak
from autopeft.memory.trace import trace_steps
from autopeft.modeling.build import build_on_meta
from autopeft.modeling.clone import clone_sharing_weights
from autopeft.modeling.step import build_optimizer

HERE = Path(__file__).parent
EVIDENCE = HERE.parent / "search_spaces" / "evidence" / "peft_metamath_measured.csv"
LAYERS = 28
SHAPE = StepShape(batch_size=4, max_length=768, dtype="bfloat16")
TARGET = 0.03
# Rows whose method this version offers, by the start of their name.
OFFERED = (
    "full-finetuning/llama-3.2-3B-lr_0.00001",
    "ia3/llama-3.2-3B-default",
    "ln_tuning/llama-3.2-3B-default",
    "lora/llama-3.2-3B-rank32",
    "lora/llama-3.2-3B-rank64",
    "lora/llama-3.2-3B-rank64-rslora",
    "lora/llama-3.2-3B-rank32-dora",
    "lora/llama-3.2-3B-rank10-target-mlp",
    "prompt_tuning/llama-3.2-3B-default",
    "prompt_tuning/llama-3.2-3B-sample_vocab-lr_0.001",
)
MODEL = ModelSpec(
    "meta-llama/Llama-3.2-3B",
    {
        "model_type": "llama",
        "hidden_size": 3072,
        "intermediate_size": 8192,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 24,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 128256,
        "tie_word_embeddings": True,
        "max_position_embeddings": 131072,
        "rope_parameters": {
            "rope_type": "llama3",
            "rope_theta": 500000.0,
            "factor": 32.0,
            "high_freq_factor": 4.0,
            "low_freq_factor": 1.0,
            "original_max_position_embeddings": 8192,
        },
    },
)


@dataclass(frozen=True)
class Row:
    experiment: str
    measured_bytes: int
    reserved_bytes: int
    peak_bytes: int
    peak_phase: str
    error: float
    padded_reserved_bytes: int
    padded_error: float


def predict_rows(names: tuple[str, ...] = OFFERED) -> list[Row]:
    return [_predict(measurement) for measurement in read_measured(names)]


def read_measured(names: tuple[str, ...] = OFFERED) -> list[dict[str, str]]:
    with EVIDENCE.open(encoding="utf-8", newline="") as file:
        rows = {row["experiment"]: row for row in csv.DictReader(file)}
    return [rows[name] for name in names]


def predicted_stream(measurement: dict[str, str], *, padded: bool = False) -> EventStream:
    config = json.loads(measurement["peft_config_json"] or "null")
    return _stream(config, padded=padded)


def mean_absolute_error(errors: list[float]) -> float:
    return sum(abs(error) for error in errors) / len(errors)


def _predict(measurement: dict[str, str]) -> Row:
    measured = int(measurement["accelerator_memory_max_bytes"])
    stream = predicted_stream(measurement)
    reserved, padded = replay(stream), replay(predicted_stream(measurement, padded=True))
    peak = find_peak(stream)
    return Row(
        measurement["experiment"],
        measured,
        reserved,
        peak.peak_bytes,
        peak.phase,
        reserved / measured - 1,
        padded,
        padded / measured - 1,
    )


def _stream(config: dict[str, Any] | None, *, padded: bool) -> EventStream:
    found = repeat_layers(lambda layers: _traced(config, layers, padded), LAYERS)
    assert found is not None, "the layers of this model do not repeat"
    return found[0]


def _traced(config: dict[str, Any] | None, layers: int, padded: bool) -> EventStream:
    model = _wrapped(_base(layers), config)
    batch = empty_batch(load_catalog().tasks["causal-lm"], SHAPE)
    optimizer = build_optimizer(model, {"learning_rate": 1e-4})
    return trace_steps(model, batch, optimizer, padded=padded, operators=Operators("cuda", None))


@cache
def _base(layers: int) -> PreTrainedModel:
    return build_on_meta(with_layers(MODEL, layers), load_catalog().tasks["causal-lm"], SHAPE)


def _wrapped(base: PreTrainedModel, config: dict[str, Any] | None) -> nn.Module:
    """The base with a recorded peft configuration; fields that peft writes but does not take are left out."""
    model = clone_sharing_weights(base, own_all=config is None)
    if config is None:
        return model.requires_grad_(True)
    kind = PEFT_TYPE_TO_CONFIG_MAPPING[config["peft_type"]]
    taken = inspect.signature(kind).parameters
    # The depth of the prompt's own record would contradict a shallow model; peft reads it from the model.
    left_out = ("peft_type", "auto_mapping", "num_layers", "base_model_name_or_path")
    fields = {k: v for k, v in config.items() if k in taken and k not in left_out and v is not None}
    if fields.get("prompt_tuning_init") == "SAMPLE_VOCAB":
        # Which embeddings it starts from changes no size, and reading them needs weights.
        fields["prompt_tuning_init"] = "RANDOM"
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return get_peft_model(model, kind(**fields)).train()


def write_table(rows: list[Row]) -> str:
    lines = [
        "# Predicted and measured memory, Llama-3.2-3B",
        "",
        "Written by `python benchmarks/memory_metamath.py`. Measured: `max_memory_reserved()` on an L40S, from",
        "`search_spaces/evidence/peft_metamath_measured.csv`. Predicted: `reserved_bytes`, batch 4, 768 tokens, bf16.",
        "",
        "| run | measured GiB | predicted GiB | error | peak allocated GiB | peak in | padded GiB | error |",
        "| --- | ---: | ---: | ---: | ---: | --- | ---: | ---: |",
    ]
    for row in rows:
        lines.append(
            f"| {row.experiment} | {row.measured_bytes / 2**30:.2f} | {row.reserved_bytes / 2**30:.2f} "
            f"| {row.error:+.1%} | {row.peak_bytes / 2**30:.2f} | {row.peak_phase} "
            f"| {row.padded_reserved_bytes / 2**30:.2f} | {row.padded_error:+.1%} |"
        )
    padded = mean_absolute_error([row.padded_error for row in rows])
    mean = mean_absolute_error([row.error for row in rows])
    misses = [row.experiment for row in rows if abs(row.error) > TARGET]
    lines += [
        "",
        f"Mean absolute error: {mean:.1%} (target {TARGET:.0%}); with padding {padded:.1%}.",
        f"Rows off by more than {TARGET:.0%}: {', '.join(misses) or 'none'}.",
        "",
        "How to read it: 768 tokens is the run's upper bound, not its longest batch. The maintainers drop texts over",
        "1,300 characters, pad each batch (so attention runs with a mask), keep the outputs of a step alive during the",
        "next, and empty the cache every ten steps. The first prediction is autopeft's own step without padding; the",
        "columns on the right add padding at the full 768 tokens, an upper bound of what that run can have had.",
        "So part of the agreement may be differences that offset each other: a longer batch against no mask and no",
        "kept outputs. The run's true longest batch is not published.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    rows = predict_rows()
    table = write_table(rows)
    print(table)
    (HERE / "memory_metamath.md").write_text(table, encoding="utf-8")
    mean = mean_absolute_error([row.error for row in rows])
    plain = {"mean_absolute_error": mean, "rows": [asdict(row) for row in rows]}
    (HERE / "memory_metamath.json").write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
