"""What a search was asked to do and what was decided before it began: `plan.json`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from hashlib import sha256
from typing import Any

from autopeft.domain.models import Quantization

SECONDS_PER_HOUR = 3600.0


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
        splits: split -> the name that the source has for it, where the user named it.
        documents: what a row of plain text is: `line`, `file` or `auto`.
        group_column: rows with the same value stay in one split, or None.
        max_bad_rows: rows that may be left out, or None for the default.
        allow_overlap: whether rows that two splits share stay where they are.
        class_weights: `balanced` weighs rows in training by how rare their class is, or None.
        metric: that the winner is chosen by, or None for the task's own.
        prompt_template: how a row is written out for a task that writes its answer, or None for the task's own way.
        catalog: folder of the user's own methods, rules and tasks beside the shipped ones, or None.
        workers: processes that train, each on a device of its own where there are several; 0 trains in this process.
        scheduler: what decides how far a trial is trained.
        sampler: what proposes configurations.
        objectives: what peers are compared by, at the same rung.
        device_seconds: budget of the workers' time, summed over them, or None.
        tokens: budget of training tokens, or None.
        money: budget at `price_per_hour`, or None.
        price_per_hour: of one worker's device, or None.
        disk_bytes: what the run directory may hold, or None.
        trial_seconds: the most that one trial may train and evaluate on one seed, or None.
        storage: address of a shared study, without its password, or None.
        study: name of the study in it.
        starts: method id -> hyperparameters to begin with, in the place of the recommender's.
        gpus: of this machine's devices, how many to train on, or None for all that there are.
        engine: what runs the workers: `processes` or `ray`.
        ray_address: of the Ray cluster, or None for the one that this machine belongs to.
        gpus_per_trial: GPUs that train each trial together, a whole number; on Ray also a share of one. None for one
            where there are any.
        history: whether what earlier searches found is used, and what this one finds is kept for later ones; None
            uses it under a budget of time alone, and keeps it.
        base_precision: layout of the frozen base's weights: nf4, nf4-double or int8; None for float32.
        track: experiment trackers that are told of every trial.
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
    splits: Mapping[str, str] = field(default_factory=dict)
    documents: str = "auto"
    group_column: str | None = None
    max_bad_rows: int | None = None
    allow_overlap: bool = False
    class_weights: str | None = None
    metric: str | None = None
    prompt_template: str | None = None
    catalog: str | None = None
    workers: int = 0
    scheduler: str = "asha"
    sampler: str = "mobster"
    objectives: tuple[str, ...] = ("loss",)
    device_seconds: float | None = None
    tokens: int | None = None
    money: float | None = None
    price_per_hour: float | None = None
    disk_bytes: int | None = None
    trial_seconds: float | None = None
    storage: str | None = None
    study: str | None = None
    gpus: int | None = None
    engine: str = "processes"
    ray_address: str | None = None
    gpus_per_trial: float | None = None
    history: bool | None = None
    starts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    base_precision: Quantization | None = None
    track: tuple[str, ...] = ()

    @property
    def slots(self) -> int:
        """Slices that run at a time."""
        return max(1, self.workers)

    @property
    def ranks(self) -> int:
        """Processes, each on a device of its own, that train each trial together: a worker's devices."""
        return max(1, int(self.gpus_per_trial or 1))

    @property
    def paid_device_seconds(self) -> float | None:
        """The workers' time that device-hours and money allow, whichever is less; None where neither is limited."""
        limits = [self.device_seconds] if self.device_seconds is not None else []
        if self.money is not None and self.price_per_hour:
            limits.append(self.money / self.price_per_hour * SECONDS_PER_HOUR)
        return min(limits) / self.ranks if limits else None

    @property
    def wall_seconds(self) -> float | None:
        """The wall clock that all budgets of time together allow; None where none is limited."""
        paid = self.paid_device_seconds
        limits = [self.budget_seconds] if self.budget_seconds is not None else []
        return min([*limits, paid / self.slots] if paid is not None else limits, default=None)

    @property
    def only_time_counts(self) -> bool:
        """Whether the wall clock alone ends the search: nobody counts on equal repetitions, or on what is not spent."""
        counts = (self.trials, self.tokens, self.paid_device_seconds)
        return self.budget_seconds is not None and all(one is None for one in counts)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        lists = {"methods": list(self.methods), "objectives": list(self.objectives), "track": list(self.track)}
        starts = {name: dict(values) for name, values in self.starts.items()}
        return plain | {"columns": dict(self.columns), "splits": dict(self.splits), "starts": starts} | lists

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "SearchRequest":
        """The inverse of `to_dict`."""
        objectives = tuple(plain.get("objectives", ("loss",)))
        tuples = {"methods": tuple(plain["methods"]), "objectives": objectives, "track": tuple(plain.get("track", ()))}
        return cls(**{**plain, **tuples})


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
        writing_row_seconds: cost of one answer that the model writes, likewise; at full length and on test only.
        step_tokens: in an optimizer step, padding left out; the mean over the training rows.
        class_weights: what a training row of each class counts in the loss, or None where all count alike.
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
    writing_row_seconds: float | None = None
    step_tokens: float = 0.0
    class_weights: tuple[float, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return plain | {"rung_steps": list(self.rung_steps), "seeds": list(self.seeds)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "TrainingPlan":
        """The inverse of `to_dict`."""
        weights = plain.get("class_weights")
        tuples = {"rung_steps": tuple(plain["rung_steps"]), "seeds": tuple(plain["seeds"])}
        return cls(**{**plain, **tuples, "class_weights": None if weights is None else tuple(weights)})


def derived_seed(*parts: int | str) -> int:
    """A 31-bit seed from what identifies a random draw, such as (seed, trial number, step)."""
    return int.from_bytes(sha256(json.dumps(parts).encode()).digest()[:4], "big") >> 1
