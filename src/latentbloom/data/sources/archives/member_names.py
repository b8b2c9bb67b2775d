"""Names of an archive's members: which are safe, and which member each name means."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from latentbloom.data.sources.base import SetAside
from latentbloom.errors import SourceError
from latentbloom.words import plural

MOST_BYTES = 512 << 20
"""Of one member, unpacked: it is read into memory."""

BOMB_RATIO = 200
"""Pictures and tables never unpack to so many times their size."""

BOMB_BYTES = 16 << 20
"""What unpacks to fewer bytes than this harms nobody."""

_ARCHIVES = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")
_TITLE = re.compile(r"\.(zip|tar|tgz|tbz2?|txz|(tar\.(gz|bz2|xz)))$", re.IGNORECASE)

Place = TypeVar("Place")


def is_archive_name(name: str) -> bool:
    """Whether a file is called like an archive that can be read in place."""
    return name.casefold().endswith(_ARCHIVES)


def title(name: str) -> str:
    """The name of an archive without its ending."""
    return _TITLE.sub("", name)


def looks_like_bomb(unpacked: int, packed: int) -> bool:
    """Whether so many bytes cannot come from so few."""
    return unpacked > BOMB_BYTES and unpacked > BOMB_RATIO * packed


@dataclass
class Members(Generic[Place]):
    """Members of an archive while they are listed.

    Arguments:
        archive: Name of the archive, for messages.
    """

    archive: str
    places: dict[str, Place] = field(default_factory=dict)
    """By safe name where each member is."""
    sizes: dict[str, int] = field(default_factory=dict)
    """By safe name the bytes of each member, unpacked."""
    set_aside: list[SetAside] = field(default_factory=list)
    """Members that are refused, and why."""
    repeated: Counter[str] = field(default_factory=Counter)

    def add(self, name: str, size: int, place: Place) -> None:
        """Take a member, or refuse it for its name or size. A later one replaces an earlier one."""
        safe = self.safe(name)
        if safe is None:
            return
        if size > MOST_BYTES:
            self.refuse(safe, f"it unpacks to {size:,} bytes; at most {MOST_BYTES:,} are read")
            return
        if safe in self.places:
            self.repeated[safe] += 1
        self.places[safe], self.sizes[safe] = place, size

    def refuse(self, name: str, reason: str) -> None:
        """Name a member that is not used."""
        self.set_aside.append(SetAside(name, reason))

    def safe(self, name: str) -> str | None:
        """The name as a path below the archive's top; None where it leads elsewhere."""
        if name.startswith("/") or re.match(r"[A-Za-z]:", name):
            self.refuse(name, f"{self.archive} gives it an absolute name, which is not followed")
            return None
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts:
            self.refuse(name, f"its name leads out of {self.archive}")
            return None
        return "/".join(parts) or None

    def finish(self) -> None:
        """Say which names occur more than once, and drop files that are folders, too.

        Raises:
            SourceError: Nothing is left.
        """
        for name, more in self.repeated.items():
            count = plural(more + 1, "member")
            self.refuse(name, f"{self.archive} holds {count} of this name; the last one is used")
        for folder in _folders(self.places):
            if folder in self.places:
                del self.places[folder], self.sizes[folder]
                self.refuse(folder, f"{self.archive} also holds a folder of this name")
        if not self.places:
            raise SourceError(self._nothing())

    def _nothing(self) -> str:
        if not self.set_aside:
            return f"{self.archive} is empty: it holds no files."
        first = self.set_aside[0]
        others = f" The same holds for {plural(len(self.set_aside) - 1, 'more member')}."
        return (
            f"{self.archive} holds nothing that can be used. {first.name}: {first.reason}."
            f"{others if len(self.set_aside) > 1 else ''}"
        )


def _folders(names: Iterable[str]) -> set[str]:
    """All folders that names lie in."""
    found: set[str] = set()
    for name in names:
        above = name.rpartition("/")[0]
        while above and above not in found:
            found.add(above)
            above = above.rpartition("/")[0]
    return found
