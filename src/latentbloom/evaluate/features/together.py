"""Sampling and features that several processes share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from latentbloom.evaluate.features.extractor import (
    BATCH,
    FeatureExtractor,
    Features,
    Progress,
    in_batches,
)
from latentbloom.sharing import Group

if TYPE_CHECKING:
    from latentbloom.evaluate.workload import Generator, Samples


@dataclass(frozen=True)
class GatheredSamples:
    """Samples of several processes.

    Attributes:
        pixels: uint8 (n, C, H, W).
        settings: How they were generated.
    """

    pixels: Tensor
    settings: dict[str, float | str]


def sample_together(
    model: Generator,
    words: Sequence[Mapping[str, str]],
    group: Group,
    *,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
    **settings: Any,
) -> Samples:
    """One picture a dict of words, the same to the bit for any number of processes. A collective.

    Arguments:
        model: Samples.
        words: What each picture shows.
        group: The processes; each samples its part, and all get the whole.
        seed: Of all pictures.
        on_progress: Gets the pictures done and their total.
        settings: Further arguments of `Model.sample`, such as guidance.
    """
    sample: Callable[..., Samples] = model.sample
    if on_progress is not None:
        settings["on_progress"] = on_progress
    if group.count == 1:
        return sample(words, n=len(words), seed=seed, **settings)
    rows = group.rows(len(words))
    asked = [words[row] for row in rows]
    mine = sample(asked, n=len(rows), seed=seed, indices=rows, **settings)
    pixels = torch.from_numpy(group.gather_rows(mine.pixels.numpy()))
    return GatheredSamples(pixels, mine.settings)


def features_together(
    extractor: FeatureExtractor,
    pictures: Tensor,
    group: Group,
    *,
    text: str = "features",
    on_progress: Progress | None = None,
) -> Features:
    """Features of pictures that all processes have, uint8 (N, C, H, W). A collective."""
    mine = extractor.extract(
        in_batches(pictures[group.index :: group.count]),
        total=len(group.rows(len(pictures))),
        text=text,
        on_progress=on_progress,
    )
    return gathered(mine, group)


def features_of_set(
    extractor: FeatureExtractor,
    read: Callable[[list[int]], Tensor],
    rows: Sequence[int],
    group: Group,
    *,
    text: str,
    on_progress: Progress | None = None,
) -> Features:
    """Features of some pictures of a set, of which each process reads its part. A collective.

    Arguments:
        extractor: The network.
        read: From indices to pictures, uint8 (B, C, H, W).
        rows: The indices.
        group: The processes.
        text: Name of the part, for the progress.
        on_progress: Called after each batch.
    """
    mine = [int(rows[place]) for place in group.rows(len(rows))]
    batches = (read(mine[start : start + BATCH]) for start in range(0, len(mine), BATCH))
    found = extractor.extract(batches, total=len(mine), text=text, on_progress=on_progress)
    return gathered(found, group)


def gathered(mine: Features, group: Group) -> Features:
    """Features of all processes' pictures. A collective."""
    return Features(group.gather_rows(mine.pooled), group.gather_rows(mine.grid))
