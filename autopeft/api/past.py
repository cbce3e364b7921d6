"""What earlier searches on this machine found, for one that may use it, and what a finished one leaves to later ones.

A search whose budget is counts alone is repeatable, and so uses the past only when it is asked to.
"""

from collections.abc import Mapping, Sequence

from autopeft.api.preparation import DEMO, Subject
from autopeft.api.pricing import Pricing
from autopeft.api.studies import identity
from autopeft.domain.methods import MethodSpec
from autopeft.domain.plan import SearchRequest
from autopeft.domain.trials import TrialRecord
from autopeft.search.history_store import Situation, history_folder, recall, remember
from autopeft.search.sampler import Proposal
from autopeft.search.scheduler import ranking


def recalled(
    request: SearchRequest,
    subject: Subject,
    pricing: Pricing,
    fingerprint: str,
    methods: Mapping[str, MethodSpec],
    starts: Sequence[Proposal],
) -> tuple[Proposal, ...]:
    """Configurations that did well in similar searches, the most promising first.

    Args:
        request: says whether the past is to be used.
        subject: model and task.
        pricing: knows the base's size.
        fingerprint: of the data.
        methods: that are searched, by id, with the ranges of this search.
        starts: what this search begins with anyway.
    """
    folder = history_folder()
    asked = request.only_time_counts and request.model != DEMO if request.history is None else request.history
    return recall(folder, _situation(subject, pricing, fingerprint), methods, starts) if folder and asked else ()


def keep_for_later(
    request: SearchRequest, subject: Subject, pricing: Pricing, fingerprint: str, records: Sequence[TrialRecord]
) -> None:
    """Leave what a finished search found to later ones, unless that is not wanted."""
    folder = history_folder()
    wanted = request.model != DEMO if request.history is None else request.history
    if folder and wanted:
        remember(folder, _situation(subject, pricing, fingerprint), ranking(records))


def _situation(subject: Subject, pricing: Pricing, fingerprint: str) -> Situation:
    same = identity(subject.model.config, subject.task.id, fingerprint)
    return Situation(same["task"], same["model"], subject.model.model_type, pricing.base_parameters, same["data"])
