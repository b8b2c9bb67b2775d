"""What `pack` writes about a set beside its shards: its labels, and what was decided about it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latentbloom.conditions import ConditionSpec
from latentbloom.data.sources.base import ReadAs, SetAside, Source
from latentbloom.storage.files import write_atomic

PACKED = "packed.json"
FORMAT, VERSION = "latentbloom-packed", 1


@dataclass(frozen=True)
class PackedSet:
    """A packed set without its pictures.

    Arguments:
        source: What the user called the source.
        factors: Its factors and their values, in order.
        treatment: What was done to the pixels; see `Source.treatment`.
        notes: Those of the source.
        set_aside: Those of the source.
        readings: Those of the source.
        recipe: What decides the content of the shards: the same recipe gives the same shards.
    """

    source: str
    factors: ConditionSpec
    treatment: str = ""
    notes: tuple[str, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    readings: tuple[ReadAs, ...] = ()
    recipe: str = ""

    @classmethod
    def of(cls, source: Source, *, treatment: str, recipe: str) -> PackedSet:
        """What is to be written about a source."""
        return cls(
            source=source.name,
            factors=source.spec,
            treatment=treatment,
            notes=source.notes,
            set_aside=source.set_aside,
            readings=source.readings,
            recipe=recipe,
        )

    @classmethod
    def from_json(cls, data: Any) -> PackedSet:
        """The inverse of `save`.

        Raises:
            ValueError: It is something else.
        """
        try:
            if data["format"] != FORMAT or data["version"] != VERSION:
                raise ValueError(f"is of format {data['format']!r}, version {data['version']!r}")
            return cls(
                source=str(data["source"]),
                factors=ConditionSpec.from_json(data["factors"]),
                treatment=str(data["treatment"]),
                notes=tuple(str(note) for note in data["notes"]),
                set_aside=tuple(SetAside(str(n), str(why)) for n, why in data["set_aside"]),
                readings=tuple(
                    ReadAs(str(factor), str(value), tuple((str(w), int(n)) for w, n in words))
                    for factor, value, words in data["readings"]
                ),
                recipe=str(data["recipe"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"describes no packed set ({type(error).__name__}: {error})") from None

    def save(self, folder: Path) -> Path:
        """Write it into the folder of the shards."""
        content = {
            "format": FORMAT,
            "version": VERSION,
            "source": self.source,
            "factors": self.factors.to_json(),
            "treatment": self.treatment,
            "notes": list(self.notes),
            "set_aside": [[one.name, one.reason] for one in self.set_aside],
            "readings": [[one.factor, one.value, one.words] for one in self.readings],
            "recipe": self.recipe,
        }
        return write_atomic(folder / PACKED, json.dumps(content, indent=1) + "\n")
