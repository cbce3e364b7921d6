import datasets
import numpy as np
import pytest

from autopeft.data.column import Column
from autopeft.data.fingerprint import fingerprint_of
from autopeft.data.ragged_writer import RaggedWriter
from autopeft.data.rows import Rows


@pytest.fixture
def column() -> Column:
    table = datasets.Dataset.from_dict({"a": [f"t{n}" for n in range(5000)], "b": list(range(5000))})
    return Column(table, ("a", "b"), lambda a, b: f"{a}/{b}")


def test_it_reads_as_a_list_would(column: Column) -> None:
    whole = [f"t{n}/{n}" for n in range(5000)]
    assert list(column) == whole
    assert column[7:1200] == whole[7:1200]
    assert column[-1] == whole[-1]
    assert column == whole
    assert column != whole[:-1]
    with pytest.raises(IndexError):
        column[5000]


def test_chosen_rows_come_in_the_order_asked(column: Column) -> None:
    chosen = column.select(np.array([4999, 3, 3, 2500]))
    assert chosen == ["t4999/4999", "t3/3", "t3/3", "t2500/2500"]
    assert chosen.select(np.array([2, 0])) == ["t3/3", "t4999/4999"]


def test_a_selected_dataset_keeps_its_order() -> None:
    table = datasets.Dataset.from_dict({"a": list(range(100))}).select([5, 50, 3])
    assert Column(table, ("a",), str) == ["5", "50", "3"]


def test_long_cells_are_read_few_at_a_time() -> None:
    long = Column(datasets.Dataset.from_dict({"a": ["x" * 10**6] * 20}), ("a",), str)
    assert long.chunk_rows == 4
    assert Rows({"text": long}, None, range(1, 21)).chunk_rows == 4


def test_the_fingerprint_is_of_the_content_not_of_where_it_lies(column: Column) -> None:
    lazy = Rows({"text": column}, None, tuple(range(1, 5001)))
    plain = Rows({"text": tuple(column)}, None, tuple(range(1, 5001)))
    assert fingerprint_of({"train": lazy}) == fingerprint_of({"train": plain})
    other = Rows({"text": (*tuple(column)[:-1], "x")}, None, tuple(range(1, 5001)))
    assert fingerprint_of({"train": lazy}) != fingerprint_of({"train": other})


def test_tokens_that_outgrow_memory_lie_in_a_file() -> None:
    rows = [[n] * (n % 5) for n in range(1000)]
    small, large = RaggedWriter(), RaggedWriter(max_memory_bytes=100)
    for at in range(0, 1000, 30):
        small.add(rows[at : at + 30])
        large.add(rows[at : at + 30])
    in_memory, mapped = small.close(), large.close()
    assert isinstance(mapped.values, np.memmap)
    assert [row.tolist() for row in mapped] == rows == [row.tolist() for row in in_memory]
