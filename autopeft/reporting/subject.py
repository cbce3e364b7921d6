"""The facts of what was asked, and of the data that it was trained on."""

from dataclasses import dataclass

from autopeft.reporting.reading import Record, number, pairs, plain, record, text, texts, whole


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user asked for; None where it was left open."""

    model: str | None
    model_parameters: int | None
    dataset: str | None
    task: str | None
    methods: tuple[str, ...]
    budget_seconds: float | None
    trials: int | None
    gpu_mem_bytes: int | None
    seed: int | None
    command: str | None


@dataclass(frozen=True, slots=True)
class Data:
    """What it was trained on.

    `rows` by split, `labels` with training rows, the most frequent first, `lengths` with tokens, by share of the
    training rows that are no longer.
    """

    rows: tuple[tuple[str, int], ...]
    columns: tuple[str, ...]
    labels: tuple[tuple[str, int], ...]
    max_length: int | None
    lengths: tuple[tuple[str, int], ...]
    truncated_rows: int | None
    batch_size: int | None
    fingerprint: str | None
    notes: tuple[str, ...]

    @property
    def total_rows(self) -> int:
        """Over all splits."""
        return sum(count for _, count in self.rows)

    @property
    def truncated_share(self) -> float | None:
        """Of all rows; None where it is unknown."""
        return None if self.truncated_rows is None or not self.total_rows else self.truncated_rows / self.total_rows


def read_asked(result: Record) -> Asked:
    """The request."""
    asked = record(result, "asked")
    return Asked(
        model=text(asked, "model"),
        model_parameters=whole(asked, "model_parameters"),
        dataset=text(asked, "dataset"),
        task=text(asked, "task"),
        methods=texts(asked, "methods"),
        budget_seconds=number(asked, "budget_seconds"),
        trials=whole(asked, "trials"),
        gpu_mem_bytes=whole(asked, "gpu_mem_bytes"),
        seed=whole(asked, "seed"),
        command=text(asked, "command"),
    )


def read_data(result: Record) -> Data:
    """The data summary."""
    data = record(result, "data")
    columns = [f"{name}: {plain(value)}" for name, value in pairs(data, "columns")]
    return Data(
        rows=_counts(data, "rows"),
        columns=tuple(columns) or texts(data, "columns"),
        labels=tuple(sorted(_counts(data, "labels"), key=lambda label: (-label[1], label[0]))),
        max_length=whole(data, "max_length"),
        lengths=_counts(data, "lengths"),
        truncated_rows=whole(data, "truncated_rows"),
        batch_size=whole(data, "batch_size"),
        fingerprint=text(data, "fingerprint"),
        notes=texts(data, "notes"),
    )


def _counts(parent: Record, key: str) -> tuple[tuple[str, int], ...]:
    counts = [(plain(name), whole(record(parent, key), name)) for name in record(parent, key)]
    return tuple((name, count) for name, count in counts if count is not None)
