"""Append-only CSV files that can be cut back to any number of rows."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

from ..errors import CorruptFile
from ..files import open_inside, write_text

__all__ = ["Table"]

PENDING = 1 << 16  # bytes


class Table:
    """A CSV file of numbers: lines of comment, a line of column names, rows.

    Rows wait in memory until there are 64 kB of them or until `sync`.

    Parameters
    ----------
    path : Path
        Of the file, which must have its column names already; see `create`.
    rows : int
        How many rows to keep; later ones, and a last line that is not whole, are dropped.

    Raises
    ------
    CorruptFile
        If the file has fewer rows.
    """

    def __init__(self, path: Path, rows: int) -> None:
        self.path = path
        self.rows = rows
        self._pending: list[str] = []
        self._size = 0
        with open_inside(path, "rb") as file:
            comments = 0
            while (line := file.readline()).startswith(b"#"):
                comments += 1
            self.columns = tuple(line.decode().rstrip("\n").split(","))
            end = _end_of_row(file, rows)
        if end is None:
            raise CorruptFile(f"{path} has fewer than the {rows} rows that the checkpoint counts")
        self._file: IO[bytes] = open_inside(path, "r+b")
        self._file.truncate(end)
        self._file.seek(end)

    @classmethod
    def create(cls, path: Path, columns: Iterable[str], comment: str = "") -> Table:
        """A table without rows in the place of whatever `path` was."""
        write_text(path, (f"#{comment}\n" if comment else "") + ",".join(columns) + "\n")
        return cls(path, 0)

    def append(self, values: Iterable[object]) -> None:
        """Add a row; None is left empty, floats keep all their digits."""
        line = ",".join("" if value is None else str(value) for value in values) + "\n"
        self._pending.append(line)
        self._size += len(line)
        self.rows += 1
        if self._size >= PENDING:
            self.flush()

    def append_mapping(self, row: Mapping[str, float | None]) -> None:
        """Add a row by column name; a name without a column gets one, empty in the rows so far."""
        new = [name for name in row if name not in self.columns]
        if new:
            self._extend(new)
        self.append(row.get(name) for name in self.columns)

    def flush(self) -> None:
        """Hand all rows to the operating system."""
        data = memoryview("".join(self._pending).encode())
        self._pending, self._size = [], 0
        while data:
            data = data[self._file.write(data) :]

    def sync(self) -> None:
        """Hand all rows to the disk."""
        self.flush()
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Flush and close."""
        try:
            self.flush()
        finally:
            self._file.close()

    def _extend(self, names: list[str]) -> None:
        self.close()
        lines = self.path.read_text(encoding="utf-8").splitlines()
        head = next(i for i, line in enumerate(lines) if not line.startswith("#"))
        lines[head] += "," + ",".join(names)
        lines[head + 1 :] = [line + "," * len(names) for line in lines[head + 1 :]]
        write_text(self.path, "\n".join(lines) + "\n")
        self.columns += tuple(names)
        self._file = open_inside(self.path, "ab")


def _end_of_row(file: IO[bytes], rows: int) -> int | None:
    """The offset behind `rows` more lines of `file`, None if there are fewer."""
    end, missing = file.tell(), rows
    while missing:
        chunk = file.read(1 << 20)
        if not chunk:
            return None
        lines = chunk.count(b"\n")
        if lines < missing:
            end, missing = end + len(chunk), missing - lines
            continue
        at = -1
        for _ in range(missing):
            at = chunk.index(b"\n", at + 1)
        end, missing = end + at + 1, 0
    return end
