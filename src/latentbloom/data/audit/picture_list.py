"""The list of a run's pictures, and what is different between two lists."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from latentbloom.conditions import ConditionSpec
from latentbloom.data.audit.findings import Audit
from latentbloom.data.audit.marks import Mark, marks_of
from latentbloom.data.sources.base import Source, Split
from latentbloom.errors import SourceError
from latentbloom.files import write_atomic
from latentbloom.foreign.json_files import read_json
from latentbloom.words import listed, plural, shortened


@dataclass(frozen=True)
class PictureList:
    """The pictures of a run that can be read.

    Arguments:
        factors: The factors and their values, in order.
        treatment: What is done to the pixels; see `Source.treatment`.
        pictures: By name, in order, the split and the words of the labels.
        marks: By name, what the pictures' files were like; empty in a list that is only compared,
            and for lists of earlier versions.
    """

    factors: ConditionSpec
    treatment: str
    pictures: Mapping[str, tuple[Split, tuple[str, ...]]]
    marks: Mapping[str, Mark] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, source: Source, audit: Audit, *, marked: bool = False) -> PictureList:
        """The list of a source, without the pictures that the audit found broken.

        Arguments:
            source: The source.
            audit: Its audit.
            marked: Also read every file, for `marks`.
        """
        factors = source.spec.factors
        broken = {aside.name for aside in audit.broken}
        entries = [entry for entry in source.entries if entry.name not in broken]
        return cls(
            factors=source.spec,
            treatment=source.treatment,
            pictures={
                entry.name: (
                    entry.split,
                    tuple(f.word(i) for f, i in zip(factors, entry.labels, strict=True)),
                )
                for entry in entries
            },
            marks=marks_of(source, entries) if marked else {},
        )

    def save(self, path: Path) -> None:
        """Write the list as JSON, a picture a line."""
        head = json.dumps({"factors": self.factors.to_json(), "treatment": self.treatment})
        rows = [
            json.dumps([name, split, *words], ensure_ascii=False)
            for name, (split, words) in self.pictures.items()
        ]
        marks = [json.dumps([n, *m.to_json()], ensure_ascii=False) for n, m in self.marks.items()]
        lists = (("pictures", rows), ("files", marks))
        body = "".join(f', "{name}": [\n' + ",\n".join(lines) + "\n]" for name, lines in lists)
        write_atomic(path, head[:-1] + body + "}\n")

    @classmethod
    def load(cls, path: Path) -> PictureList:
        """Read what `save` wrote.

        Raises:
            SourceError: The file is missing or broken.
        """
        try:
            data = read_json(path, folder=path.parent)
            return cls(
                factors=ConditionSpec.from_json(data["factors"]),
                treatment=data["treatment"],
                pictures={n: (split, tuple(words)) for n, split, *words in data["pictures"]},
                marks={name: Mark.from_json(mark) for name, *mark in data.get("files", [])},
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SourceError(
                f"{path} is not a readable list of pictures ({error}). Delete it to continue "
                "without comparing the pictures."
            ) from error

    def replaced(self, source: Source) -> tuple[str, ...]:
        """Names of pictures whose files hold other content now."""
        there = {entry.name: entry for entry in source.entries}
        return tuple(
            name
            for name, mark in self.marks.items()
            if name in there and not mark.fits(source.files(there[name]))
        )

    def changes_to(self, now: PictureList) -> Changes:
        """What is different in a newer list."""
        before, after = self.pictures, now.pictures
        both = [name for name in before if name in after]
        moved: dict[tuple[Split, Split], list[str]] = {}
        for name in both:
            if before[name][0] != after[name][0]:
                moved.setdefault((before[name][0], after[name][0]), []).append(name)
        return Changes(
            added=tuple(name for name in after if name not in before),
            removed=tuple(name for name in before if name not in after),
            relabelled=tuple(name for name in both if before[name][1] != after[name][1]),
            moved={way: tuple(names) for way, names in moved.items()},
            reordered=both != [name for name in after if name in before],
            factors=_factor_changes(self.factors, now.factors),
            treatment=self.treatment != now.treatment,
        )


@dataclass(frozen=True)
class Changes:
    """What is different between two lists of pictures; false where nothing is.

    Arguments:
        added: Names that only the newer list has. A renamed picture is removed and added.
        removed: Names that only the older list has.
        relabelled: Names with other labels.
        replaced: Names whose files hold other content.
        moved: By (old split, new split) the names that changed their split.
        reordered: Whether the pictures that both lists have come in another order.
        factors: What is different in the factors, in words; "" for nothing.
        treatment: Whether something else is done to the pixels.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    relabelled: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    moved: Mapping[tuple[Split, Split], tuple[str, ...]] = field(default_factory=dict)
    reordered: bool = False
    factors: str = ""
    treatment: bool = False

    def __bool__(self) -> bool:
        return bool(self.parts)

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """Each change in words, for example "3 pictures added (a.png, b.png, c.png)"."""
        groups = [
            (self.added, "added"),
            (self.removed, "removed"),
            (self.relabelled, "relabelled"),
            (self.replaced, "with other content under the same name"),
            *((names, f"moved from {old} to {new}") for (old, new), names in self.moved.items()),
        ]
        parts = [
            f"{plural(len(names), 'picture')} {what} ({shortened(names)})"
            for names, what in groups
            if names
        ]
        if self.reordered:
            parts.append("the order of the pictures is different")
        if self.factors:
            parts.append(self.factors)
        if self.treatment:
            parts.append("the pixels are treated differently")
        return tuple(parts)

    def __str__(self) -> str:
        return listed(self.parts)


def _factor_changes(before: ConditionSpec, now: ConditionSpec) -> str:
    if before == now:
        return ""
    if before.names != now.names:
        return f"the conditions were {listed(before.names)} and are now {listed(now.names)}"
    for old, new in zip(before.factors, now.factors, strict=True):
        gone = [value for value in old.values if value not in new.values]
        come = [value for value in new.values if value not in old.values]
        parts = [f"lost {shortened(gone)}"] if gone else []
        parts += [f"gained {shortened(come)}"] if come else []
        if old != new:
            what = listed(parts) if parts else "has its values in another order"
            return f"{old.name} {what}"
    return ""
