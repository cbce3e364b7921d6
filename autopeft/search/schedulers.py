"""The schedulers by the names that a user gives."""

from collections.abc import Mapping

from autopeft.search.freeze_thaw import freeze_thaw
from autopeft.search.scheduler import Scheduler, asha, hyperband

SCHEDULERS: Mapping[str, Scheduler] = {"asha": asha, "hyperband": hyperband, "freeze-thaw": freeze_thaw}
