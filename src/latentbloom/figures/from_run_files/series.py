"""The records of metrics.jsonl, sorted into series."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

TITLES = {"vae_gan": "Autoencoder", "diffusion": "Diffusion", "decoder": "Decoder"}
_POSITION = {"kind", "stage", "images", "epoch", "seconds", "progress", "name"}
_ABOUT = {
    "reconstruction": ("reconstruction", "mean absolute error of pixels in [-1, 1]"),
    "perceptual": ("perceptual", "distance of deep features"),
    "kl": ("KL", "nats per latent dimension"),
    "classification": ("classification", "cross-entropy of the labels, nats"),
    "centre": ("attraction", "squared distance to the class centre"),
    "repulsion": ("repulsion", "penalty on class centres that are too close"),
    "spread": ("collapse", "penalty on classes with too little spread"),
    "adversarial": ("adversarial", "lower: the discriminator is fooled"),
    "discriminator": ("discriminator", "1 (bce: 0.69) is guessing, 0 is certain"),
    "discriminator_accuracy": ("discriminator accuracy", "0.5 is guessing"),
    "class_accuracy": ("classifier accuracy", "share of held-out pictures"),
    "nearest_centre_accuracy": ("nearest-centre accuracy", "share of held-out pictures"),
    "psnr": ("PSNR", "decibels, higher is better"),
    "diffusion": ("denoising loss", "mean squared error of the prediction"),
    "train_diffusion": (
        "denoising loss, training pictures",
        "measured as on held-out pictures",
    ),
    "adaptive_weight": ("adaptive weight", "of the adversarial gradient"),
    "average_lag": ("lag of the average", "distance to the weights, relative to them"),
    "lr": ("learning rate", ""),
    "images_per_second": ("speed", "pictures per second"),
}
_RAMPS = {
    "kl": "kl_ramp",
    "classification": "class_ramp",
    "centre": "class_ramp",
    "repulsion": "class_ramp",
    "spread": "class_ramp",
    "adversarial": "adversarial_ramp",
}


@dataclass(frozen=True)
class Series:
    """One loss or score over the course of a stage.

    Attributes:
        name: Its field in metrics.jsonl.
        title: Title of its panel.
        about: Its unit, or how to read it.
        x: Images seen, growing.
        y: Values in training.
        smooth: `y` smoothed, each phase separately.
        val_x: Images seen at validations.
        val_y: Values on held-out pictures.
        log: Whether a logarithmic axis suits it better.
        ramp: (M, 2), rows (images seen, share of the full weight), for a loss with a warm-up.
    """

    name: str
    title: str
    about: str
    x: Numbers
    y: Numbers
    smooth: Numbers
    val_x: Numbers
    val_y: Numbers
    log: bool
    ramp: Numbers = field(default_factory=lambda: np.empty((0, 2)))


@dataclass(frozen=True)
class StageCurves:
    """All series of a stage, and where its phases start.

    Attributes:
        stage: "vae_gan", "diffusion" or "decoder".
        series: In a fixed order, losses first.
        phases: (name, images seen at its start), growing.
        end: Images seen at the last record.
        epochs_per_image: Epochs per image seen, for an axis in epochs; 0 when unknown.
    """

    stage: str
    series: tuple[Series, ...]
    phases: tuple[tuple[str, float], ...]
    end: float
    epochs_per_image: float


def stage_curves(metrics: Sequence[Mapping[str, Any]], stage: str) -> StageCurves:
    """Sort the records of one stage into series.

    Arguments:
        metrics: Records of metrics.jsonl.
        stage: "vae_gan", "diffusion" or "decoder".

    Returns:
        The curves; `series` is empty when the stage has not started.
    """
    mine = [m for m in metrics if m.get("stage") == stage and _is_number(m.get("images"))]
    phases: dict[str, float] = {}
    for m in mine:
        if m.get("kind") == "phase":
            phases.setdefault(str(m.get("name", "")), float(m["images"]))
    points: dict[str, dict[str, list[tuple[float, float]]]] = {"train": {}, "val": {}}
    for m in mine:
        kind = points.get(str(m.get("kind")), {})
        for name, value in m.items():
            if name not in _POSITION and _is_number(value):
                kind.setdefault(name, []).append((float(m["images"]), float(value)))
    names = {**points["train"], **points["val"]}
    order = [n for n in _ABOUT if n in names] + sorted(n for n in names if n not in _ABOUT)
    starts = tuple(sorted(phases.items(), key=lambda p: p[1]))
    bounds = [start for _, start in starts]
    train, val = points["train"], points["val"]
    series = tuple(
        replace(
            _series(n, train.get(n, []), val.get(n, []), bounds),
            ramp=np.stack(_columns(train.get(_RAMPS.get(n, ""), [])), axis=1),
        )
        for n in order
        if n not in _RAMPS.values()
    )
    end = max((float(m["images"]) for m in mine), default=0.0)
    epochs = [m["epoch"] / m["images"] for m in mine if _is_number(m.get("epoch")) and m["images"]]
    return StageCurves(stage, series, starts, end, float(epochs[-1]) if epochs else 0.0)


def _series(
    name: str,
    train: list[tuple[float, float]],
    val: list[tuple[float, float]],
    bounds: list[float],
) -> Series:
    x, y = _columns(train)
    val_x, val_y = _columns(val)
    title, about = _ABOUT.get(name, (name.replace("_", " "), ""))
    both = y if name == "lr" else smoothed(x, y, bounds)
    level = np.concatenate([both, val_y])
    wide = len(level) > 1 and level.min() > 0 and level.max() / level.min() > 15
    return Series(name, title, about, x, y, both, val_x, val_y, wide and name != "lr")


def _columns(points: list[tuple[float, float]]) -> tuple[Numbers, Numbers]:
    # The last value counts where a resumed run has written a record twice.
    table = np.array(sorted(dict(points).items()), np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def smoothed(
    x: Numbers, y: Numbers, bounds: Sequence[float] = (), *, share: float = 0.02
) -> Numbers:
    """Gaussian mean over `share` of the points, never across a phase boundary.

    Arguments:
        x: Places (N,), growing.
        y: Values (N,).
        bounds: Places that no mean may reach across.
        share: Standard deviation of the kernel, as a share of N.

    Returns:
        Values (N,).
    """
    width = max(1.0, share * len(y))
    reach = int(3 * width)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    out = np.empty_like(y)
    cuts = sorted({0, len(y), *(int(np.searchsorted(x, b)) for b in bounds)})
    for start, stop in itertools.pairwise(cuts):
        part = y[start:stop]
        weight = np.convolve(np.ones_like(part), kernel)[reach : reach + len(part)]
        out[start:stop] = np.convolve(part, kernel)[reach : reach + len(part)] / weight
    return out


def frame(one: Series) -> tuple[float, float]:
    """Range of y that holds the smooth line, the points and all but 2% of the raw values.

    A share always has the range from 0 to 1.
    """
    if not len(one.y) + len(one.val_y):
        return 0.0, 1.0
    if one.about.startswith("share"):
        return -0.02, 1.04
    inner = np.quantile(one.y, [0.01, 0.99]) if len(one.y) else one.val_y
    known = np.concatenate([inner, one.smooth, one.val_y])
    low, high = float(known.min()), float(known.max())
    if high == low:
        return min(0.0, 2.0 * low), max(0.0, 2.0 * high) or 1.0
    pad = 0.06 * (high - low)
    return low - pad, high + pad


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value)
