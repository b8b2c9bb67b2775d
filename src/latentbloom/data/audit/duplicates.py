"""Pictures that are there twice: exactly, or nearly so.

Exact twins have the same decoded pixels. Near ones (resized, recompressed, a bit brighter or
harder) have difference hashes at a small Hamming distance and thumbnails that agree up to
brightness and contrast: the hash finds the candidates without comparing everything with
everything, the thumbnail keeps apart what only looks alike in outline, such as two portraits
of one person.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

THUMB = (16, 18)
"""Height and width of a thumbnail, in pixels: 864 bytes a picture are kept in memory."""

MAX_BITS = 5
"""Largest Hamming distance between the 64-bit hashes of near twins.

Up to 3 are found for certain, 4 and 5 nearly always: see `near_groups`.
"""

MAX_DIFFERENCE = 12.0
"""Largest root mean square difference of near twins' thumbnails at a contrast of 50 levels.

On 10,532 aligned portraits true pairs lay below 9.4, other pairs above 16.6.
"""

MAX_SHIFT = 16.0
"""Largest difference of near twins' mean brightness, in levels of 255."""

_CONTRAST, _LEAST_CONTRAST = 50.0, 8.0
_BANDS = 4
_DEAD_BAND = 2
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
    """64 bits a picture: whether each pixel is clearly brighter than its right neighbour.

    "Clearly" is more than two levels, so that noise in flat areas sets no bits.

    Arguments:
        thumbs: uint8 (N, 16, 18, 3); 2 x 2 of their pixels make one that is compared.

    Returns:
        uint64 (N,).
    """
    if len(thumbs) == 0:
        return np.zeros(0, np.uint64)
    sums = thumbs.sum(axis=-1, dtype=np.int16)
    sums = sums.reshape(len(thumbs), THUMB[0] // 2, 2, THUMB[1] // 2, 2).sum(axis=(2, 4))
    bits = (sums[:, :, :-1] - sums[:, :, 1:]) > 3 * 4 * _DEAD_BAND
    return np.packbits(bits.reshape(len(thumbs), 64), axis=1).view(np.uint64).ravel()


def exact_groups(digests: Sequence[bytes]) -> list[list[int]]:
    """Groups of two or more equal digests, as indices, each in order."""
    by_digest: dict[bytes, list[int]] = defaultdict(list)
    for index, value in enumerate(digests):
        by_digest[value].append(index)
    return [group for group in by_digest.values() if len(group) > 1]


def near_groups(thumbs: np.ndarray) -> list[list[int]]:
    """Groups of near twins, as indices, each in order.

    Two hashes that differ in at most 3 of 64 bits agree in at least one of four 16-bit bands
    (with 4 differing bits 9 of 10 pairs do, with 5 3 of 4);
    only pictures that share a band are compared, and of those only the next few hundred in
    order of brightness, which bounds the work when very many pictures look the same. Chains are
    joined: a is in a group with c when both are near b.

    Arguments:
        thumbs: uint8 (N, 16, 18, 3), one a different picture (exact twins left out).
    """
    hashes = difference_hashes(thumbs)
    means = thumbs.reshape(len(thumbs), -1).mean(axis=1)
    rows = np.concatenate(
        [_normalised(thumbs[i : i + _BLOCK]).mean(axis=2) for i in range(0, len(thumbs), _BLOCK)]
        or [np.zeros((0, THUMB[0]))]
    )
    root = np.arange(len(thumbs))
    for band in range(_BANDS):
        keys = _band(hashes, band)
        order = np.lexsort((means, keys))
        edges = np.flatnonzero(np.diff(keys[order])) + 1
        for members in np.split(order, edges):
            for found in _candidates(members, hashes, means, band):
                # Where everything looks alike, most pairs are joined by now.
                pairs = found[:, root[found[0]] != root[found[1]]]
                # Means of rows never differ by more than what they are means of.
                pairs = pairs[:, _distance(rows, pairs) <= MAX_DIFFERENCE]
                pairs = pairs[:, _distance(thumbs, pairs) <= MAX_DIFFERENCE]
                for a, b in pairs.T.tolist():
                    if root[a] != root[b]:
                        root[root == root[b]] = root[a]
    groups: dict[int, list[int]] = defaultdict(list)
    for index, group in enumerate(root.tolist()):
        groups[group].append(index)
    return [group for group in groups.values() if len(group) > 1]


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
