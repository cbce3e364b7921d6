"""What a search was asked to do and what was decided before it began: `plan.json`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from hashlib import sha256
from typing import Any


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What the user asked for; everything needed to start the search again.

    Attributes:
        model: hub id or path; `demo` for the embedded default.
        dataset: file, folder or hub id; `demo` for the embedded default.
        task: task id; empty for what suits the architecture.
        columns: role -> column, where the user named it.
        methods: ids to search over; empty means the recommender's choice.
        gpu_mem_bytes: what training may use, or None for no limit.
        budget_seconds: wall clock for everything, or None.
        trials: how many configurations to try at most, or None.
        seed: of the whole search.
        batch_size: sequences in an optimizer step, or None for the task's default.
        max_length: tokens, or None to choose it from the data.
        full_steps: optimizer steps of a full-length run, or None to derive it.
        max_train_rows: cap on training rows, or None.
        max_evaluation_rows: cap on validation and on test rows each, or None.
        top: how many candidates the confirm stage trains to full length.
        confirm_seeds: on how many seeds.
        threads: CPU threads, or None for torch's choice.
    """

    model: str
    dataset: str
    task: str
    columns: Mapping[str, str] = field(default_factory=dict)
    methods: tuple[str, ...] = ()
    gpu_mem_bytes: int | None = None
    budget_seconds: float | None = None
    trials: int | None = None
    seed: int = 0
    batch_size: int | None = None
    max_length: int | None = None
    full_steps: int | None = None
    max_train_rows: int | None = None
    max_evaluation_rows: int | None = None
    top: int = 2
    confirm_seeds: int = 2
    threads: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return plain | {"columns": dict(self.columns), "methods": list(self.methods)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "SearchRequest":
        """The inverse of `to_dict`."""
        return cls(**{**plain, "methods": tuple(plain["methods"])})


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What every slice of a search shares; decided once, kept in `plan.json`.

    Attributes:
        batch_size: sequences in one optimizer step.
        full_steps: optimizer steps of a full-length run; the learning rate decays to 0 over them.
        rung_steps: ascending; the last is `full_steps`.
        warmup_share: of `full_steps`, linear (0.06 in the survey's protocol, run_grid_search.py).
        max_grad_norm: gradient clipping.
        autocast: dtype of matrix products in training and rungs, or None; final evaluation is float32.
        rung_rows: validation rows that rungs are compared on.
        evaluation_batch_size: sequences in an evaluation batch.
        seeds: of the confirm stage; the first is also the seed of every search trial.
        step_seconds: cost of one plain LoRA step, measured once, or None without a time budget.
        evaluation_row_seconds: cost of one evaluated row, likewise.
    """

    batch_size: int
    full_steps: int
    rung_steps: tuple[int, ...]
    seeds: tuple[int, ...]
    autocast: str | None
    rung_rows: int
    warmup_share: float = 0.06
    max_grad_norm: float = 1.0
    evaluation_batch_size: int = 32
    step_seconds: float | None = None
    evaluation_row_seconds: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return plain | {"rung_steps": list(self.rung_steps), "seeds": list(self.seeds)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "TrainingPlan":
        """The inverse of `to_dict`."""
        return cls(**{**plain, "rung_steps": tuple(plain["rung_steps"]), "seeds": tuple(plain["seeds"])})


def derived_seed(*parts: int | str) -> int:
    """A 31-bit seed from what identifies a random draw, such as (seed, trial number, step)."""
    return int.from_bytes(sha256(json.dumps(parts).encode()).digest()[:4], "big") >> 1
