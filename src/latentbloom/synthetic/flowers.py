"""A rendered flower in its surroundings."""

from __future__ import annotations

import numpy as np

from latentbloom.synthetic.bloom import COLOURS, Bloom, Petals
from latentbloom.synthetic.canvas import TAU, Array, Canvas, Rng, blade, ellipse, hsv, mix, turn
from latentbloom.synthetic.species import HEADS

__all__ = ["COLOURS", "SPECIES", "render_flower"]

SPECIES = tuple(sorted(HEADS))

_F = np.float32


def _ground(canvas: Canvas, rng: Rng) -> None:
    """A soft surrounding: meadow, sky over grass, shade with spots of light, or a plain wall."""
    kind = rng.integers(4)
    if kind == 0:  # meadow, close
        top, low = hsv(rng.uniform(75, 130), 0.5, 0.62), hsv(rng.uniform(80, 140), 0.65, 0.30)
        blades = canvas.noise(rng, 4, 26) * (_F(0.22) + 0.12 * canvas.noise(rng, 3, 4))
        canvas.paint(1.0, mix(top, low, 0.5 + 0.45 * canvas.y + blades))
    elif kind == 1:  # sky above grass
        far = hsv(rng.uniform(195, 220), rng.uniform(0.25, 0.55), rng.uniform(0.8, 0.98))
        near = hsv(rng.uniform(195, 215), 0.12, 0.98)
        canvas.paint(1.0, mix(far, near, 0.5 + 0.4 * canvas.y + 0.30 * canvas.noise(rng, 4, 3)))
        horizon = _F(rng.uniform(0.2, 0.75)) + 0.06 * canvas.noise(rng, 1, 9)
        grass = mix(
            hsv(rng.uniform(80, 120), 0.5, 0.6), hsv(rng.uniform(90, 130), 0.65, 0.32), canvas.y
        )
        canvas.paint(canvas.cover(horizon - canvas.y, soft=rng.uniform(0.1, 0.5)), grass)
    elif kind == 2:  # shade, with spots of light out of focus
        hue = rng.uniform(85, 165)
        dark, less = hsv(hue, 0.55, 0.14), hsv(hue - 15, 0.5, 0.38)
        canvas.paint(1.0, mix(dark, less, 0.5 + 0.6 * canvas.noise(rng, 4, 4)))
        for _ in range(int(rng.integers(4, 9))):
            x, y, radius = rng.uniform(-1.1, 1.1), rng.uniform(-1.1, 1.1), rng.uniform(0.08, 0.24)
            spot = canvas.near(x, y, radius + 0.1)
            distance = ellipse(spot.x - _F(x), spot.y - _F(y), radius, radius)
            light = hsv(rng.uniform(45, 140), rng.uniform(0.15, 0.5), rng.uniform(0.6, 1.0))
            spot.paint(spot.cover(distance, soft=0.06) * _F(rng.uniform(0.15, 0.5)), light)
    else:  # a wall or a cloth
        hue, saturation = rng.uniform(0, 360), rng.uniform(0.03, 0.22)
        value = rng.uniform(0.35, 0.85)
        one, two = hsv(hue, saturation, value), hsv(hue + 25, saturation, value * 0.62)
        angle = rng.uniform(0, TAU)
        slope = canvas.x * _F(np.cos(angle)) + canvas.y * _F(np.sin(angle))
        canvas.paint(1.0, mix(one, two, 0.5 + 0.4 * slope + 0.15 * canvas.noise(rng, 4, 4)))


def _stem(canvas: Canvas, rng: Rng, x: float, y: float, *, leaves: int, long: bool) -> None:
    """A bent stem from the flower to the lower edge, and leaves on it."""
    hue, value = rng.uniform(88, 135), rng.uniform(0.38, 0.6)
    dark, light = hsv(hue + 12, 0.72, value * 0.5), hsv(hue - 6, 0.58, value * 1.25)
    bend, slope = rng.uniform(-0.25, 0.25), rng.uniform(-0.18, 0.18)
    thick = rng.uniform(0.035, 0.055)
    down = np.maximum(canvas.y - _F(y), 0.0)
    offset = canvas.x - (_F(x) + _F(slope) * down + _F(bend) * down * down)
    distance = np.maximum(np.abs(offset) - _F(thick), _F(y) - canvas.y)
    canvas.paint(canvas.cover(distance), mix(dark, light, 0.5 + offset * _F(0.5 / thick)))
    for k in range(leaves):
        height = rng.uniform(0.45, 0.95) if not long else rng.uniform(1.1, 1.5)
        side = 1.0 if (k % 2) == (bend > 0) else -1.0
        ax, ay = x + slope * height + bend * height * height, y + height
        lift = rng.uniform(0.2, 0.6) if not long else rng.uniform(0.95, 1.25)
        angle = -lift if side > 0 else np.pi + lift
        along, across = turn(canvas.x - _F(ax), canvas.y - _F(ay), angle)
        curl = side * rng.uniform(0.1, 0.5)
        across = across - _F(curl) * along * along
        length = rng.uniform(0.45, 0.75) * (1.7 if long else 1.0)
        width = rng.uniform(0.10, 0.17) if not long else rng.uniform(0.09, 0.13)
        distance, t = blade(along, across, length, width, "lens")
        brightness = 0.45 + 0.3 * t + across * _F(2.2 * side)
        brightness += 0.35 * np.maximum(_F(1.0) - np.abs(across) * _F(40.0), 0.0)
        canvas.paint(canvas.cover(distance), mix(dark, light, brightness))


def render_flower(species: str, colour: str, rng: Rng, size: int) -> Array:
    """Render one flower.

    Arguments:
        species: One of `SPECIES`.
        colour: One of `COLOURS`: of its petals.
        rng: Decides everything else; the scene does not depend on the size.
        size: Side of the picture, in pixels.

    Returns:
        uint8 (size, size, 3).
    """
    canvas = Canvas(size)
    _ground(canvas, rng)
    tulip = species == "tulip"
    radius = rng.uniform(0.70, 0.86) if tulip else rng.uniform(0.76, 0.96)
    x = rng.uniform(-0.10, 0.10)
    y = rng.uniform(-0.18, -0.02) if tulip else rng.uniform(-0.14, 0.08)
    below = y + (0.7 * radius if tulip else 0.0)
    _stem(canvas, rng, x, below, leaves=int(rng.integers(0, 3)) + tulip, long=tulip)
    bloom = Bloom(canvas, x, y, radius, rng.uniform(0.72, 1.0), rng.uniform(0.0, np.pi))
    bloom.light = rng.uniform(0.0, TAU)
    HEADS[species](bloom, rng, Petals(rng, colour))
    angle = rng.uniform(0.0, TAU)
    light = canvas.x * _F(np.cos(angle)) + canvas.y * _F(np.sin(angle))
    exposure = rng.uniform(0.94, 1.04)
    canvas.rgb *= _F(exposure) + _F(rng.uniform(0.02, 0.09)) * light
    return canvas.to_bytes()
