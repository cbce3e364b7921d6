"""Proposals: inside their ranges, the same for the same history, better with it."""

import pytest

from autopeft.catalog import load_catalog
from autopeft.domain.trials import SliceResult, TrialRecord, TrialSpec
from autopeft.search.bandit import choose_method
from autopeft.search.sampler import SAMPLERS, Sampling, propose

METHODS = [load_catalog().method(name) for name in ("lora", "ia3", "houlsby")]
# Those that learn from the history.
LEARNING = [name for name in SAMPLERS if name not in ("random", "qmc")]

each_sampler = pytest.mark.parametrize("name", SAMPLERS)


def record(number: int, method: str, hyperparameters: dict, loss: float, size: int = 1) -> TrialRecord:
    piece = SliceResult(10, loss, 0.01, 0.5, 0.01, (), 1.0, 0.1, 1.1, trainable_parameters=size)
    return TrialRecord(TrialSpec(number, method, hyperparameters, 0), "paused", [piece])


def history(count: int, sampling: Sampling) -> list[TrialRecord]:
    """LoRA with a high rate is good here, everything else is bad."""
    trials: list[TrialRecord] = []
    for number in range(count):
        proposal = propose(trials, METHODS, number=number, sampling=sampling)
        good = proposal.method == "lora"
        loss = abs(float(proposal.hyperparameters["learning_rate"]) - 1e-2) + (0.0 if good else 1.0)
        trials.append(record(number, proposal.method, dict(proposal.hyperparameters), loss, size=number))
    return trials


@pytest.fixture(scope="module")
def tried() -> list[TrialRecord]:
    return history(15, Sampling("tpe", seed=1))


@each_sampler
def test_every_proposal_is_valid(name: str, tried: list[TrialRecord]) -> None:
    for number in range(15, 18):
        proposal = propose(tried, METHODS, number=number, sampling=Sampling(name))
        method = next(m for m in METHODS if m.id == proposal.method)
        assert method.complete(proposal.hyperparameters, 10**8) == dict(proposal.hyperparameters)


@each_sampler
@pytest.mark.parametrize("objectives", [("loss",), ("loss", "size")])
def test_the_same_history_gives_the_same_proposal(
    name: str, objectives: tuple[str, ...], tried: list[TrialRecord]
) -> None:
    sampling = Sampling(name, objectives, seed=3)
    first = propose(tried, METHODS, number=15, sampling=sampling)
    assert propose(tried, METHODS, number=15, sampling=sampling) == first
    assert propose(list(reversed(tried)), METHODS, number=15, sampling=sampling) == first


@each_sampler
def test_the_next_trial_is_another_proposal(name: str, tried: list[TrialRecord]) -> None:
    sampling = Sampling(name, seed=3)
    first = propose(tried, METHODS, number=15, sampling=sampling)
    begun = TrialRecord(TrialSpec(15, first.method, dict(first.hyperparameters), 0))
    assert propose([*tried, begun], METHODS, number=16, sampling=sampling) != first


@each_sampler
def test_an_excluded_method_is_never_proposed(name: str, tried: list[TrialRecord]) -> None:
    sampling = Sampling(name)
    seen = {propose(tried[:6], METHODS, number=n, sampling=sampling, excluded=["lora"]).method for n in range(6, 20)}
    assert seen == {"ia3", "houlsby"}


@pytest.mark.parametrize("name", ["mobster", "tpe"])
def test_samplers_of_the_whole_space_learn_which_method_is_good(name: str) -> None:
    late = [trial.spec.method for trial in history(30, Sampling(name, seed=1))[15:]]
    assert late.count("lora") > len(late) / 2


def test_the_bandit_drops_a_bad_method_and_keeps_an_unknown_one_alive() -> None:
    ranked = [record(n, "lora", {}, float(n)) for n in range(8)] + [record(8 + n, "ia3", {}, 9.0) for n in range(16)]
    drawn = [choose_method(ranked, ["houlsby", "ia3", "lora"], seed=seed) for seed in range(200)]
    assert drawn.count("lora") > 10 * drawn.count("ia3")
    assert 20 < drawn.count("houlsby") < 150


def test_plain_random_search_favours_no_method(tried: list[TrialRecord]) -> None:
    seen = [propose(tried, METHODS, number=n, sampling=Sampling("random")).method for n in range(60)]
    assert min(seen.count(method.id) for method in METHODS) >= 10
