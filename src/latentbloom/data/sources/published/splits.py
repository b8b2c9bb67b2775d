"""Which pictures of a published data set are trained on, and which are held out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

from latentbloom.config import SourceOptions
from latentbloom.data.listed.entry import Split
from latentbloom.data.sources.labels.hold_out_share import choose_val
from latentbloom.data.sources.options import OFFICIAL, Official, parse_splits
from latentbloom.errors import SourceError
from latentbloom.words import listed, plural

_HELD_OUT: tuple[Official, ...] = ("val", "test", "train")
"""Splits that are held out when they are not trained on, the best first."""


def share_out(
    name: str,
    pictures: Sequence[str],
    official: Sequence[Official],
    strata: Sequence[Hashable],
    options: SourceOptions,
    seed: int,
) -> tuple[list[Split | None], list[str]]:
    """Decide which pictures are trained on and which are held out.

    Trained on are the splits asked for ("train" by default). Held out is the first
    of val, test and train that is there and not asked for; when there is none, a share of what
    is trained on, the same of each stratum, chosen by a hash of the names.

    Arguments:
        name: Of the source.
        pictures: Names of the pictures.
        official: Their published splits.
        strata: For each picture what a share is to be spread by, its labels.
        options: The splits asked for, and the share to hold out.
        seed: Decides which pictures a share consists of.

    Returns:
        For each picture its split, None when it is not used; and sentences that say so.

    Raises:
        SourceError: No picture of the splits asked for is there.
    """
    asked = parse_splits(options.splits) or ("train",)
    counts = Counter(official)
    there = [split for split in OFFICIAL if counts[split]]
    chosen = [split for split in there if split in asked]
    if not chosen:
        found = ", ".join(f"{split} {counts[split]:,}" for split in there) or "nothing"
        raise SourceError(
            f"'{name}' has no picture of {listed(asked)}; found: {found}. Choose with --splits, "
            "or add the pictures."
        )
    trained = f"Trained on: {listed(chosen)} ({plural(sum(counts[s] for s in chosen), 'picture')})"
    kept = next((split for split in _HELD_OUT if split in there and split not in asked), None)
    if kept is None:
        splits, share = _by_hash(pictures, strata, options, seed)
        return splits, [f"{trained}; no other split is there, so {share}"]
    notes = [f"{trained}. Held out: {kept} ({counts[kept]:,})."]
    for split in there:
        if split != kept and split not in asked:
            more = ",".join(s for s in OFFICIAL if s in (*asked, split))
            notes.append(
                f"Not used: {split} ({plural(counts[split], 'picture')}); --splits {more} trains "
                "on them, too."
            )
    return ["train" if s in asked else "val" if s == kept else None for s in official], notes


def split_by_hash(
    pictures: Sequence[str],
    strata: Sequence[Hashable],
    options: SourceOptions,
    seed: int,
    why: str,
) -> tuple[list[Split | None], list[str]]:
    """Hold out a share of each stratum, because no split is published.

    Raises:
        SourceError: Splits were asked for.
    """
    if asked := parse_splits(options.splits):
        raise SourceError(f"{why}, so --splits {','.join(asked)} means nothing here.")
    splits, share = _by_hash(pictures, strata, options, seed)
    return splits, [f"{why}: {share}"]


def _by_hash(
    pictures: Sequence[str], strata: Sequence[Hashable], options: SourceOptions, seed: int
) -> tuple[list[Split | None], str]:
    picked = choose_val(pictures, strata, share=options.val_share, seed=seed)
    return ["val" if picture in picked else "train" for picture in pictures], (
        f"{len(picked):,} of {len(pictures):,} pictures are held out and not trained on, the "
        "same share of each label, chosen by a hash of their names."
    )
