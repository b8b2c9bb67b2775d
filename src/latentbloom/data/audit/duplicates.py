"""Pictures that are in a set more than once: exactly, or nearly so.

Exact duplicates have the same decoded pixels. Near ones (resized, recompressed, a bit brighter or
of more contrast) have difference hashes at a small Hamming distance, and thumbnails that agree up
to brightness and contrast. The hash finds candidates without comparing every pair. The thumbnail
rejects what only has the same outline, such as two portraits of one person.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence

import numpy as np

from latentbloom.data.listed.scratch import Column

THUMB = (16, 18)
"""Height and width of a thumbnail, in pixels: 864 bytes a picture."""

MAX_BITS = 5
"""Largest Hamming distance between the 64-bit hashes of near duplicates.

Up to 3 are found for certain, 4 and 5 nearly always: see `near_groups`.
"""

MAX_DIFFERENCE = 12.0
"""Largest root mean square difference of near duplicates' thumbnails at a contrast of 50 levels.

On 10,532 aligned portraits true pairs lay below 9.4, other pairs above 16.6.
"""

MAX_SHIFT = 16.0
"""Largest difference of near duplicates' mean brightness, in levels of 255."""

_CONTRAST, _LEAST_CONTRAST = 50.0, 8.0
_BANDS = 4
_WINDOW = 256
_BLOCK = 1024


def digest(pixels: np.ndarray) -> bytes:
    """16 bytes that are equal for equal pictures, whether grey or colour without colour.

    Arguments:
        pixels: uint8 (H, W, C), C in {1, 3}; pass a single channel when there is no colour.
    """
    head = "x".join(str(n) for n in pixels.shape).encode()
    return hashlib.blake2b(pixels.tobytes(), digest_size=16, salt=head[:16]).digest()


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """uint8 (16, 18, 3) of a picture (H, W, C), antialiased."""
    from PIL import Image

    picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    small = picture.resize(THUMB[::-1], Image.Resampling.BILINEAR)
    return np.asarray(small.convert("RGB"))


def difference_hashes(thumbs: np.ndarray) -> np.ndarray:
    """64 bits a picture: whether each cell is brighter than its left neighbour.

    Arguments:
        thumbs: uint8 (N, 16, 18, 3).

    Returns:
        uint64 (N,).
    """
    import imagehash
    from PIL import Image

    bits = np.zeros((len(thumbs), 64), bool)
    for row, thumb in enumerate(thumbs):
        bits[row] = imagehash.dhash(Image.fromarray(np.asarray(thumb))).hash.ravel()
    return np.packbits(bits, axis=1).view(np.uint64).ravel()


def exact_groups(digests: Sequence[bytes] | np.ndarray) -> list[list[int]]:
    """Groups of two or more equal digests, all of one length, as indices, each in order."""
    return _alike(np.asarray(digests))


def _alike(values: np.ndarray) -> list[list[int]]:
    """Groups of two or more places with equal values, by their first place, each in order."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    same = np.flatnonzero(ordered[1:] == ordered[:-1])
    groups: list[list[int]] = []
    before = -2
    for place in same.tolist():
        if place != before + 1:
            groups.append([int(order[place])])
        groups[-1].append(int(order[place + 1]))
        before = place
    return sorted(groups)


def near_groups(thumbs: np.ndarray, chosen: np.ndarray | None = None) -> list[list[int]]:
    """Groups of near duplicates, as indices into `chosen`, each in order.

    Two hashes that differ in at most 3 of 64 bits agree in at least one of four 16-bit bands
    (with 4 different bits 9 of 10 pairs do, with 5 3 of 4). Only pictures that share a band are
    compared, and of those only the next few hundred in order of brightness, so that the work
    stays bounded when very many pictures look the same. Chains are joined: a is in a group with
    c when both are near b.

    Arguments:
        thumbs: uint8 (N, 16, 18, 3); may be a mapped file, of which little is read at once.
        chosen: Indices of different pictures, one of each set of exact duplicates; default all.
    """
    chosen = np.arange(len(thumbs)) if chosen is None else chosen
    count = len(chosen)
    columns = Column("Q"), Column("d"), Column("f")
    for start in range(0, count, _BLOCK):
        some = thumbs[chosen[start : start + _BLOCK]]
        columns[0].extend(difference_hashes(some))
        columns[1].extend(some.reshape(len(some), -1).mean(axis=1))
        columns[2].extend(_normalised(some).mean(axis=2))
    hashes, means, rows = (column.array() for column in columns)
    rows = rows.reshape(count, THUMB[0])
    group = np.arange(count)
    near: list[np.ndarray] = []
    compared = 0
    for band in range(_BANDS):
        keys = _band(hashes, band)
        order = np.lexsort((means, keys))
        edges = np.flatnonzero(np.diff(keys[order])) + 1
        for members in np.split(order, edges):
            for found in _candidates(members, hashes, means, band):
                # Where everything looks alike, most pairs are joined by now.
                pairs = found[:, group[found[0]] != group[found[1]]]
                compared += pairs.shape[1]
                # Means of rows never differ by more than what they are means of.
                pairs = pairs[:, _distance(rows, pairs) <= MAX_DIFFERENCE]
                near.append(pairs[:, _distance(thumbs, chosen[pairs]) <= MAX_DIFFERENCE])
                if compared > count:  # joining costs about as much as this many comparisons
                    group, compared = _joined(group, near), 0
                    near.clear()
    return _alike(_joined(group, near))


def _joined(group: np.ndarray, pairs: Sequence[np.ndarray]) -> np.ndarray:
    """Number (N,) of each picture's group, after joining the groups of pairs (2, n)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = group[np.concatenate([np.zeros((2, 0), np.intp), *pairs], axis=1)]
    size = len(group)
    graph = coo_array((np.ones(edges.shape[1], bool), (edges[0], edges[1])), (size, size))
    return connected_components(graph, directed=False)[1][group]


def _band(hashes: np.ndarray, band: int) -> np.ndarray:
    return (hashes >> np.uint64(band * 64 // _BANDS)) & np.uint64(2 ** (64 // _BANDS) - 1)


def _candidates(
    members: np.ndarray, hashes: np.ndarray, means: np.ndarray, band: int
) -> Iterator[np.ndarray]:
    """Pairs (2, n) of a bucket, sorted by brightness, whose hashes agree; each in one band only."""
    ends = np.searchsorted(means[members], means[members] + MAX_SHIFT, side="right")
    ends = np.minimum(ends, np.arange(len(members)) + 1 + _WINDOW)
    for start in range(0, len(members) - 1, _BLOCK):
        rows = members[start : start + _BLOCK]
        columns = members[start : int(ends[start : start + _BLOCK].max())]
        bits = np.bitwise_count(hashes[rows][:, None] ^ hashes[columns][None, :])
        first, second = np.nonzero(bits <= MAX_BITS)
        new = (second > first) & (start + second < ends[start + first])
        pairs = np.stack([rows[first[new]], columns[second[new]]])
        for earlier in range(band):
            keys = _band(hashes[pairs], earlier)
            pairs = pairs[:, keys[0] != keys[1]]
        for low in range(0, pairs.shape[1], _BLOCK):
            yield pairs[:, low : low + _BLOCK]


def _distance(values: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Root mean square difference (n,) of pairs (2, n) of rows; thumbnails are normalised."""
    left, right = values[pairs[0]], values[pairs[1]]
    if values.dtype == np.uint8:
        left, right = _normalised(left), _normalised(right)
    step = (left - right).reshape(pairs.shape[1], math.prod(left.shape[1:]))
    return np.sqrt((step * step).mean(axis=1))


def _normalised(thumbs: np.ndarray) -> np.ndarray:
    """float32 (N, 16, 54): of mean 0 and, unless there is next to none, of equal contrast."""
    flat = thumbs.reshape(len(thumbs), THUMB[0], 3 * THUMB[1]).astype(np.float32)
    flat -= flat.mean(axis=(1, 2), keepdims=True)
    return flat * (_CONTRAST / (flat.std(axis=(1, 2), keepdims=True) + _LEAST_CONTRAST))
