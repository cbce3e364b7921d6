"""What configurations cost in memory, asked once each: for the recommender, the gate, and the report."""

from collections.abc import Mapping
from dataclasses import replace

from autopeft.api.preparation import Subject
from autopeft.api.recommend import rank_methods
from autopeft.api.request import Request, choose_methods, count_base_parameters, tracing_estimator
from autopeft.catalog.contents import Catalog
from autopeft.domain.knobs import Value
from autopeft.domain.memory import StepShape
from autopeft.domain.plan import SearchRequest
from autopeft.domain.recommendation import Recommendation
from autopeft.errors import InputError
from autopeft.recommend.fit import require_candidates
from autopeft.recommend.options import DEVICE_CONTEXT_BYTES, Options
from autopeft.search.sampler import Proposal
from autopeft.training.worker import Worker


class Pricing:
    """Estimates for one subject and its longest batch.

    Args:
        subject: model and task.
        catalog: behind the names.
        worker: gives batch, lengths and dtype as they will be trained.
        gpu_mem_bytes: the budget, or None.
    """

    def __init__(self, subject: Subject, catalog: Catalog, worker: Worker, gpu_mem_bytes: int | None) -> None:
        self._subject = subject
        self._catalog = catalog
        self._worker = worker
        self._budget_bytes = gpu_mem_bytes
        self._estimator = tracing_estimator(catalog)
        data = worker.data
        self.shape = StepShape(
            batch_size=worker.plan.batch_size,
            max_length=data.max_length,
            target_length=data.max_target_length or 1,
            dtype="float32",
            num_labels=max(2, len(data.label_names)),
        )
        self.base_parameters = count_base_parameters(catalog, subject.model, subject.task, self.shape)

    def recommendation(self, request: SearchRequest) -> Recommendation:
        """The recommender's answer for what is about to be searched, the controls among it.

        Raises:
            NothingFitsError: no method fits.
        """
        asked = Request(
            self._catalog,
            self._subject.model,
            self._subject.architecture,
            self._subject.task,
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
        answer = rank_methods(asked, choose_methods(self._catalog, names, None), options)
        require_candidates(answer)
        return answer

    def fits(self, proposal: Proposal) -> bool:
        """Whether the configuration is predicted to stay within the budget."""
        if self._budget_bytes is None:
            return True
        method = self._catalog.methods[proposal.method]
        try:
            estimate = self._estimator(
                self._subject.model, self._subject.task, method, proposal.hyperparameters, self.shape
            )
        except InputError:
            return False
        return estimate.reserved_bytes + DEVICE_CONTEXT_BYTES <= self._budget_bytes

    def known_peak_bytes(self, method: str, hyperparameters: Mapping[str, Value]) -> int | None:
        """The predicted peak of the batch that a trial's first step was measured on; None where unknown."""
        first = self._worker.training_order(self._worker.plan.seeds[0]).batch_at(0)
        batch = self._worker.data.batch("train", first)
        shape = replace(self.shape, batch_size=len(first), max_length=int(batch["input_ids"].shape[1]))
        if batch["labels"].dim() == 2 and self._worker.base.config.is_encoder_decoder:
            shape = replace(shape, target_length=int(batch["labels"].shape[1]))
        try:
            spec = self._catalog.methods[method]
            return self._estimator(
                self._subject.model, self._subject.task, spec, hyperparameters, shape
            ).peak_bytes
        except InputError:
            return None
