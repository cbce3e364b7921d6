"""Parquet files, some rows at a time."""

from pathlib import Path

import datasets
import pyarrow
import pyarrow.parquet

from autopeft.data.records import one_line
from autopeft.data.spool import Spool
from autopeft.errors import DataError

_REFUSALS = (OSError, pyarrow.ArrowException, ValueError, TypeError)
_BATCH_BYTES = 2**23
_MAX_BATCH_ROWS = 10_000
# Columns of repeated values pack far better than text does; beyond this no honest table goes.
_MAX_EXPANSION = 1000
_EXPANSION_FREE_BYTES = 2**28


def read_parquet(path: Path) -> datasets.Dataset:
    """All rows, with the classes that `datasets` declared in the file.

    Raises:
        DataError: not readable as Parquet, or far larger than its file.
    """
    spool, given = Spool(), 0
    most = max(_EXPANSION_FREE_BYTES, _MAX_EXPANSION * path.stat().st_size)
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_batch_rows(file)):
                given += batch.nbytes
                if given > most:
                    raise DataError(
                        f"{path} unpacks to more than {_MAX_EXPANSION} times its size", hint="convert it to JSON Lines"
                    )
                spool.add(pyarrow.Table.from_batches([batch]))
            return spool.table() if given else datasets.Dataset(file.schema_arrow.empty_table())
    except _REFUSALS as error:
        raise DataError(f"{path} is no readable Parquet file: {one_line(error)}", hint="write it again") from None


def first_of_parquet(path: Path, rows: int) -> datasets.Dataset:
    """Up to `rows` of the first rows.

    Raises:
        DataError: not readable as Parquet.
    """
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            batch = next(file.iter_batches(batch_size=min(rows, _batch_rows(file))), None)
            found = file.schema_arrow.empty_table() if batch is None else pyarrow.Table.from_batches([batch])
            return datasets.Dataset(found)
    except _REFUSALS as error:
        raise DataError(f"{path} is no readable Parquet file: {one_line(error)}", hint="write it again") from None


def _batch_rows(file: pyarrow.parquet.ParquetFile) -> int:
    groups = [file.metadata.row_group(index) for index in range(file.metadata.num_row_groups)]
    size = max(1, sum(int(group.total_byte_size) for group in groups))
    return max(1, min(_MAX_BATCH_ROWS, _BATCH_BYTES * max(1, int(file.metadata.num_rows)) // size))
