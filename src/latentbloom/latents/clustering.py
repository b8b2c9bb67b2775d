"""Clusters of similar training pictures: labels that nobody gave, which stage 2 is told of.

A denoiser that knows more of a picture than its few labels learns faster. Alike are pictures whose
mean features of a frozen network are. Source: Adaloglou et al., Rethinking Cluster-Conditioned
Diffusion Models (arXiv:2403.00570).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from latentbloom.errors import LatentbloomError
from latentbloom.foreign.bounds import check_place
from latentbloom.foreign.json_files import read_json
from latentbloom.storage.disk import remove
from latentbloom.storage.files import write_atomic, write_json

if TYPE_CHECKING:
    from torch import Tensor

    from latentbloom.latents.feature_maps import FeatureMaps

CLUSTERS = "clusters.npy"
ABOUT = "clusters.json"
MOST_LOOKED_AT = 20_000  # pictures that the centres are found with
MOST_ROWS = 4096  # in a checkpoint
_AT_ONCE = 1024


def write_clusters(maps: FeatureMaps, folder: Path, images: str, count: int, clusters: int) -> None:
    """Write the cluster of every picture, once: what is there already, and fits, stays.

    Arguments:
        maps: Features of the pictures.
        folder: Of their latents.
        images: Fingerprint of the pictures.
        count: How many there are.
        clusters: How many clusters; not more than pictures.
    """
    from io import BytesIO

    from sklearn.cluster import KMeans

    try:
        read_clusters(folder, images, count, clusters)
    except LatentbloomError:
        remove(folder / ABOUT)
    else:
        return
    some = np.random.default_rng(0).permutation(count)[:MOST_LOOKED_AT]
    found = KMeans(clusters, n_init=2, random_state=0).fit(_means(maps, np.sort(some)))
    numbers = np.empty(count, np.uint16)
    for start in range(0, count, _AT_ONCE):
        rows = np.arange(start, min(start + _AT_ONCE, count))
        numbers[rows] = 1 + found.predict(_means(maps, rows))
    written = BytesIO()
    np.save(written, numbers)
    write_atomic(folder / CLUSTERS, written.getvalue())
    write_json(folder / ABOUT, {"images": images, "clusters": clusters})


def read_clusters(folder: Path, images: str, count: int, clusters: int) -> Tensor:
    """The clusters of the pictures, LongTensor (count,), numbers from 1.

    Raises:
        LatentbloomError: They are missing, broken, or of other pictures or another number.
    """
    import torch

    try:
        about = read_json(folder / ABOUT, folder=folder)
        check_place(folder / CLUSTERS, folder)
        numbers = np.load(folder / CLUSTERS, allow_pickle=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LatentbloomError(f"{folder} holds no clusters ({error}).") from None
    fits = numbers.shape == (count,) and numbers.dtype == np.uint16
    known = about.get("images") == images and about.get("clusters") == clusters
    if not (fits and known and numbers.min() >= 1 and numbers.max() <= clusters):
        raise LatentbloomError(f"The clusters in {folder} are of other pictures.")
    return torch.from_numpy(numbers.astype(np.int64))


def cluster_rows(labels: Tensor, clusters: Tensor) -> list[list[int]]:
    """Which clusters go with which labels: rows of labels, a cluster, and how many pictures.

    Of very many different rows some pictures are left out.

    Arguments:
        labels: LongTensor (N, factors).
        clusters: LongTensor (N,).
    """
    import torch

    both = torch.cat([labels, clusters[:, None]], dim=1)
    rows, counts = both.unique(dim=0, return_counts=True)
    if len(rows) > MOST_ROWS:
        some = torch.randperm(len(both), generator=torch.Generator().manual_seed(0))[:MOST_ROWS]
        rows, counts = both[some].unique(dim=0, return_counts=True)
    return torch.cat([rows, counts[:, None]], dim=1).tolist()


def _means(maps: FeatureMaps, rows: np.ndarray) -> np.ndarray:
    """Mean features (B, channels) of some pictures."""
    parts: Sequence[np.ndarray] = np.array_split(rows, -(-len(rows) // _AT_ONCE))
    return np.concatenate([maps.rows(part.tolist()).mean(dim=1).numpy() for part in parts])
