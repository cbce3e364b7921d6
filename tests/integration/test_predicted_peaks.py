"""What a search predicts for the step that it measures is what it measures, within 0.2 %."""

from pathlib import Path

import pytest

from autopeft.api.planning import provisional_plan
from autopeft.api.preparation import load_data, load_worker, read_subject
from autopeft.api.pricing import Pricing
from autopeft.catalog.load import load_catalog
from autopeft.domain.plan import SearchRequest
from autopeft.domain.trials import Split, TrialSpec
from autopeft.memory.measure import measure_step
from autopeft.training.slice import MEASURED_STEP, run_slice

CATALOG = load_catalog()


@pytest.mark.parametrize(
    ("model", "dataset", "task", "max_length", "accumulation"),
    [
        ("minilm-tiny-distilled", "copa", "multiple-choice", 64, 1),
        ("stories260k", "sst2", "sequence-classification", 64, 2),
        ("stories260k", "alpaca_en_demo", "instruction-tuning", 128, 1),  # no row of that batch is padded
        ("t5-tiny-news", "cnn_dailymail", "summarization", 64, 1),
    ],
)
def test_the_measured_step_is_predicted(
    material: Path, tmp_path: Path, model: str, dataset: str, task: str, max_length: int, accumulation: int
) -> None:
    request = SearchRequest(
        model=str(material / "models" / model),
        dataset=str(material / "data" / dataset),
        task=task,
        max_length=max_length,
        max_train_rows=64,
        max_evaluation_rows=16,
    )
    subject = read_subject(request, CATALOG)
    data = load_data(request, subject, None, tmp_path / "cache").encoded
    plan = provisional_plan(request, subject, data, None)
    worker = load_worker(subject, data, CATALOG, plan, threads=1)
    hyperparameters = CATALOG.methods["lora"].start(10**6)
    spec = TrialSpec(0, "lora", hyperparameters, plan.seeds[0], Split(accumulation))
    measured = run_slice(
        worker,
        spec,
        tmp_path / "trial",
        from_step=0,
        to_step=MEASURED_STEP + 1,
        should_stop=lambda: False,
        measure_step=measure_step,
    )
    assert measured.error is None
    predicted = Pricing(subject, CATALOG, worker, None).known_peak_bytes("lora", hyperparameters, spec.split)
    # The tracker also meets what a step finds outside the model: the other micro-batch, the optimizer's counters.
    assert predicted == pytest.approx(measured.measured_peak_bytes, rel=2e-3)
