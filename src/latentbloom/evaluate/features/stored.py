"""Features of real pictures, stored on disk: they take a minute and never change."""

from __future__ import annotations

import contextlib
import hashlib
import json
from functools import partial
from pathlib import Path

import numpy as np

from latentbloom.data.imageset import ImageSet
from latentbloom.evaluate.features.extractor import FeatureExtractor, Features, Progress
from latentbloom.evaluate.features.together import features_of_set
from latentbloom.foreign.json_files import read_json
from latentbloom.sharing import ALONE, Group
from latentbloom.storage.disk import remove
from latentbloom.storage.files import spare_cache, write_atomic

_PROBES = 16
"""Pictures whose pixels enter the key: two folders may have the same names."""


def order_of(count: int) -> np.ndarray:
    """The fixed random order in which the features of a set are extracted.

    Its first n are a random sample for every n, so that more features can be added later.
    """
    return np.random.default_rng(0).permutation(count)


def set_key(images: ImageSet, extractor: FeatureExtractor) -> str:
    """A name for these pictures as they are now, and this network: 24 hexadecimal digits."""
    digest = hashlib.sha256(f"{images.fingerprint} {extractor.tag} grid-3".encode())
    digest.update(b"[")
    for place, entry in enumerate(images.entries):  # the text of a list of all stamps
        digest.update(f"{', ' if place else ''}{images.source.stamp(entry)!r}".encode())
    digest.update(b"]")
    probes = np.linspace(0, len(images) - 1, min(_PROBES, len(images))).astype(int)
    digest.update(images.images(probes.tolist()).numpy().tobytes())
    return digest.hexdigest()[:24]


def real_features(
    images: ImageSet,
    extractor: FeatureExtractor,
    *,
    limit: int | None = None,
    cache: Path | None = None,
    text: str = "features of real pictures",
    on_progress: Progress | None = None,
    group: Group = ALONE,
) -> tuple[Features, np.ndarray]:
    """Features of the first `limit` pictures in the order of `order_of`.

    Arguments:
        images: The real pictures.
        extractor: The network.
        limit: How many at most; None means all.
        cache: Folder of stored features; None neither reads nor writes.
        text: Name of the part, for the progress.
        on_progress: Called after each batch.
        group: Processes that share the work; all call this.

    Returns:
        The features, and the indices (n,) of their pictures in the set.
    """
    order = order_of(len(images))
    wanted = len(images) if limit is None else min(limit, len(images))
    folder = None if cache is None else cache / "features" / set_key(images, extractor)
    stored = None if folder is None else _load(folder)
    # Processes on other machines may have other files, and all must do the same.
    known = group.least(0 if stored is None else len(stored))
    if stored is not None and known >= wanted:
        return stored[:wanted], order[:wanted]
    fresh = features_of_set(
        extractor,
        images.images,
        order[known:wanted].tolist(),
        group,
        text=text,
        on_progress=on_progress,
    )
    features = fresh if stored is None or not known else Features.cat([stored[:known], fresh])
    if folder is not None and group.first:
        with spare_cache():
            _save(folder, features)
    return features, order[:wanted]


def _load(folder: Path) -> Features | None:
    try:
        count = read_json(folder / "features.json", folder=folder)["count"]
        pooled, grid = (
            np.load(folder / f"{name}-{count}.npy", mmap_mode="r", allow_pickle=False)
            for name in ("pooled", "grid")
        )
    except (OSError, ValueError, KeyError):
        return None
    return Features(pooled, grid) if len(pooled) == len(grid) == count else None


def _save(folder: Path, features: Features) -> None:
    """Write the arrays, then the file that names them: a killed run leaves the old ones."""
    count = len(features)
    for name, array in (("pooled", features.pooled), ("grid", features.grid)):
        save = partial(np.save, arr=array, allow_pickle=False)
        write_atomic(folder / f"{name}-{count}.npy", save)
    write_atomic(folder / "features.json", json.dumps({"count": count}))
    for old in folder.glob("*-*.npy"):
        if not old.name.startswith(".") and not old.stem.endswith(f"-{count}"):
            with contextlib.suppress(PermissionError):  # Windows holds what is still mapped
                remove(old)
