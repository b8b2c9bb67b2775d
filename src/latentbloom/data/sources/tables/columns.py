"""Which columns of a table are factors, and what their cells mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from latentbloom.conditions import Factor
from latentbloom.data.sources.base import ReadAs
from latentbloom.data.sources.labels.bins import (
    Edges,
    bin_names,
    bin_of,
    find_edges,
    number,
)
from latentbloom.data.sources.labels.names import factor_name
from latentbloom.data.sources.labels.values import factor_of, is_date, is_missing, readings
from latentbloom.data.sources.tables.header import (
    candidates,
    check_header,
    check_known,
    split_column,
)
from latentbloom.data.sources.tables.table_file import SPLIT, Table
from latentbloom.errors import SourceError
from latentbloom.words import plural, shortened

_MANY_VALUES = 50
"""A column with more values than this, most of which occur once, is never a label."""

_FEW_VALUES = 10
"""A column with more values than this, most of which occur once, is taken only when asked for."""

_MANY_NUMBERS = 20
"""A column with more different numbers than this is taken only when asked for."""


@dataclass(frozen=True)
class Column:
    """A column that is a factor.

    Arguments:
        place: Its place in the table.
        factor: The factor.
        indices: The index that each of its cells means.
        read: What its words were read as.
        edges: Between its bins; empty where it is not binned.
    """

    place: int
    factor: Factor
    indices: dict[str, int]
    read: tuple[ReadAs, ...] = ()
    edges: Edges = ()


@dataclass
class Columns:
    """The columns of a table that are used, and what is said about the others.

    Arguments:
        factors: Columns that are factors.
        split: Place of the column that says which pictures are held out; None: there is none.
        notes: Sentences for the user.
    """

    factors: list[Column] = field(default_factory=list)
    split: int | None = None
    notes: list[str] = field(default_factory=list)


def find_columns(
    table: Table,
    *,
    wanted: Collection[str] = (),
    bins: Mapping[str, int | Edges] | None = None,
    as_written: bool = False,
) -> Columns:
    """Decide what each column is.

    Columns that nobody asked for never stop anything: a column whose values few pictures share, or
    of many numbers, is left alone and said.

    Arguments:
        table: The table; only rows whose picture is there.
        wanted: Names of factors that were asked for; empty for all that can be used.
        bins: Bins, or their edges, by name of the factor.
        as_written: As in `read_values`.

    Raises:
        SourceError: A column that was asked for cannot be used, or none can.
    """
    bins = bins or {}
    check_header(table, wanted)
    names = {place: factor_name(name) for place, name in candidates(table)}
    split = split_column(table, names, wanted)
    found = Columns(split=split, notes=_said_of(table, split, wanted))
    check_known([*bins], [*names.values()], table, "--bins")
    alone: list[tuple[Column, str]] = []
    for place, name in names.items():
        counts = Counter(table.column(place))
        if place == split:
            continue
        if name in bins:
            found.factors.append(_binned(table, place, name, counts, bins[name]))
            continue
        column = _column(place, name, counts, as_written)
        if len(set(column.indices.values()) - {column.factor.null_index}) < 2:
            if not wanted or name in wanted:
                found.notes.append(_one_value(table.header[place], column))
            continue
        why = _why_left_alone(table.header[place], counts, column, asked=name in wanted)
        if why is None:
            found.factors.append(column)
        elif name in wanted:
            raise SourceError(f"{table.path}: {why}")
        else:
            alone.append((column, why))
    _use_the_only_one(found, alone, table)
    if not wanted:
        whys = [why for _, why in alone]
        found.notes += whys[:2]
        if len(whys) > 2:
            found.notes.append(f"{plural(len(whys) - 2, 'more column')} left alone like that.")
    return found


def _use_the_only_one(found: Columns, alone: list[tuple[Column, str]], table: Table) -> None:
    """Where no column is a factor, take the one of many numbers that many pictures share."""
    if found.factors:
        return
    shared = [(column, why) for column, why in alone if "--factors" in why]
    if len(shared) == 1:
        found.factors.append(shared[0][0])
        alone.remove(shared[0])
    elif alone:
        whys = " ".join(why for _, why in alone)
        raise SourceError(f"{table.path}: {whys} No other column is a label.")
    else:
        raise SourceError(
            f"{table.path} has one label only. {' '.join(found.notes)} Two or more are needed, "
            "because a model that is asked for a label must know another one."
        )


def _said_of(table: Table, split: int | None, wanted: Collection[str]) -> list[str]:
    """Sentences about columns that are no factors by their content."""
    notes = []
    if split is not None and table.header[split] != SPLIT:
        notes.append(f"Column '{table.header[split]}' says which pictures are held out.")
    unnamed = [place for place, name in enumerate(table.header) if not name]
    if not wanted and any(any(table.column(place)) for place in unnamed):
        notes.append("The column without a name numbers the rows and is not used.")
    return notes


def _column(place: int, name: str, counts: Counter[str], as_written: bool) -> Column:
    factor, indices = factor_of(name, counts, as_written=as_written)
    return Column(place, factor, indices, readings(factor, indices, counts))


def _one_value(name: str, column: Column) -> str:
    said = "nothing"
    if column.factor.values and set(column.indices.values()) != {column.factor.null_index}:
        (index,) = set(column.indices.values()) - {column.factor.null_index}
        said = f"'{column.factor.word(index)}' or nothing"
    return f"Column '{name}' says {said} for every picture and is not used."


def _why_left_alone(name: str, counts: Counter[str], column: Column, *, asked: bool) -> str | None:
    """Why a column is no factor; None if it is one."""
    null = column.factor.null_index
    known = [word for word in counts if column.indices[word] != null]
    if not asked and all(map(is_date, known)):
        return f"Column '{name}' holds dates and is left alone unless it is asked for."
    filled = sum(count for word, count in counts.items() if column.indices[word] != null)
    different = len(column.factor.values)
    rare = 2 * different > filled
    numbers = all(number(word) is not None for word in known)
    few = _MANY_VALUES if asked else _FEW_VALUES
    if not (rare and different > few) and (asked or not numbers or different <= _MANY_NUMBERS):
        return None
    kind = "different numbers" if numbers else "different values"
    found = f"column '{name}' has {different:,} {kind} in {filled:,} rows"
    typed = factor_name(name)
    if asked:
        hint = f"Use --bins {typed}=4." if numbers else "Put its values into a few groups."
        return f"{found}; that is not a label that pictures share. {hint}"
    if not numbers:
        return f"C{found[1:]} and is left alone."
    hint = f"--bins {typed}=4 makes a factor of it"
    if not rare:
        hint += f", --factors {typed} makes each number a value"
    return f"C{found[1:]} and is left alone; {hint}."


def _binned(
    table: Table, place: int, name: str, counts: Counter[str], asked: int | Edges
) -> Column:
    numbers = {word: number(word) for word in counts if not is_missing(word)}
    odd = [word for word, value in numbers.items() if value is None]
    if odd:
        raise SourceError(
            f"{table.path}: --bins {name} needs numbers, and the column holds {shortened(odd)}."
        )
    known = {word: value for word, value in numbers.items() if value is not None}
    values = [value for word, value in known.items() for _ in range(counts[word])]
    edges = (find_edges(values, asked) if values else ()) if isinstance(asked, int) else asked
    if not edges:
        raise SourceError(
            f"{table.path}: --bins {name} finds fewer than two different numbers in the column."
        )
    factor = Factor(name, bin_names(edges))
    indices = {word: factor.null_index for word in counts}
    indices |= {word: bin_of(value, edges) for word, value in known.items()}
    missing = {w: i for w, i in indices.items() if w not in known and w}
    return Column(place, factor, indices, readings(factor, missing, counts), edges)
