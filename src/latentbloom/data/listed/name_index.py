"""Finding the row of a name among very many, without a dictionary of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

import numpy as np

from latentbloom.data.listed.scratch import Column, stored


def name_hash(name: str) -> int:
    """63 bits of a name's hash."""
    content = name.encode(errors="surrogatepass")
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big") >> 1


class NameIndex:
    """Rows by name. It takes 16 bytes a name, in a mapped file.

    Arguments:
        names: All names in order, read once.
        name_at: The name at a row: hashes of different names may be equal.
    """

    def __init__(self, names: Iterable[str], name_at: Callable[[int], str]) -> None:
        column = Column("q")
        for name in names:
            column.append(name_hash(name))
        hashes = column.array()
        order = np.argsort(hashes, kind="stable")
        self._hashes = stored(hashes[order])
        self._order = stored(order)
        self._name_at = name_at

    def row(self, name: str) -> int:
        """The first row with this name; -1 where there is none."""
        wanted = name_hash(name)
        place = int(np.searchsorted(self._hashes, wanted))
        while place < len(self._hashes) and self._hashes[place] == wanted:
            row = int(self._order[place])
            if self._name_at(row) == name:
                return row
            place += 1
        return -1

    def repeated(self) -> list[int]:
        """Rows whose names stand in an earlier row, too, in order."""
        same = np.flatnonzero(self._hashes[1:] == self._hashes[:-1])
        found: list[int] = []
        for place in same.tolist():
            wanted = self._hashes[place + 1]
            row, name = int(self._order[place + 1]), self._name_at(int(self._order[place + 1]))
            before = place
            while before >= 0 and self._hashes[before] == wanted:
                if self._name_at(int(self._order[before])) == name:
                    found.append(row)
                    break
                before -= 1
        return sorted(found)
