"""Copies of training pictures, looked for among the latents of a run.

A copy that went through the decoder is softer than its original. Features of a network see that,
and may place it as far from its original as from another picture; the run's own latents do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

import numpy as np
import torch
from torch import Tensor

from latentbloom.data.imageset import ImageSet
from latentbloom.data.pixels import to_float
from latentbloom.errors import RunFolderError
from latentbloom.evaluate.measures.intervals import share_interval
from latentbloom.evaluate.measures.neighbours import Copying, copying
from latentbloom.evaluate.scores import CopyingScore, CopyPair
from latentbloom.latents.cache import LatentCache

MOST_TRAIN = 20_000
MOST_VAL = 2000
WORST_PAIRS = 8
_AT_ONCE = 256


class _Posterior(Protocol):
    @property
    def mean(self) -> Tensor: ...


class _Encoder(Protocol):
    run: Path | None

    def encode(self, images: Tensor) -> _Posterior: ...


def copies_in_latents(model: object, pixels: Tensor, train: ImageSet) -> CopyingScore | None:
    """How many samples are nearer to a training picture than 99 % of held-out pictures, by latents.

    Training pictures count with their mirror images, where these were trained on.

    Arguments:
        model: A model of a run folder.
        pixels: The samples, uint8 (N, C, H, W).
        train: The pictures that it was trained on.

    Returns:
        The score; None where the folder has no latents of these pictures and of held-out ones.
    """
    run = getattr(model, "run", None)
    if run is None or not hasattr(model, "encode") or not len(pixels):
        return None
    try:
        known, unseen = (LatentCache(run / "latents" / split) for split in ("train", "val"))
    except (RunFolderError, OSError):
        return None
    if known.manifest["images"] != train.fingerprint or not len(unseen):
        return None
    encoder = cast(_Encoder, model)
    rows = _spread(len(known), MOST_TRAIN)
    views = [None, [1] * len(rows)] if known.mirrored else [None]
    originals = np.concatenate([_flat(known.posterior(rows, view)[0]) for view in views])
    parts = [encoder.encode(to_float(part)).mean for part in pixels.split(_AT_ONCE)]
    held_out = _flat(unseen.posterior(_spread(len(unseen), MOST_VAL))[0])
    found = copying(_flat(torch.cat(parts)), held_out, originals)
    return CopyingScore(
        share=share_interval(found.suspicious),
        threshold=found.threshold,
        searched=len(rows),
        worst=worst_pairs(found, [train.entries[rows[k % len(rows)]].name for k in found.partners]),
        measured_by="latents",
    )


def worst_pairs(found: Copying, partners: Sequence[str]) -> tuple[CopyPair, ...]:
    """The samples that are nearest to training pictures, with the names of these.

    Arguments:
        found: Distances of all samples.
        partners: Name of each sample's nearest training picture.
    """
    worst = np.argsort(found.distances, kind="stable")[:WORST_PAIRS]
    return tuple(
        CopyPair(sample=int(k), train=partners[k], distance=float(found.distances[k]))
        for k in worst
    )


def _spread(count: int, most: int) -> list[int]:
    """At most so many indices, evenly spread."""
    few = min(count, most)
    return [k * count // few for k in range(few)]


def _flat(latents: Tensor) -> np.ndarray:
    return latents.flatten(1).float().numpy()
