"""Tables in and out of the option commands: CSV by the standard library, Parquet by pyarrow if installed."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[Any]
    Table = dict[str, NDArray[Any]]

STANDARD = Path("-")


class TableError(Exception):
    """A table that can't be read or written."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}")


class MissingExtraError(Exception):
    """A command that needs a library of the optional extra `analysis`."""

    def __init__(self, need: str, library: str) -> None:
        self.need = need
        self.library = library
        super().__init__(f"{need} needs {library}: pip install 'strikelock[analysis]'")


def read_table(path: Path) -> Table:
    """The columns of a CSV or Parquet file by name, as float64 where all of a column are numbers, else as text.

    "-" is CSV on standard input; an empty field is NaN.
    """
    if path.suffix == ".parquet":
        return _read_parquet(path)
    try:
        if path == STANDARD:
            return _read_csv(path, list(csv.reader(sys.stdin)))
        with path.open(newline="", encoding="utf-8") as file:
            return _read_csv(path, list(csv.reader(file)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TableError(path, f"can't be read: {error}") from error


def _read_csv(path: Path, rows: list[list[str]]) -> Table:
    if not rows:
        raise TableError(path, "is empty: a first line with the names of the columns is needed")
    header, body = [name.strip() for name in rows[0]], [row for row in rows[1:] if row]
    for number, row in enumerate(body, start=2):
        if len(row) != len(header):
            raise TableError(path, f"line {number} has {len(row)} fields, the first line {len(header)}")
    return {name: _column([row[i] for row in body]) for i, name in enumerate(header)}


def _column(texts: list[str]) -> Column:
    import numpy as np

    try:
        return np.array([float(text) if text.strip() else np.nan for text in texts])
    except ValueError:
        return np.array([text.strip() for text in texts])


def _read_parquet(path: Path) -> Table:
    import numpy as np

    parquet = _parquet()
    try:
        table = parquet.read_table(path)
    except (OSError, ValueError) as error:  # pyarrow's own errors are ValueErrors
        raise TableError(path, f"can't be read: {error}") from error
    columns = {}
    for name in table.column_names:
        values = table.column(name).to_numpy()
        columns[name] = values.astype(np.float64) if values.dtype.kind in "fiub" else values.astype(str)
    return columns


def write_table(path: Path, table: Mapping[str, Column]) -> None:
    """Writes columns of one length, as Parquet if the path ends so, else as CSV; "-" is standard output.

    A file appears whole or not at all.
    """
    if path == STANDARD:
        _write_csv(sys.stdout, table)
        return
    part = path.with_name(path.name + ".part")
    try:
        if path.suffix == ".parquet":
            parquet = _parquet()
            import pyarrow

            parquet.write_table(pyarrow.table(dict(table)), part)
        else:
            with part.open("w", newline="", encoding="utf-8") as file:
                _write_csv(file, table)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise TableError(path, f"can't be written: {error}") from error


def _write_csv(file: Any, table: Mapping[str, Column]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*(column.tolist() for column in table.values()), strict=True))


def _parquet() -> Any:
    try:
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError("Parquet", "pyarrow") from None
    return pyarrow.parquet


def records(table: Mapping[str, Column]) -> list[dict[str, Any]]:
    """The rows as documents for JSON, where NaN and infinities are null."""
    lists = [[_plain(value) for value in column.tolist()] for column in table.values()]
    return [dict(zip(table, row, strict=True)) for row in zip(*lists, strict=True)]


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not abs(value) < float("inf") else value


@contextmanager
def progress(rows: int, size: int) -> Iterator[Iterator[slice]]:
    """The row numbers in slices; a bar on standard error if there is more than one and somebody watches."""
    from rich.console import Console
    from rich.progress import Progress

    slices = [slice(start, min(start + size, rows)) for start in range(0, rows, size)]
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=len(slices) < 2 or not console.is_terminal) as bar:
        yield iter(bar.track(slices, description="pricing"))
