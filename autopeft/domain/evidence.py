"""Published measurements that the ranking uses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from autopeft.domain.knobs import Value
from autopeft.domain.methods import Source
from autopeft.domain.models import Kind

TaskKind = Literal["understanding", "generation"]


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one method reached within a comparison.

    Attributes:
        method: id in the catalogue.
        value: of the comparison's metric, as a share from 0 to 1; 0 marks a run that failed.
        logged_as: the source's own name of the method and its configuration.
        likeness: of what was measured to the catalogue's method, above 0; 1 is the same method.
        learning_rate: of the run, or None where the source does not say.
        trainable_parameters: of the adapter, or None where the source does not say.
        spread: standard deviation over seeds, in the metric's unit, or None.
    """

    method: str
    value: float
    logged_as: str = ""
    likeness: float = 1.0
    learning_rate: float | None = None
    trainable_parameters: int | None = None
    spread: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Methods that were measured side by side: same model, data and protocol.

    Attributes:
        title: of the setting, for people.
        model: name, or empty where the source does not say.
        metric: what `Measurement.value` is.
        measurements: one for each method and configuration.
        order: methods from best to worst, ties together, where a source gives an order and no figures.
        model_parameters: size of the base model, or None where the source does not say.
        architecture_kind: of the base model, or None where the source does not say.
        task_kind: whether labels or texts are produced, or None for both.
        training_rows: examples trained on, or None where the source does not say.
    """

    title: str
    model: str
    metric: str
    measurements: tuple[Measurement, ...] = ()
    order: tuple[tuple[str, ...], ...] = ()
    model_parameters: int | None = None
    architecture_kind: Kind | None = None
    task_kind: TaskKind | None = None
    training_rows: int | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """One table (`search_spaces/evidence/<id>.yaml`).

    Attributes:
        id: name of the file.
        title: one line for people.
        source: where the figures come from.
        rows: costs and the like, one mapping a measurement; units stand in the names; None where nothing was measured.
        comparisons: quality of methods side by side; these move the ranking.
        campaign: tables of one campaign stand or fall together when a source is left out; by default the id.
        findings: ids of the survey's findings that the table holds as figures.
        status: verified (seen in the source) or recalled (a prior, which counts as if half as near).
    """

    id: str
    title: str
    source: Source
    rows: tuple[Mapping[str, Value | None], ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    campaign: str = ""
    findings: tuple[str, ...] = field(default=())
    status: Literal["verified", "recalled"] = "verified"
