"""Oxford's lists of the 102 flowers: MATLAB files with the splits and the labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from latentbloom.data.sources.base import SetAside, refuse_odd
from latentbloom.data.sources.options import Official
from latentbloom.errors import SourceError

PAGE = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/"

_KEYS: dict[Official, str] = {"train": "trnid", "val": "valid", "test": "tstid"}


def species_names() -> tuple[str, ...]:
    """The 102 names in the order of their numbers, as torchvision lists them."""
    from torchvision.datasets import Flowers102

    return tuple(name.rstrip("?") for name in Flowers102.classes)  # one is marked as doubtful


def _read_mat(path: Path, key: str) -> np.ndarray:
    """An array of integers from a MATLAB file.

    Raises:
        SourceError: It cannot be read, or has no such list.
    """
    from scipy.io import loadmat

    refuse_odd(path)
    try:
        content = loadmat(path)
    # A file that is cut short or no MATLAB file makes scipy raise nearly anything: zlib.error,
    # MatReadError, TypeError, ValueError, EOFError. All mean the same to a reader.
    except Exception as error:
        raise SourceError(
            f"{path} cannot be read as a MATLAB file ({' '.join(str(error).split())}): it is cut "
            f"short or another file. Delete it and download it again from {PAGE}"
        ) from error
    values = content.get(key)
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iuf" or values.size == 0:
        there = ", ".join(name for name in content if not name.startswith("__")) or "nothing"
        raise SourceError(
            f"{path} has no list of numbers '{key}'; it holds {there}. Download it "
            f"again from {PAGE}"
        )
    return values.ravel().astype(np.int64)


def read_labels(path: Path) -> np.ndarray:
    """int64 (N,): the number of each picture's species, from 1, in the order of the pictures.

    Raises:
        SourceError: As `read_splits`.
    """
    return _read_mat(path, "labels")


def read_splits(path: Path) -> dict[str, Official]:
    """The published split by name of the picture.

    Raises:
        SourceError: The file cannot be read, or has no such list.
    """
    official: dict[str, Official] = {}
    for split, key in _KEYS.items():
        for number in _read_mat(path, key).tolist():
            official.setdefault(f"image_{number:05d}.jpg", split)
    return dict(sorted(official.items()))


def number_of(name: str) -> int:
    """The number in the name of a picture, from 1."""
    return int(name.removeprefix("image_").removesuffix(".jpg"))


def labelled(
    found: dict[str, Path], labels: np.ndarray, base: Path
) -> tuple[dict[str, Path], list[SetAside]]:
    """Pictures that have a number of a species."""
    count = len(species_names())
    kept, aside = {}, []
    for name, path in found.items():
        place = number_of(name) - 1
        if place >= len(labels):
            reason = f"imagelabels.mat ends after {len(labels):,} labels"
        elif not 1 <= labels[place] <= count:
            reason = f"imagelabels.mat gives it the species {labels[place]}; known are 1 to {count}"
        else:
            kept[name] = path
            continue
        aside.append(SetAside(name, reason))
    if not kept and aside:
        raise SourceError(f"{base / 'imagelabels.mat'} labels no picture: {aside[0].reason}.")
    return kept, aside
