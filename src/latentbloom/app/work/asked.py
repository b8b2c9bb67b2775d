"""What is asked for, in the words of the API. Needs no PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Near:
    """Noise near that of one picture.

    Attributes:
        index: The picture's number under the same seed.
        distance: 0 its own noise, 1 another one altogether.
    """

    index: int
    distance: float


@dataclass(frozen=True)
class Place:
    """Where on the map.

    Attributes:
        point: The number of a picture on the map; or None.
        map: Name of a map, and
        x: 0 (left) to 1000 (right),
        y: 0 (top) to 1000 (bottom) on it.
        z: Or the latent itself, flat.
    """

    point: int | None = None
    map: str | None = None
    x: float = 0.0
    y: float = 0.0
    z: Sequence[float] | None = None
