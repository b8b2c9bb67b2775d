"""Parts of all flowers: colours of petals, the flower's coordinates, whorls, the middle."""

from __future__ import annotations

import numpy as np

from latentbloom.synthetic.canvas import TAU, Array, Canvas, Rng, blade, hsv, mix, turn

COLOURS = ("orange", "pink", "purple", "red", "white", "yellow")

_F = np.float32

# Hue in degrees, saturation and value in [0, 1], each as (lowest, highest).
_RANGES = {
    "red": ((350.0, 364.0), (0.82, 0.95), (0.70, 0.90)),
    "orange": ((20.0, 30.0), (0.85, 0.98), (0.93, 1.00)),
    "yellow": ((48.0, 56.0), (0.72, 0.95), (0.94, 1.00)),
    "pink": ((322.0, 344.0), (0.34, 0.52), (0.93, 1.00)),
    "purple": ((262.0, 284.0), (0.50, 0.75), (0.58, 0.80)),
    "white": ((30.0, 70.0), (0.00, 0.05), (0.95, 1.00)),
}


class Petals:
    """The two ends of a flower's colour: in the folds, and where light falls."""

    def __init__(self, rng: Rng, colour: str) -> None:
        h, s, v = (rng.uniform(*r) for r in _RANGES[colour])
        if colour == "white":
            tint = rng.choice([50.0, 90.0, 220.0, 330.0])
            self.deep = hsv(tint, 0.10, 0.70)
        else:
            away = {"yellow": -14.0, "orange": -10.0}.get(colour, -4.0)
            self.deep = hsv(h + away, min(1.0, s * 1.15), v * 0.56)
        self.light = hsv(h, s * 0.80, min(1.0, v * 1.08))

    def at(self, brightness: Array) -> Array:
        """Planes of colour; 0 is the fold, 1 the light, a little beyond is allowed."""
        return mix(self.deep, self.light, brightness)


class Bloom:
    """The flower's own frame on the canvas: centred, tilted, of radius 1."""

    def __init__(
        self, canvas: Canvas, x: float, y: float, radius: float, tilt: float, axis: float
    ) -> None:
        self._where = (canvas, x, y, radius, tilt, axis)
        self.radius = radius
        self.light = 0.0
        self._look(1.06)

    def _look(self, reach: float) -> None:
        """Set up the coordinates of the part of the canvas that the flower can touch."""
        canvas, x, y, radius, tilt, axis = self._where
        self.patch = canvas.near(x, y, radius * reach)
        u, v = turn(self.patch.x - _F(x), self.patch.y - _F(y), axis)
        self.x, self.y = turn(u * _F(1 / radius), v * _F(1 / (radius * tilt)), -axis)
        self.rho = np.sqrt(self.x * self.x + self.y * self.y)

    def heart(self, reach: float) -> Bloom:
        """The same frame on the middle part alone, for small things."""
        inner = Bloom.__new__(Bloom)
        inner._where, inner.radius, inner.light = self._where, self.radius, self.light
        inner._look(reach)
        return inner

    def theta(self) -> Array:
        """Angle of each pixel, in [-pi, pi]."""
        return np.arctan2(self.y, self.x)

    def lit(self) -> Array:
        """How much each place faces the light, from the flower's middle: in [-1, 1]."""
        return self.x * _F(np.cos(self.light)) + self.y * _F(np.sin(self.light))

    def cover(self, distance: Array, soft: float = 0.0) -> Array:
        """Coverage from a distance in the flower's unit."""
        return self.patch.cover(distance * _F(self.radius), soft=soft)

    def paint(self, cover: Array, colour: Array) -> None:
        """Blend a colour over what is there."""
        self.patch.paint(cover, colour)

    def shadow(self, distance: Array, soft: float, factor: float) -> None:
        """Darken around a shape, `soft` wide in the flower's unit."""
        self.patch.shade(self.cover(distance, soft=soft * self.radius), factor)


def ring(
    bloom: Bloom,
    rng: Rng,
    petals: Petals,
    theta: Array,
    *,
    count: int,
    length: float,
    width: float,
    shape: str,
    dim: float = 0.0,
) -> None:
    """A whorl of narrow petals, each a bit different, rendered at once by folding the angle."""
    step = TAU / count
    turned = (theta + _F(rng.uniform(0.0, TAU))) * _F(1.0 / step)
    index = np.floor(turned)
    which = index.astype(np.int16) % count
    lengths = (length * rng.uniform(0.86, 1.04, count)).astype(_F)[which]
    widths = (width * rng.uniform(0.85, 1.1, count)).astype(_F)[which]
    shifts = (rng.uniform(-0.12, 0.12, count) + 0.5).astype(_F)[which]
    shades = rng.uniform(-0.14, 0.14, count).astype(_F)[which]
    angle = (turned - index - shifts) * _F(step)
    along = bloom.rho * np.cos(angle)
    across = bloom.rho * np.sin(angle)
    distance, t = blade(along, across, lengths, widths, shape)
    rib = across / widths
    brightness = 0.45 + 0.5 * t + shades - 0.22 * rib * rib + 0.12 * np.cos(rib * _F(5.0)) - dim
    bloom.paint(bloom.cover(distance), petals.at(brightness))


def disc(bloom: Bloom, radius: float, dark: Array, light: Array, grain: Array) -> None:
    """The middle of a composite flower: a dome with a grain."""
    inside = bloom.rho * _F(1.0 / radius)
    dome = np.sqrt(np.maximum(_F(1.0) - inside * inside, 0.0))
    brightness = 0.25 + 0.5 * dome + 0.25 * bloom.lit() / radius + grain
    bloom.paint(bloom.cover(bloom.rho - _F(radius)), mix(dark, light, brightness))


def under(bloom: Bloom, reach: float, strength: float = 0.3) -> None:
    """A soft shadow behind the flower lifts it from the ground."""
    bloom.shadow(bloom.rho - _F(reach), 0.45, 1.0 - strength)
