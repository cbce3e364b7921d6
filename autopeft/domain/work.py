"""What one training step computes and moves, without saying on which hardware."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Kind = Literal["matmul", "attention", "other", "foreach", "serial", "transfer", "sync", "host"]
KINDS: Final[tuple[Kind, ...]] = ("matmul", "attention", "other", "foreach", "serial", "transfer", "sync", "host")
# In the order in which a step runs them.
STEP_PHASES: Final = ("forward", "backward", "optimizer")


@dataclass(frozen=True, order=True, slots=True)
class Operation:
    """One operator call, as far as its time depends on it.

    Attributes:
        kind: `matmul` (with convolutions), `attention` (fused kernels), `other` (everything that moves data),
            `foreach` (one tensor's part in a kernel over many), `serial` (one dependent step of a
            factorization), `transfer` (between host and device), `sync` (the host reads a value and waits for
            the device), `host` (a view or bookkeeping: no kernel).
        dtype: of a matmul or an attention; empty elsewhere.
        flops: floating point operations, counted for matmul and attention alone.
        moved_bytes: read and written.
    """

    kind: Kind
    dtype: str = ""
    flops: int = 0
    moved_bytes: int = 0


@dataclass(frozen=True, slots=True)
class StepWork:
    """How often one training step calls each operation.

    Attributes:
        phases: phase (`STEP_PHASES`) -> operation -> number of calls.
    """

    phases: Mapping[str, Mapping[Operation, int]]

    @property
    def flops(self) -> int:
        """Of the whole step."""
        return sum(one.flops * count for _, one, count in self.calls())

    @property
    def launches(self) -> int:
        """Operators of the step that start a kernel."""
        return sum(count for _, one, count in self.calls() if one.kind in ("matmul", "attention", "other"))

    def calls(self) -> Iterator[tuple[str, Operation, int]]:
        """(phase, operation, number of calls), phases in order."""
        for phase, counts in self.phases.items():
            for operation, count in counts.items():
                yield phase, operation, count

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: phase -> [kind, dtype, flops, bytes, calls] rows."""
        return {
            phase: [[one.kind, one.dtype, one.flops, one.moved_bytes, count] for one, count in sorted(counts.items())]
            for phase, counts in self.phases.items()
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "StepWork":
        """What `to_dict` gave, back."""
        return cls(
            {
                phase: {Operation(kind, dtype, flops, moved): count for kind, dtype, flops, moved, count in rows}
                for phase, rows in plain.items()
            }
        )
