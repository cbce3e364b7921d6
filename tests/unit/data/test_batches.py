import numpy as np
import pytest

from autopeft.data.batches import TrainingOrder, evaluation_batches, steps_per_epoch, training_order
from autopeft.data.task_data import Ragged

LENGTHS = np.random.default_rng(0).integers(1, 200, 1003)


@pytest.mark.parametrize("batch_size", [1, 7, 16, 2000])
def test_an_epoch_sees_every_row_once(batch_size: int) -> None:
    batches = training_order(len(LENGTHS), LENGTHS, batch_size, seed=3, epoch=1)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(LENGTHS)))
    assert len(batches) == steps_per_epoch(len(LENGTHS), batch_size)
    assert max(map(len, batches)) <= batch_size


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    def order(seed: int, epoch: int) -> list[list[int]]:
        return [batch.tolist() for batch in training_order(len(LENGTHS), LENGTHS, 16, seed, epoch)]

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(1, 0)
    assert order(0, 0) != order(0, 1)


def test_any_step_can_be_asked_for_first() -> None:
    steps = range(200)
    forward = TrainingOrder(LENGTHS, 16, seed=5)
    in_order = [forward.batch_at(step).tolist() for step in steps]
    backward = TrainingOrder(LENGTHS, 16, seed=5)
    assert [backward.batch_at(step).tolist() for step in reversed(steps)][::-1] == in_order
    assert forward.steps_per_epoch == 63
    assert in_order[:63] != in_order[63:126]


def test_little_is_spent_on_padding_and_the_order_is_not_by_length() -> None:
    batches = training_order(len(LENGTHS), LENGTHS, 16, seed=0, epoch=0)
    computed = sum(len(batch) * LENGTHS[batch].max() for batch in batches)
    assert computed < 1.1 * LENGTHS.sum()
    longest = [int(LENGTHS[batch].max()) for batch in batches]
    assert longest != sorted(longest)
    assert longest != sorted(longest, reverse=True)


def test_evaluation_batches_are_fixed_and_longest_first() -> None:
    batches = evaluation_batches(np.array([3, 9, 9, 1]), 3)
    assert [batch.tolist() for batch in batches] == [[1, 2, 0], [3]]
    some = evaluation_batches(np.array([3, 9, 9, 1]), 3, [3, 0])
    assert [batch.tolist() for batch in some] == [[0, 3]]


def test_ragged_rows_come_back() -> None:
    rows = [[1, 2], [], [3]]
    ragged = Ragged.of(rows)
    assert [ragged[n].tolist() for n in range(3)] == rows
    assert ragged.lengths.tolist() == [2, 0, 1]
    assert len(Ragged.of([])) == 0
