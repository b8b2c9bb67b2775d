"""The findings of an audit, written to `audit.json` and read from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from latentbloom.conditions import ANY, ConditionSpec
from latentbloom.data.listed.entries import Entries
from latentbloom.data.listed.entry import Split
from latentbloom.data.sources.base import Entry
from latentbloom.errors import SourceError
from latentbloom.foreign.bounds import ForeignError
from latentbloom.foreign.json_files import read_json
from latentbloom.notebook import shown_by
from latentbloom.storage.files import write_atomic
from latentbloom.storage.user_files import reason
from latentbloom.words import visible

DARKEST = 32
"""A picture without a greater value, of 255, is all but black."""

HUGE = 90_000_000
"""Pixels of a picture from which reading it may take a gigabyte."""

Verdict = Literal["far too few", "few", "fair", "good"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Shown = Annotated[str, AfterValidator(visible)]
"""Text that may hold the name of a file, which may be any bytes."""


class Aside(_Frozen):
    """A file that is not used, and why."""

    name: Shown
    reason: Shown


class ValueCount(_Frozen):
    """How many pictures show a value of a factor."""

    factor: str
    value: str
    train: int
    val: int


class CombinationCount(_Frozen):
    """How many pictures show these values (one a factor, in order) together."""

    values: tuple[str, ...]
    train: int
    val: int


class Sizes(_Frozen):
    """Widths and heights in pixels: (least, median, greatest)."""

    width: tuple[int, float, int]
    height: tuple[int, float, int]
    short_side: float
    """Median of the shorter sides."""
    not_square: int
    common: tuple[tuple[int, int, int], ...]
    """The commonest (width, height, count)."""
    different: int


class Duplicates(_Frozen):
    """Pictures that are the same, exactly or nearly."""

    names: tuple[str, ...]
    exact: bool
    across_splits: bool
    """A leak: some are trained on and some are held out."""
    across_labels: bool
    """A contradiction: the same picture under different labels."""
    held_out: int = 0
    """How many of them are held out."""


class Reading(_Frozen):
    """What words of the labels were taken for."""

    factor: str
    value: str
    """"any" where the words say that it is not known."""
    words: tuple[tuple[str, int], ...]
    """Each word as it is written, and how many pictures have it."""


class Audit(_Frozen):
    """The findings of an audit. See `latentbloom.data.audit.run.audit_source`."""

    format: Literal["latentbloom-audit"] = "latentbloom-audit"
    version: Literal[1] = 1
    source: Shown
    synthetic: bool = Field(validation_alias=AliasChoices("synthetic", "drawn"))
    looked_at: int
    spec: list[dict[str, Any]]
    train: int
    val: int
    counts: tuple[ValueCount, ...]
    combinations: tuple[CombinationCount, ...]
    sizes: Sizes
    modes: dict[str, int]
    grey: int
    channels: Literal[1, 3]
    suggested_size: int
    broken: tuple[Aside, ...]
    unused: tuple[Aside, ...]
    unused_count: int
    duplicates: tuple[Duplicates, ...] = Field(validation_alias=AliasChoices("duplicates", "twins"))
    notes: tuple[str, ...]
    readings: tuple[Reading, ...] = ()
    layout: Shown = ""
    """What the source's files were taken for, and why."""
    seconds: float
    dark: tuple[str, ...] = ()
    """Pictures that are all but black."""
    huge: tuple[str, ...] = ()
    """Pictures of more than `HUGE` pixels."""
    verdict: Verdict = "fair"
    advice: tuple[str, ...] = ()

    def kept(self, entries: Sequence[Entry], split: Split) -> Entries:
        """The entries of a split that can be used: all but the broken ones."""
        return Entries.of(entries).of_split(split, without=(one.name for one in self.broken))

    def condition_spec(self) -> ConditionSpec:
        """The factors and their values."""
        return ConditionSpec.from_json(self.spec)

    def imbalance(self, factor: str) -> float:
        """Training pictures of a factor's commonest value over those of its rarest.

        Infinite when a value has none.
        """
        counts = [c.train for c in self.counts if c.factor == factor and c.value != ANY]
        return max(counts) / min(counts) if min(counts) else float("inf")

    _repr_html_ = shown_by("latentbloom.data.audit.table", "audit_table")

    @property
    def leaks(self) -> tuple[Duplicates, ...]:
        """Duplicates of which some are trained on and some are held out."""
        return tuple(group for group in self.duplicates if group.across_splits)

    @property
    def contradictions(self) -> tuple[Duplicates, ...]:
        """Exact duplicates that have different labels."""
        return tuple(group for group in self.duplicates if group.across_labels and group.exact)

    def save(self, path: Path) -> None:
        """Write `audit.json`."""
        write_atomic(path, self.model_dump_json(indent=2) + "\n")

    @classmethod
    def load(cls, path: Path) -> Audit:
        """Read what `save` wrote.

        Raises:
            SourceError: There is no such file, or it is not an audit.
        """
        try:
            return cls.model_validate(read_json(path, folder=path.parent))
        except FileNotFoundError as error:
            raise SourceError(
                f"There is no audit at {path}. `latentbloom audit SOURCE` makes one."
            ) from error
        except ForeignError as error:
            raise SourceError(
                f"{path} is not an audit of this version of latentbloom: it {error}. Run the audit "
                "again."
            ) from error
        except ValidationError as error:
            raise SourceError(
                f"{path} is not an audit of this version of latentbloom. Run the audit again."
            ) from error
        except OSError as error:
            raise SourceError(f"{path} cannot be read: {reason(error)}.") from error
