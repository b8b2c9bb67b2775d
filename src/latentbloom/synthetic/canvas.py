"""A small antialiased renderer on numpy: signed distances, coverage, soft backgrounds.

Coordinates run from -1 (left, top) to 1 (right, bottom) whatever the size in pixels, so that a
scene is the same at every size. Distances are negative inside a shape. Colours are float32
RGB in [0, 1], held as planes (3, H, W).
"""

from __future__ import annotations

import colorsys
from functools import lru_cache

import numpy as np

Array = np.ndarray
Rng = np.random.Generator
TAU = 2.0 * np.pi
_F = np.float32
_ZERO, _HALF, _ONE = _F(0.0), _F(0.5), _F(1.0)


@lru_cache(maxsize=8)
def _grid(size: int) -> tuple[Array, Array]:
    """Centres of the pixels, across and down, each (size, size)."""
    ticks = ((np.arange(size) + 0.5) * (2.0 / size) - 1.0).astype(_F)
    x, y = np.meshgrid(ticks, ticks)
    x.setflags(write=False)
    y.setflags(write=False)
    return x, y


@lru_cache(maxsize=512)
def _enlarge(count: int, size: int) -> Array:
    """Matrix (size, count) of bicubic interpolation from `count` values to `size`."""
    from PIL import Image

    unit = Image.fromarray(np.eye(count, dtype=_F))
    return np.array(unit.resize((count, size), Image.Resampling.BICUBIC))


class Patch:
    """A rectangle of a canvas: where its pixels are, and their colours as a view.

    Arguments:
        x: Across, (H, W), float32.
        y: Down, (H, W), float32.
        rgb: (3, H, W), float32, written through.
        pixel: Width of a pixel in the same unit as x and y.
    """

    __slots__ = ("pixel", "rgb", "x", "y")

    def __init__(self, x: Array, y: Array, rgb: Array, pixel: float) -> None:
        self.x, self.y, self.rgb, self.pixel = x, y, rgb, pixel

    def cover(self, distance: Array, *, soft: float = 0.0) -> Array:
        """Share of each pixel inside a shape, in [0, 1]; `soft` blurs the edge by that width."""
        cover = distance * _F(-1.0 / (self.pixel + soft))
        cover += _HALF
        np.maximum(cover, _ZERO, out=cover)  # np.clip costs three times as much on small arrays
        return np.minimum(cover, _ONE, out=cover)

    def paint(self, cover: Array | float, colour: Array) -> None:
        """Blend a colour (3,) or planes of colour (3, H, W) over what is there."""
        if colour.ndim == 1:
            colour = colour[:, None, None]
        step = colour - self.rgb
        step *= cover
        self.rgb += step

    def shade(self, cover: Array, factor: float) -> None:
        """Multiply the brightness by `factor` where covered."""
        self.rgb *= 1.0 + cover * _F(factor - 1.0)

    def noise(self, rng: np.random.Generator, rows: int, columns: int) -> Array:
        """Smooth noise (H, W) in about [-1, 1] with that many bumps down and across."""
        cells = rng.uniform(-1.0, 1.0, (rows, columns)).astype(_F)
        height, width = self.x.shape
        return _enlarge(rows, height) @ cells @ _enlarge(columns, width).T


class Canvas(Patch):
    """A square picture under construction.

    Arguments:
        size: Side, in pixels.
    """

    __slots__ = ("size",)

    def __init__(self, size: int) -> None:
        x, y = _grid(size)
        super().__init__(x, y, np.zeros((3, size, size), _F), 2.0 / size)
        self.size = size

    def near(self, x: float, y: float, reach_x: float, reach_y: float | None = None) -> Patch:
        """The part around a point: rendering a small feature there alone costs little."""
        return self.cut(*self.window(x, y, reach_x, reach_x if reach_y is None else reach_y))

    def window(self, x: float, y: float, reach_x: float, reach_y: float) -> tuple[slice, slice]:
        """Rows and columns around a point; never empty."""
        return self._span(y, reach_y), self._span(x, reach_x)

    def cut(self, rows: slice, columns: slice) -> Patch:
        """The part in these rows and columns."""
        at = (rows, columns)
        return Patch(self.x[at], self.y[at], self.rgb[:, rows, columns], self.pixel)

    def _span(self, middle: float, reach: float) -> slice:
        low = int((middle - reach + 1.0) / self.pixel) - 1
        high = int((middle + reach + 1.0) / self.pixel) + 2
        low = min(max(low, 0), self.size - 1)
        return slice(low, min(max(high, low + 1), self.size))

    def to_bytes(self) -> Array:
        """uint8 (H, W, 3)."""
        scaled = self.rgb * _F(255.0) + _F(0.5)
        return np.clip(scaled, 0.0, 255.0).astype(np.uint8).transpose(1, 2, 0).copy()


def hsv(hue: float, saturation: float, value: float) -> Array:
    """A colour (3,) from hue in degrees, saturation and value in [0, 1] (clipped)."""
    s, v = min(max(saturation, 0.0), 1.0), min(max(value, 0.0), 1.0)
    return np.array(colorsys.hsv_to_rgb(hue / 360.0 % 1.0, s, v), _F)


def mix(low: Array, high: Array, amount: Array | float) -> Array:
    """Planes (3, H, W) from `low` where amount is 0 to `high` where it is 1."""
    step = (high - low).astype(_F)
    if isinstance(amount, np.ndarray):
        return low[:, None, None] + step[:, None, None] * amount
    return low + step * _F(amount)


def turn(x: Array, y: Array, angle: float) -> tuple[Array, Array]:
    """Coordinates in a frame that is turned by `angle` (radians, clockwise on the screen)."""
    c, s = _F(np.cos(angle)), _F(np.sin(angle))
    return x * c + y * s, y * c - x * s


def ellipse(x: Array, y: Array, width: float, height: float) -> Array:
    """Distance to an ellipse of these half axes around the origin (first order at the rim)."""
    u, v = x * _F(1.0 / width), y * _F(1.0 / height)
    k0 = np.sqrt(u * u + v * v)
    u *= _F(1.0 / width)
    v *= _F(1.0 / height)
    k1 = np.sqrt(u * u + v * v)
    k1 += _F(1e-6)
    return k0 * (k0 - _F(1.0)) / k1


def capsule(x: Array, y: Array, ax: float, ay: float, bx: float, by: float, radius: float) -> Array:
    """Distance to a line from a to b that is `radius` thick on either side."""
    dx, dy = bx - ax, by - ay
    px, py = x - _F(ax), y - _F(ay)
    along = (px * _F(dx) + py * _F(dy)) * _F(1.0 / (dx * dx + dy * dy + 1e-9))
    along = np.minimum(np.maximum(along, _ZERO), _ONE)
    px -= along * _F(dx)
    py -= along * _F(dy)
    return np.sqrt(px * px + py * py) - _F(radius)


def box(x: Array, y: Array, width: float, height: float, corner: float) -> Array:
    """Distance to a rounded rectangle of these half sides around the origin."""
    qx = np.abs(x) - _F(width - corner)
    qy = np.abs(y) - _F(height - corner)
    outside = np.sqrt(np.maximum(qx, 0.0) ** 2 + np.maximum(qy, 0.0) ** 2)
    return outside + np.minimum(np.maximum(qx, qy), 0.0) - _F(corner)


def blade(
    along: Array, across: Array, length: Array | float, width: Array | float, shape: str
) -> tuple[Array, Array]:
    """Distance to a petal or leaf that grows from the origin, and the place along it.

    Arguments:
        along: Coordinate along its axis, (H, W).
        across: Coordinate across it, (H, W).
        length: Its length; per pixel where petals are folded onto each other.
        width: Half of its greatest width.
        shape: "strap" (even, rounded tip), "lens" (both ends pointed), "egg" (round base,
            pointed tip), "drop" (pointed base, round tip), "oval".

    Returns:
        The distance, and t in [0, 1] from base to tip.
    """
    t = np.minimum(np.maximum(along / length, _F(1e-4)), _F(0.9999))
    rest = _ONE - t
    if shape == "strap":
        half = np.sqrt(np.sqrt(t) * (_F(1.0) - (t * t) ** 4))
    elif shape == "lens":
        half = _F(4.0) * t * rest
    elif shape == "egg":
        half = np.sqrt(t) * rest * _F(2.598)
    elif shape == "drop":
        half = t * np.sqrt(rest) * _F(2.598)
    else:
        half = _F(2.0) * np.sqrt(t * rest)
    beyond = np.maximum(along - length, _F(0.0)) + np.maximum(-along, _F(0.0))
    return np.abs(across) - half * width + beyond, t
