"""The main colour of a picture, as a word.

K-means in OKLab (Ottosson 2020) groups a picture's pixels into a few patches of colour. Each patch
gets the name of the nearest prototype, and a score for being large, central and vivid. Patches
along the border score less, and so do green, black and brown, which are mostly leaves, shade and
earth. The name with the highest score wins. With a mask of the subject, only its pixels count.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from latentbloom.data.pixels import fit_square, with_channels

COLOURS = (
    *("red", "orange", "yellow", "green", "blue"),
    *("purple", "pink", "brown", "white", "black"),
)
"""All names; grey counts as white or black, whichever is nearer."""

RECIPE = 2
"""To be increased whenever pictures might get other names: stored colours are then not used."""

SIDE = 32
"""Side, in pixels, to which a picture is scaled first."""

_PATCHES = 7
_ROUNDS = 8
_LEAST_MASK = 16
"""A mask of fewer pixels is ignored."""

_PROTOTYPES: dict[str, tuple[str, ...]] = {
    "red": ("e5191f", "c1121f", "8f0f1e", "5f0a12", "e23a3a", "c9303b", "f04030"),
    "orange": ("ff7f0e", "f59a1b", "e8651a", "ff9b45", "c96a12", "f2a65e", "d9480f"),
    "yellow": (
        *("ffe119", "fcd116", "f7c600", "e0b50f", "fff176", "b8960c", "8f7a10", "dca61e"),
        *("fbb917", "f3e9a0"),
    ),
    "green": (
        *("2e8b2e", "4f7a28", "6b8e23", "1f4d1f", "8fbf5a", "2f4f2f", "5c6b3a", "a9c27a"),
        *("7f9a6a", "3a4a2a"),
    ),
    "blue": ("1f4fd8", "4a90e2", "8ab8ee", "1b2f6b", "5b7fc7", "2a6f97", "38b6d9"),
    "purple": (
        *("7b2fbe", "9b5fd0", "5a1a6e", "8a1f7a", "b38be0", "6a4fb3", "4a1238", "d3c6f0"),
        "a79dcc",
    ),
    "pink": (
        *("f48fb1", "ff69b4", "e85d9c", "f7b6c8", "d6618f", "ee8a94", "c97a95", "d81b72"),
        *("b03068", "a8506a", "f27d88", "f5758a", "cb97c2", "d9b9d2", "ab89a1", "f6d1e9"),
    ),
    "brown": ("7b4a1e", "5c3a1a", "8b5a2b", "3f2a18", "a57a50", "7a5c3e", "9a7658"),
    "white": ("ffffff", "e6e6e6", "cccccc", "a8a8a8", "8c8c8c", "f2ead2", "e3e8f2", "e9dfe2"),
    "black": ("000000", "1c1c1c", "333333", "4d4d4d", "606060", "20241c", "1a1410"),
}
_OFTEN_BACKGROUND = ("green", "blue", "brown", "black")
_BACKGROUND_WORTH = 0.1
_BORDER_COSTS = 2.5
_VIVID_CHROMA = 0.15
_WHITE_PETALS = 0.2
_HEART_RADIUS = 0.4
"""Yellow about the middle of so much white is the heart of a white flower, and worth half."""

_GREY = (0.55, 0.85, 0.3)
"""White is worth the last number at the first OKLab lightness, and everything at the second."""

_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_CLUSTER_LIGHTNESS = np.array([0.7, 1.0, 1.0])
_NAME_LIGHTNESS = np.array([0.6, 1.0, 1.0])
_CONTRAST_LIGHTNESS = np.array([0.4, 1.0, 1.0])
"""Light and shade on a petal matter less than its hue."""


def oklab(pixels: np.ndarray) -> np.ndarray:
    """SRGB to OKLab, https://bottosson.github.io/posts/oklab.

    Arguments:
        pixels: uint8 (..., 3).

    Returns:
        float64 (..., 3): lightness in [0, 1], and two axes of colour about [-0.4, 0.4].
    """
    return np.cbrt(_linear()[pixels] @ _TO_LMS.T) @ _TO_LAB.T


def colour_of(pixels: np.ndarray, mask: np.ndarray | None = None) -> str:
    """The colour of what a picture shows.

    Arguments:
        pixels: uint8 (H, W, C), C in {1, 3}. Its central square is scaled to 32 x 32, so that
            a thumbnail gets the same name as its picture.
        mask: bool (H, W): where the subject is; None if unknown.

    Returns:
        One of `COLOURS`; a grey picture is white or black.
    """
    points = colour_points(pixels, mask)
    return COLOURS[int(points.argmax())]


def colour_points(pixels: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """The score of each colour; arguments as in `colour_of`.

    Returns:
        float64 (10,) in the order of `COLOURS`, not negative.
    """
    square = with_channels(fit_square(pixels, SIDE), 3)
    lab = oklab(square.reshape(-1, 3))
    centre, radius, border = _places()
    subject = None if mask is None else _subject(mask)
    if subject is not None:
        count = int(subject.sum())
        lab, radius, centre, border = lab[subject], radius[subject], np.full(count, 1 / count), None
    patches, means = _patches(lab, centre)
    share = np.bincount(patches, centre, len(means))
    vivid = np.hypot(means[:, 1], means[:, 2]) / _VIVID_CHROMA
    names = _names(means)
    white = names == COLOURS.index("white")
    dim, bright, worth = _GREY
    whiteness = worth + (1.0 - worth) * np.clip((means[:, 0] - dim) / (bright - dim), 0.0, 1.0)
    share = share * np.where(white, whiteness, 1.0)
    points = share * (1.0 + 0.5 * vivid)
    if border is not None:
        along = np.bincount(patches[border], minlength=len(means)) / border.sum()
        points *= np.exp(-_BORDER_COSTS * along / (along + share))
        points *= _contrast(means, along)
        points *= np.where(_indices(_OFTEN_BACKGROUND, names), _BACKGROUND_WORTH, 1.0)
    if share[white].sum() > _WHITE_PETALS:
        heart = _indices(("yellow", "orange"), names)
        where = np.bincount(patches, centre * radius) / np.bincount(patches, centre)
        points *= np.where(heart & (where < _HEART_RADIUS), 0.5, 1.0)
    return np.bincount(names, points, len(COLOURS))


def _patches(lab: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which patch each pixel belongs to, and the patches' mean OKLab."""
    import sklearn
    from sklearn.cluster import KMeans

    x = lab * _CLUSTER_LIGHTNESS
    weights = weights + weights.mean()
    seeds = _seeds(x, weights)
    if len(seeds) > 1:
        with sklearn.config_context(assume_finite=True):
            fitted = KMeans(len(seeds), init=seeds, n_init=1, max_iter=_ROUNDS, tol=0.0).fit(
                x, sample_weight=weights
            )
        patches = np.unique(fitted.labels_, return_inverse=True)[1]
    else:
        patches = np.zeros(len(x), np.int64)
    total = np.bincount(patches, weights)
    means = [np.bincount(patches, weights * lab[:, axis]) / total for axis in range(3)]
    return patches, np.stack(means, axis=1)


def _contrast(means: np.ndarray, along: np.ndarray) -> np.ndarray:
    """How unlike the border each patch is: its mean distance in OKLab from what lies there."""
    apart = (means[:, None] - means[None]) * _CONTRAST_LIGHTNESS
    return np.sqrt((apart**2).sum(axis=2)) @ along + 0.02


def _seeds(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Where k-means starts: the mean colour, then always the one farthest from those before.

    There is no randomness, so that a picture always gets the same name.
    """
    middle = np.average(x, axis=0, weights=weights)
    seeds = [x[((x - middle) ** 2).sum(axis=1).argmin()]]
    distance = ((x - seeds[0]) ** 2).sum(axis=1)
    while len(seeds) < _PATCHES and distance.max() > 1e-6:
        seeds.append(x[(distance * weights).argmax()])
        distance = np.minimum(distance, ((x - seeds[-1]) ** 2).sum(axis=1))
    return np.array(seeds)


def _names(means: np.ndarray) -> np.ndarray:
    """Index in `COLOURS` of the nearest prototype of each OKLab colour (n, 3)."""
    names, prototypes = _prototypes()
    apart = ((means[:, None] - prototypes) * _NAME_LIGHTNESS) ** 2
    return names[apart.sum(axis=2).argmin(axis=1)]


def _indices(words: tuple[str, ...], names: np.ndarray) -> np.ndarray:
    """Which of the indices in `COLOURS` are those of these words."""
    return np.isin(names, [COLOURS.index(word) for word in words])


def _subject(mask: np.ndarray) -> np.ndarray | None:
    """Bool (32 * 32,), or None if next to nothing is marked."""
    grey = mask.astype(np.uint8)[..., None] * np.uint8(255)
    inside = fit_square(grey, SIDE).ravel() > 127
    return inside if inside.sum() >= _LEAST_MASK else None


@cache
def _linear() -> np.ndarray:
    """The light of each byte, in [0, 1]."""
    c = np.arange(256) / 255.0
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


@cache
def _prototypes() -> tuple[np.ndarray, np.ndarray]:
    names = [COLOURS.index(name) for name, codes in _PROTOTYPES.items() for _ in codes]
    codes = [bytes.fromhex(code) for codes in _PROTOTYPES.values() for code in codes]
    return np.array(names), oklab(np.array([list(code) for code in codes], np.uint8))


@cache
def _places() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pixels' weights, highest in the middle and in all 1; distances; and which are border."""
    axis = (np.arange(SIDE) + 0.5) / SIDE * 2.0 - 1.0
    radius = np.hypot(axis[:, None], axis[None])
    weights = np.exp(-((radius / 0.8) ** 4))
    border = np.maximum(abs(axis[:, None]), abs(axis[None])) > 1.0 - 0.125
    return (weights / weights.sum()).ravel(), radius.ravel(), border.ravel()
