"""Columns of numbers that grow row by row; long ones lie in temporary files and are mapped.

What is mapped from a file is not held in memory: the system reads it when it is used, and may drop
it again. A temporary file has no name and is gone when nothing uses it any more, however the
program ends. PyTorch warns of arrays that it cannot write to, so these can be: a
change would stay in memory. The file lies where `tempfile` puts it: the variable TMPDIR decides.
"""

from __future__ import annotations

import tempfile
from array import array
from pathlib import Path
from typing import IO

import numpy as np

from latentbloom.storage.disk import step

MOST_IN_MEMORY = 1 << 19
"""Bytes of a column that are held in memory; what has more goes to a file."""


class Column:
    """Numbers that come in one by one, or many at once.

    Arguments:
        code: Type of a number, as in `array`: "q" for int64, "i" for int32, "B" for bytes.
    """

    def __init__(self, code: str) -> None:
        self._rows = array(code)
        self._most = MOST_IN_MEMORY // self._rows.itemsize
        self._file: IO[bytes] | None = None
        self._spilled = 0

    def __len__(self) -> int:
        return self._spilled + len(self._rows)

    def append(self, value: int) -> None:
        """Add one number."""
        self._rows.append(value)
        if len(self._rows) >= self._most:
            self._spill()

    def extend(self, values: bytes | np.ndarray) -> None:
        """Add many numbers of the column's type; an array is flattened."""
        content = values if isinstance(values, bytes) else np.ascontiguousarray(values).tobytes()
        self._rows.frombytes(content)
        if len(self._rows) >= self._most:
            self._spill()

    def array(self) -> np.ndarray:
        """All numbers, not to be changed; the column cannot grow any more."""
        kind = np.dtype(self._rows.typecode)
        if self._file is None:
            found = np.frombuffer(bytearray(self._rows), kind)
        else:
            self._spill()
            with step("write", Path(tempfile.gettempdir())):
                self._file.flush()
            found = np.asarray(np.memmap(self._file, kind, "c", shape=(self._spilled,)))
            self._file.close()  # what is mapped stays
        return found

    def _spill(self) -> None:
        with step("write", Path(tempfile.gettempdir())):  # an error names the folder
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the column
            self._file.write(self._rows.tobytes())
        self._spilled += len(self._rows)
        del self._rows[:]


def stored(values: np.ndarray) -> np.ndarray:
    """The same numbers, not to be changed; those of a large array move to a temporary file."""
    values = np.ascontiguousarray(values)
    if values.nbytes < MOST_IN_MEMORY:
        return values
    with step("write", Path(tempfile.gettempdir())), tempfile.TemporaryFile() as file:
        values.tofile(file)
        file.flush()
        return np.asarray(np.memmap(file, values.dtype, "c", shape=values.shape))
