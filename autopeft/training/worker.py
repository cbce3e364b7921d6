"""What every slice of a worker shares: one loaded base model and the encoded data."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel

from autopeft.data.batches import TrainingOrder, evaluation_batches
from autopeft.data.task_data import TaskData
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ArchitectureSpec
from autopeft.domain.plan import TrainingPlan, derived_seed
from autopeft.domain.tasks import TaskSpec
from autopeft.domain.trials import Split, TrialSpec
from autopeft.modeling.build import enable_gradient_checkpointing
from autopeft.modeling.sharded import shard
from autopeft.modeling.training_hooks import ROW_WEIGHTS
from autopeft.modeling.wrap import wrap
from autopeft.training.answers import AnswerReader, reader_of
from autopeft.training.ranks import Ranks
from autopeft.training.writing import Writer

_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


@dataclass(frozen=True)
class Worker:
    """A loaded base model with the data and the plan; loaded once, used by every slice.

    Attributes:
        base: frozen, with its weights; never changed.
        task: decides head and metric.
        architecture: names the base's modules.
        methods: by id.
        data: encoded.
        plan: what every slice shares.
        draws_head: whether each seed draws its own head; else all start from the base's.
        tokenizer: of the base, where answers are written and scored; else None.
        ranks: the processes that train each trial together, of which this is one; the base then lies on the CPU, and
            each trial's model is divided over their devices. None for a process that trains alone.
    """

    base: PreTrainedModel
    task: TaskSpec
    architecture: ArchitectureSpec
    methods: Mapping[str, MethodSpec]
    data: TaskData
    plan: TrainingPlan
    draws_head: bool = True
    tokenizer: Any = None
    ranks: Ranks | None = None

    @property
    def device(self) -> torch.device:
        """Where trials are trained."""
        return next(self.base.parameters()).device if self.ranks is None else self.ranks.device

    @property
    def speaks(self) -> bool:
        """Whether this process writes what all of its group have made."""
        return self.ranks is None or self.ranks.rank == 0

    @property
    def batch_share(self) -> int:
        """Rows of an optimizer step that this process works on, at most."""
        return -(-self.plan.batch_size // (1 if self.ranks is None else self.ranks.count))

    @property
    def autocast(self) -> torch.dtype | None:
        """The dtype of matrix products in training."""
        return None if self.plan.autocast is None else _DTYPES[self.plan.autocast]

    @cached_property
    def rung_rows(self) -> np.ndarray:
        """The fixed validation rows that rungs are compared on, ascending."""
        total = len(self.data.splits["validation"])
        if total <= self.plan.rung_rows:
            return np.arange(total)
        generator = np.random.default_rng(derived_seed(self.plan.seeds[0], "rung rows"))
        return np.sort(generator.choice(total, self.plan.rung_rows, replace=False))

    def with_plan(self, plan: TrainingPlan) -> "Worker":
        """The same base and data under another plan."""
        return replace(self, plan=plan)

    def build(self, spec: TrialSpec) -> torch.nn.Module:
        """The model of a trial at its start, in training mode; divided where several processes train it."""
        model = self.build_whole(spec)
        if self.ranks is not None:
            shard(model, self.ranks.mesh)
        return model

    def build_whole(self, spec: TrialSpec) -> torch.nn.Module:
        """The model of a trial at its start, in training mode, where the base lies."""
        method = self.methods[spec.method]
        head_seed = spec.seed if self.draws_head else None
        with torch.random.fork_rng(devices=[]):
            # Without a head seed the adapter's initial values come from the global generator.
            torch.manual_seed(derived_seed(spec.seed, "initialisation"))
            model = wrap(self.base, method, spec.hyperparameters, self.task, self.architecture, head_seed=head_seed)
        if spec.split.gradient_checkpointing:
            enable_gradient_checkpointing(model.get_base_model() if isinstance(model, PeftModel) else model)
        return model.train()

    def training_order(self, seed: int) -> TrainingOrder:
        """Which rows each step of a trial of that seed sees."""
        return TrainingOrder(self.data.splits["train"].lengths, self.plan.batch_size, seed)

    def training_batch(self, rows: Sequence[int] | np.ndarray) -> dict[str, Tensor]:
        """Training rows on the device, with what each counts where classes are weighted."""
        batch = self.data.batch("train", rows)
        if self.plan.class_weights is not None:
            batch[ROW_WEIGHTS] = torch.tensor(self.plan.class_weights)[batch["labels"]]
        return {name: tensor.to(self.device) for name, tensor in batch.items()}

    def micro_batches(self, rows: Sequence[int] | np.ndarray, split: Split) -> list[dict[str, Tensor]]:
        """The rows of a step in as many parts as `split` says, all padded alike; never an empty one.

        Of several processes each takes every n-th of n times as many parts: so a step is the same whether its parts
        are worked off by one after another or by several at once.
        """
        count, rank = (1, 0) if self.ranks is None else (self.ranks.count, self.ranks.rank)
        # An epoch's last batch may have fewer rows than there are processes, and none may have nothing to do.
        rows = np.resize(rows, max(count, len(rows)))
        batch = self.training_batch(rows)
        parts = count * min(split.accumulation, len(rows) // count)
        cut = {name: tensor.tensor_split(parts) for name, tensor in batch.items()}
        return [{name: pieces[part] for name, pieces in cut.items()} for part in range(rank, parts, count)]

    def reader(self, split: str, *, writes: bool = True) -> AnswerReader:
        """Of the answers to a split's rows; written ones only where `writes` says so, since they take long."""
        writer = None
        if writes and self.tokenizer is not None:
            writer = Writer(self.tokenizer, self.data.pad_id, self.data.max_target_length or 1)
        return reader_of(self.task, self.data, split, writer)

    def evaluation(
        self, split: str, rows: np.ndarray | None = None
    ) -> Iterator[tuple[Sequence[int], Mapping[str, Tensor]]]:
        """(row numbers, batch) pairs of a split: longest rows first, always the same; of several processes' own."""
        lengths = self.data.splits[split].lengths
        batches = evaluation_batches(lengths, self.plan.evaluation_batch_size, rows)
        for chosen in batches if self.ranks is None else self.ranks.own_batches(batches):
            yield chosen.tolist(), self.data.batch(split, chosen)
