"""Proposals: inside their ranges, the same for the same history, better with it."""

from autopeft.catalog import load_catalog
from autopeft.domain.trials import SliceResult, TrialRecord, TrialSpec
from autopeft.search.sampler import propose

METHODS = [load_catalog().method(name) for name in ("lora", "ia3", "houlsby")]


def record(number: int, method: str, hyperparameters: dict, loss: float) -> TrialRecord:
    piece = SliceResult(10, loss, 0.01, 0.5, 0.01, (), 1.0, 0.1, 1.1)
    return TrialRecord(TrialSpec(number, method, hyperparameters, 0), "paused", [piece])


def history(count: int) -> list[TrialRecord]:
    """LoRA with a high rate is good here, everything else is bad."""
    trials: list[TrialRecord] = []
    for number in range(count):
        proposal = propose(trials, METHODS, number=number, seed=1)
        good = proposal.method == "lora"
        loss = abs(float(proposal.hyperparameters["learning_rate"]) - 1e-2) + (0.0 if good else 1.0)
        trials.append(record(number, proposal.method, dict(proposal.hyperparameters), loss))
    return trials


def test_every_proposal_is_valid():
    for trial in history(12):
        method = next(m for m in METHODS if m.id == trial.spec.method)
        assert method.complete(trial.spec.hyperparameters, 10**8) == dict(trial.spec.hyperparameters)


def test_the_same_history_gives_the_same_proposal():
    trials = history(8)
    assert propose(trials, METHODS, number=8, seed=3) == propose(trials, METHODS, number=8, seed=3)


def test_another_number_gives_another_proposal():
    trials = history(8)
    assert propose(trials, METHODS, number=8, seed=3) != propose(trials, METHODS, number=9, seed=3)


def test_an_excluded_method_is_never_proposed():
    trials = history(6)
    seen = {propose(trials, METHODS, number=n, seed=0, excluded=["lora"]).method for n in range(6, 26)}
    assert seen == {"ia3", "houlsby"}


def test_it_learns_which_method_is_good():
    late = [trial.spec.method for trial in history(30)[15:]]
    assert late.count("lora") > len(late) / 2
