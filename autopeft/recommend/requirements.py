"""Hard requirements: which methods cannot meet what the asker insists on, and which requests contradict themselves."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from autopeft.domain.evidence import Evidence
from autopeft.domain.memory import MemoryEstimate
from autopeft.domain.methods import MethodSpec
from autopeft.domain.rules import Reason
from autopeft.domain.units import format_bytes
from autopeft.errors import UsageError
from autopeft.recommend.options import Options
from autopeft.recommend.ranking import adapter_bytes

# Requirement -> the capability that meets it.
CAPABILITIES: Final[Mapping[str, str]] = {
    "mergeable": "mergeable",
    "zero-inference-overhead": "zero_inference_overhead",
    "quantized-base-ok": "quantized_base",
}


def required(options: Options) -> tuple[str, ...]:
    """The capabilities that are insisted on, by the name of the requirement."""
    asked = {
        "mergeable": options.mergeable,
        "zero-inference-overhead": options.no_inference_overhead,
        "quantized-base-ok": options.quantized_base_ok,
    }
    return tuple(name for name, wanted in asked.items() if wanted)


def unmet(method: MethodSpec, options: Options, overheads: Mapping[str, float]) -> tuple[Reason, ...]:
    """Why the method does not meet the requirements, as far as its description tells; empty if it does.

    Args:
        method: of the catalogue.
        options: with the requirements.
        overheads: method id -> measured share by which inference takes longer.
    """
    reasons = [_lacks(method, name) for name in required(options) if method.can(CAPABILITIES[name]) is not True]
    most = options.max_latency_overhead
    if most is not None and method.can("zero_inference_overhead") is not True:
        measured = overheads.get(method.id)
        if measured is None:
            reasons.append(_reason(f"slows inference by a share that nobody measured, and at most {most:.0%} is asked"))
        elif measured > most:
            reasons.append(_reason(f"slowed inference by {measured:.0%} where measured, more than {most:.0%}"))
    return tuple(reasons)


def too_large(estimate: MemoryEstimate, options: Options) -> tuple[Reason, ...]:
    """Why the saved adapter is larger than allowed; empty if it is not."""
    most, size = options.max_adapter_bytes, adapter_bytes(estimate)
    if most is None or size <= most:
        return ()
    return (_reason(f"its adapter takes {format_bytes(size)}, more than {format_bytes(most)}"),)


def refuse_contradiction(named: Sequence[MethodSpec], options: Options) -> None:
    """Do nothing where at least one of the methods that were named can meet each requirement.

    Raises:
        UsageError: none can; says which two things contradict each other.
    """
    for name in required(options):
        if named and all(method.can(CAPABILITIES[name]) is False for method in named):
            ids = ", ".join(method.id for method in named)
            raise UsageError(
                f"--require {name} and --methods {ids} contradict each other",
                hint=f"give up one of the two; `autopeft methods {named[0].id}` says what the method can do",
            )


def measured_overheads(evidence: Iterable[Evidence], methods: Mapping[str, MethodSpec]) -> dict[str, float]:
    """Method id -> by what share unmerged inference takes longer, from the tables that measured speed.

    The reference is the fastest method of the same model in that table; it stands in for the bare model.
    """
    overheads: dict[str, float] = {}
    for table in evidence:
        speeds = [
            (str(row.get("model")), str(row["method"]), float(row["tokens_per_second"] or 0))
            for row in table.rows
            if row.get("tokens_per_second")
        ]
        for model, name, speed in speeds:
            fastest = max((one for other, _, one in speeds if other == model), default=speed)
            if name in methods:
                overheads[name] = max(overheads.get(name, 0.0), fastest / speed - 1)
    return overheads


def _lacks(method: MethodSpec, name: str) -> Reason:
    found = method.capabilities.get(CAPABILITIES[name])
    if found is None or found.value is None:
        return _reason(f"--require {name}: nobody has checked whether it is")
    return Reason("requirement", f"--require {name}: it is not", found.provenance)


def _reason(text: str) -> Reason:
    return Reason("requirement", text, "asked with --require")
