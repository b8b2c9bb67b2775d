"""Opening the source that somebody names: a folder, a table or a built-in one."""

from __future__ import annotations

from pathlib import Path

from latentbloom.config import SourceOptions
from latentbloom.data.sources.base import MIN_PICTURES, Source, check_enough, refuse_odd
from latentbloom.data.sources.built_in import BUILT_INS, takers
from latentbloom.data.sources.depth import with_range
from latentbloom.data.sources.factors import choose_factors
from latentbloom.data.sources.folders.labelled_folder import open_folder
from latentbloom.data.sources.folders.unread import refuse_run
from latentbloom.data.sources.holdout import hold_out
from latentbloom.data.sources.labels.bins import parse_bins
from latentbloom.data.sources.options import COLOUR, check_taken, parse_factors, parse_splits
from latentbloom.data.sources.tables.find_table import (
    FoundTable,
    find_table,
    say_other_tables,
    table_given,
)
from latentbloom.data.sources.tables.table_source import open_table
from latentbloom.errors import SourceError
from latentbloom.user_files import named_while_waiting
from latentbloom.words import close_matches


def open_source(
    what: SourceOptions | Path | str, *, seed: int = 0, colours: Path | None = None
) -> Source:
    """List the labelled pictures of a folder or of a built-in source.

    A folder's sub-folders are its labels, with or without `train/` and `val/` above them; or
    it has a `labels.csv`. Where nothing says which pictures are held out, a share of each label
    is, chosen by a hash of the names.

    Arguments:
        what: Which pictures and how; a path or a name means that source with default options. A
            synthetic source may carry its number of training pictures, as in
            "synthetic-flowers:2000".
        seed: Decides which pictures are held out, and what synthetic pictures look like.
        colours: A run's file of colours; the colours in it are not computed again.

    Returns:
        The source, without the training pictures of the combinations in `hold_out`.

    Raises:
        SourceError: There is no such source, or it cannot be trained on; the message says why
            and what to do.
        ConfigError: `hold_out` makes no sense.
        ConditionError: `hold_out` names an unknown factor or value.
    """
    options = what if isinstance(what, SourceOptions) else SourceOptions(source=str(what))
    factors = parse_factors(options.factors)
    parse_splits(options.splits)  # a wrong word is better refused before anything is fetched
    name, colon, number = options.source.partition(":")
    built_in = BUILT_INS.get(name)
    check_taken(options, name, built_in.takes if built_in else ("bins",), takers())
    if built_in is None:
        # A share that does not answer may also keep the list of its files waiting.
        with named_while_waiting(options.source):
            source = with_range(_open_path(options, factors, seed))
    else:
        if colon and not built_in.synthetic:
            raise SourceError(
                f"'{options.source}': {name} takes no number of pictures. Write {name}."
            )
        if colon and not (number.isdecimal() and int(number) >= MIN_PICTURES):
            raise SourceError(
                f"'{options.source}': after the colon comes how many pictures to train on, "
                f"{MIN_PICTURES} or more, as in {name}:2000."
            )
        # Colours are found afterwards: no source has labels of them.
        own = ",".join(factor for factor in factors if factor != COLOUR)
        own_options = options.model_copy(update={"factors": own})
        source = built_in.open(own_options, seed, int(number) if colon else None)
    check_enough(len(source.entries), source.name)
    source = choose_factors(source, factors, colours=colours)
    return hold_out(source, options.hold_out, seed=seed)


def _open_path(options: SourceOptions, factors: tuple[str, ...], seed: int) -> Source:
    """The source that a folder is."""
    where = options.source
    folder = Path(where).expanduser()
    if table_given(folder):
        return _open_table(FoundTable(folder), options, factors, seed)
    if not folder.exists():
        raise SourceError(_no_such_source(where, folder))
    if not folder.is_dir():
        refuse_odd(folder)
        raise SourceError(
            f"'{where}' is a file, not a folder. Give a folder whose sub-folders are the labels "
            "or that holds a labels.csv; unpack an archive first."
        )
    refuse_run(folder, where)
    table = find_table(folder)
    if table is not None:
        return _open_table(table, options, factors, seed)
    if options.bins:
        raise SourceError(f"--bins needs a table with a column of numbers; '{where}' has none.")
    try:
        return open_folder(
            folder,
            name=where,
            seed=seed,
            val_share=options.val_share,
            as_written=options.values_as_written,
        )
    except SourceError as error:
        raise SourceError(f"{error}{say_other_tables(folder)}") from error


def _open_table(
    table: FoundTable, options: SourceOptions, factors: tuple[str, ...], seed: int
) -> Source:
    return open_table(
        table,
        name=options.source,
        seed=seed,
        val_share=options.val_share,
        wanted=factors,
        bins=parse_bins(options.bins),
        as_written=options.values_as_written,
    )


def _no_such_source(where: str, folder: Path) -> str:
    near: list[str] = []
    parent = folder.parent
    if parent.is_dir():
        siblings = [child.name for child in parent.iterdir() if child.is_dir()]
        near = [
            str(parent / match) if str(parent) != "." else match
            for match in close_matches(folder.name, siblings)
        ]
    near += close_matches(where, BUILT_INS, most=2)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return (
        f"There is no folder '{where}'.{hint} Give a folder whose sub-folders are the labels or "
        f"that holds a labels.csv, or a built-in source: {', '.join(BUILT_INS)}."
    )
