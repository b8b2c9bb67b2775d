"""What is different between two lists of pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from latentbloom.conditions import ConditionSpec
from latentbloom.data.listed.entry import Split
from latentbloom.words import listed, plural, shortened


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


def factor_changes(before: ConditionSpec, now: ConditionSpec) -> str:
    """What is different in the factors, in words; "" for nothing."""
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
