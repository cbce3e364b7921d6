"""What configurations cost in memory, asked once each: for the recommender, the gate, and the report."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, cast

from autopeft.api.preparation import Subject
from autopeft.api.recommend import rank_methods
from autopeft.api.request import Request, choose_methods, count_base_parameters
from autopeft.catalog.contents import Catalog
from autopeft.domain.knobs import RATES, Value
from autopeft.domain.memory import DType, Estimator, MemoryEstimate, StepShape
from autopeft.domain.methods import MethodSpec
from autopeft.domain.plan import SearchRequest
from autopeft.domain.recommendation import Exclusion, Recommendation
from autopeft.domain.rules import Reason
from autopeft.domain.step_checks import refused_division
from autopeft.domain.trials import Split
from autopeft.errors import InputError
from autopeft.memory.estimate import TracingEstimator
from autopeft.recommend.answer import measured_near
from autopeft.recommend.batch import fit_step
from autopeft.recommend.fit import require_candidates
from autopeft.recommend.options import DEVICE_CONTEXT_BYTES, Options
from autopeft.search.sampler import Proposal
from autopeft.training.device_memory import best_device, compute_capability
from autopeft.training.slice import MEASURED_STEP
from autopeft.training.worker import Worker

if TYPE_CHECKING:
    from torch import Tensor

_UNKNOWN = Reason(
    "uncertainty", "not searched unless named: nobody measured it near this situation", "convention of the search"
)


class Pricing:
    """Estimates for one subject and its longest batch.

    Args:
        subject: model and task.
        catalog: behind the names.
        worker: gives batch, lengths and dtype as they will be trained.
        gpu_mem_bytes: the budget of one device, or None.
        ranks: devices that train each trial together.

    Attributes:
        device: kind of what trains.
    """

    def __init__(
        self, subject: Subject, catalog: Catalog, worker: Worker, gpu_mem_bytes: int | None, *, ranks: int = 1
    ) -> None:
        self.subject = subject
        self._catalog = catalog
        self._worker = worker
        self._ranks = ranks
        trains_on = worker.device if ranks == 1 else best_device()
        self.device: Literal["cuda", "cpu"] = "cuda" if trains_on.type == "cuda" else "cpu"
        self._budget_bytes = gpu_mem_bytes
        self._capability = compute_capability(trains_on)
        self._estimator: Estimator = TracingEstimator(catalog, padded=True, compute_capability=self._capability)
        data = worker.data
        self.shape = StepShape(
            batch_size=-(-worker.plan.batch_size // ranks),
            max_length=data.max_length,
            target_length=data.max_target_length or 1,
            dtype="float32",
            autocast=cast(DType | None, worker.plan.autocast),
            num_labels=data.outputs,
            quantization=subject.model.quantization,
            gpus=ranks,
            sharding="fsdp" if ranks > 1 else "ddp",
        )
        self.base_parameters = count_base_parameters(catalog, subject.model, subject.task, self.shape)

    def recommendation(self, request: SearchRequest) -> Recommendation:
        """The recommender's answer for what is about to be searched, the controls among it.

        Raises:
            NothingFitsError: no method fits.
        """
        asked = Request(
            self._catalog,
            self.subject.model,
            self.subject.architecture,
            self.subject.task,
            self.shape,
            self.base_parameters,
        )
        names = [*request.methods, "lora"] if request.methods else None
        options = Options(
            shape=self.shape,
            budget_bytes=self._budget_bytes,
            training_rows=self._worker.data.rows["train"],
            trials=request.trials or 20,
        )
        chosen = choose_methods(self._catalog, names, None)
        undivided = self._undivided(chosen)
        chosen = tuple(method for method in chosen if method.id not in undivided)
        unknown = () if names else self._unknown(chosen, options)
        priced = [method for method in chosen if method not in unknown]
        answer = rank_methods(asked, priced, options, self._estimator)
        left_out = tuple(Exclusion(method.id, method.title, (_UNKNOWN,)) for method in unknown)
        answer = replace(answer, excluded=(*answer.excluded, *undivided.values(), *left_out))
        require_candidates(answer)
        return answer

    def _undivided(self, methods: Sequence[MethodSpec]) -> dict[str, Exclusion]:
        """Those that are not known to train as they should when the model is divided over devices."""
        refusals = [(one, refused_division(one)) for one in methods] if self._ranks > 1 else []
        return {
            one.id: Exclusion(one.id, one.title, (Reason("requirement", told.message, "asked with --gpus-per-trial"),))
            for one, told in refusals
            if told is not None
        }

    def _unknown(self, chosen: Sequence[MethodSpec], options: Options) -> tuple[MethodSpec, ...]:
        """The candidates that nobody measured near: not worth a trial unless named, and so not worth a price."""
        subject = self.subject
        known = measured_near(
            chosen,
            self._catalog.evidence.values(),
            subject.task,
            subject.architecture,
            self.base_parameters,
            options,
        )
        return tuple(one for one in chosen if one.role == "candidate" and one.id not in known) if known else ()

    def split(self, proposal: Proposal) -> Split | None:
        """How the configuration's steps are predicted to stay within the budget; None where they do not."""
        if self._budget_bytes is None:
            return Split()
        try:
            found = fit_step(
                lambda shape: self._estimate(self._estimator, proposal.method, proposal.hyperparameters, shape),
                self.shape,
                budget_bytes=self._budget_bytes,
                context_bytes=DEVICE_CONTEXT_BYTES,
                may_recompute=self._catalog.methods[proposal.method].can("gradient_checkpointing") is not False,
            )
        except InputError:
            return None
        return Split(found.shape.accumulation, found.shape.gradient_checkpointing) if found.fits else None

    def estimate(self, proposal: Proposal, split: Split) -> MemoryEstimate:
        """What a configuration is predicted to take when its steps are run so.

        Raises:
            InputError: the method cannot be traced on this model.
        """
        shape = replace(
            self.shape,
            batch_size=split.micro_batch_size(self.shape.batch_size),
            accumulation=split.accumulation,
            gradient_checkpointing=split.gradient_checkpointing,
        )
        return self._estimate(self._estimator, proposal.method, proposal.hyperparameters, shape)

    def known_peak_bytes(self, method: str, hyperparameters: Mapping[str, Value], split: Split) -> int | None:
        """The predicted peak of the batch that a trial was measured on; None where unknown."""
        measured = self._measured_shape
        rows = measured.batch_size
        shape = replace(
            measured,
            batch_size=split.micro_batch_size(rows),
            accumulation=min(split.accumulation, rows),
            gradient_checkpointing=split.gradient_checkpointing,
        )
        try:
            return self._estimate(self._twin, method, hyperparameters, shape).peak_bytes
        except InputError:
            return None

    def _estimate(
        self, estimator: Estimator, method: str, hyperparameters: Mapping[str, Value], shape: StepShape
    ) -> MemoryEstimate:
        """The estimate with training settings put to their defaults: they move no memory, and the cache answers."""
        spec = self._catalog.methods[method]
        settings = {knob.name: knob.default for knob in spec.knobs if knob.name in RATES}
        return estimator(self.subject.model, self.subject.task, spec, {**hyperparameters, **settings}, shape)

    @cached_property
    def _twin(self) -> Estimator:
        """Predicts what this machine's own tracker measures: attention gets no mask where no row is padded."""
        padded = not bool(self._measured_batch["attention_mask"].all())
        return TracingEstimator(self._catalog, device=self.device, padded=padded, compute_capability=self._capability)

    @cached_property
    def _measured_batch(self) -> "Mapping[str, Tensor]":
        """The batch on which every trial of the search is measured."""
        rows = self._worker.training_order(self._worker.plan.seeds[0]).batch_at(MEASURED_STEP)
        return self._worker.data.batch("train", rows)

    @cached_property
    def _measured_shape(self) -> StepShape:
        batch = self._measured_batch
        written = self.subject.task.head == "seq2seq-lm"
        return replace(
            self.shape,
            batch_size=-(-len(batch["input_ids"]) // self._ranks),
            max_length=int(batch["input_ids"].shape[-1]),
            target_length=int(batch["labels"].shape[1]) if written else 1,
        )
