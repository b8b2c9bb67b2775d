"""One range of brightness for all pictures of more than 8 bits a channel in a folder.

A 12-bit picture in a 16-bit file uses a sixteenth of its range and would be all but black. The file
does not say so. Stretching each picture by itself would change brightness from file to file, so the
range is chosen once, from pictures spread over the whole folder.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from latentbloom.data.reading import deep_mode, read_picture
from latentbloom.data.sources.base import Entry, FileSource, Source
from latentbloom.errors import SourceError

_RANGES = (1.0, 255.0, 1023.0, 4095.0, 16383.0, 65535.0)
"""Greatest values of 0 to 1 and of 8, 10, 12, 14 and 16 bits."""

_PROBES = 64
_USUAL = 65535.0

Some = TypeVar("Some", bound=Source)


def with_range(source: Some) -> Some | FileSource:
    """A folder's source that knows which value is white in pictures of more than 8 bits.

    Arguments:
        source: Any source; only those whose pictures are files of a folder are changed.

    Returns:
        The source itself where no picture has more than 8 bits a channel.
    """
    if not isinstance(source, FileSource):
        return source
    some = source.entries[:: max(1, len(source.entries) // _PROBES)][:_PROBES]
    deep = [(e, m) for e in some if e.path is not None and (m := deep_mode(e.path))]
    if not deep:
        return source
    found: dict[float, Entry] = {}
    for entry, _ in deep:
        with suppress(SourceError):  # the audit names it
            picture = read_picture(entry.path) if entry.path is not None else None
            if picture is not None and picture.brightest is not None:
                found.setdefault(picture.brightest, entry)
    if not found:
        return source
    highest = max(found)
    ranges = _RANGES if all(mode == "F" for _, mode in deep) else _RANGES[1:]
    white = next((top for top in ranges if highest <= top), highest)
    usual = white == _USUAL and all(mode.startswith("I;16") for _, mode in deep)
    note = (
        f"{len(deep):,} of {len(some):,} pictures that were looked at have more than 8 bits a "
        f"channel, such as {deep[0][0].name}. Their greatest value is {highest:,g} (in "
        f"{found[highest].name}), so 0 is black and {white:,g} is white in all of them."
    )
    return replace(source, white=None if usual else white, notes=(*source.notes, note))
