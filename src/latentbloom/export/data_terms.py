"""What the terms of published data sets say about sharing pictures and models made from them."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from latentbloom.data.sources.built_in import BUILT_INS
from latentbloom.data.sources.shards.labelled_samples import say_origin


@dataclass(frozen=True)
class DataTerms:
    """The terms of a data set.

    Attributes:
        name: The data set.
        sentence: What they allow and forbid.
        url: Where they stand.
    """

    name: str
    sentence: str
    url: str


TERMS = {
    "celeba": DataTerms(
        "CelebA",
        "CelebA is for non-commercial research only. Its pictures, or parts of them, must not be "
        "reproduced, published or sold, nor anything derived from them used commercially; the "
        "pictures belong to others, and show real people.",
        "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
    ),
    "flowers102": DataTerms(
        "Oxford-102",
        "The pictures of Oxford 102 Flowers were collected from the web and belong to their "
        "photographers. No licence allows publishing them, and the set is offered for research.",
        "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/",
    ),
}
"""By the name of the source."""


def terms_of(source: str) -> DataTerms | None:
    """The terms of a source; None where it is not a published set that this program knows."""
    return TERMS.get(source.partition(":")[0])


def terms_of_run(run: Path | str, depth: int = 8) -> DataTerms | None:
    """The terms of a run's pictures, or of those of the runs whose weights it started from.

    Arguments:
        run: The run folder.
        depth: How many such runs are followed back.
    """
    try:
        config = json.loads((Path(run) / "config.json").read_text(encoding="utf-8"))
        found = terms_of(str(config["data"]["source"]))
        before = config.get("train", {}).get("start_from")
        found = found or _terms_of_packed(Path(run))
    except (OSError, ValueError, KeyError):
        return None
    return found or (terms_of_run(before, depth - 1) if before and depth else None)


def _terms_of_packed(run: Path) -> DataTerms | None:
    """The terms of the set that a run's shards were packed from."""
    with suppress(OSError, ValueError, KeyError):
        notes = json.loads((run / "audit.json").read_text(encoding="utf-8"))["notes"]
        return next((terms for name, terms in TERMS.items() if say_origin(name) in notes), None)
    return None


def is_synthetic(source: str) -> bool:
    """Whether the program rendered the pictures itself, so that all of them may be shown."""
    name = source.partition(":")[0]
    return name in BUILT_INS and BUILT_INS[name].synthetic


def public_name(source: str) -> str:
    """The name of a source for others to read: of a folder its last part, not where it lies."""
    if source.partition(":")[0] in BUILT_INS:
        return source
    return Path(source).name or "pictures"
