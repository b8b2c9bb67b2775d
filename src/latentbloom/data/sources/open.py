"""Opening the source that somebody names: a path, or a built-in one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from latentbloom.config import SourceOptions
from latentbloom.data.sources.base import MIN_PICTURES, Source, check_enough
from latentbloom.data.sources.built_in import BUILT_INS, takers
from latentbloom.data.sources.depth import with_range
from latentbloom.data.sources.factors import choose_factors
from latentbloom.data.sources.holdout import hold_out
from latentbloom.data.sources.layouts.open_path import open_path
from latentbloom.data.sources.options import COLOUR, check_taken, parse_factors, parse_splits
from latentbloom.data.sources.shards.patterns import PREFIX
from latentbloom.data.sources.shards.shard_source import open_shards
from latentbloom.errors import SourceError
from latentbloom.storage.user_files import named_while_waiting
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
    if options.source.startswith(PREFIX):
        why = f"WebDataset shards, because the source begins with {PREFIX}"
        source = with_range(replace(open_shards(options, factors, seed), layout=why))
    elif built_in is None:
        # A share that does not answer may also keep the list of its files waiting.
        with named_while_waiting(options.source):
            found = open_path(options, factors, seed)
            if found is None:
                folder = Path(options.source).expanduser()
                raise SourceError(_no_such_source(options.source, folder))
            source = with_range(found)
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
