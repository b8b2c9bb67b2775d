"""Flowers drawn by the program: six species by the number and shape of their petals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from latentbloom.data.drawing import (
    Array,
    Canvas,
    blade,
    ellipse,
    hsv,
    mix,
    turn,
)

SPECIES = ("daisy", "lily", "pansy", "rose", "sunflower", "tulip")
COLOURS = ("orange", "pink", "purple", "red", "white", "yellow")

_F = np.float32
_TAU = 2.0 * np.pi
Rng = np.random.Generator

# Hue in degrees, saturation and value in [0, 1], each as (lowest, highest).
_RANGES = {
    "red": ((350.0, 364.0), (0.82, 0.95), (0.70, 0.90)),
    "orange": ((20.0, 30.0), (0.85, 0.98), (0.93, 1.00)),
    "yellow": ((48.0, 56.0), (0.72, 0.95), (0.94, 1.00)),
    "pink": ((322.0, 344.0), (0.34, 0.52), (0.93, 1.00)),
    "purple": ((262.0, 284.0), (0.50, 0.75), (0.58, 0.80)),
    "white": ((30.0, 70.0), (0.00, 0.05), (0.95, 1.00)),
}


class _Petals:
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


class _Bloom:
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

    def heart(self, reach: float) -> _Bloom:
        """The same frame on the middle part alone, for small things."""
        inner = _Bloom.__new__(_Bloom)
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


def _ring(
    bloom: _Bloom,
    rng: Rng,
    petals: _Petals,
    theta: Array,
    *,
    count: int,
    length: float,
    width: float,
    shape: str,
    dim: float = 0.0,
) -> None:
    """A whorl of narrow petals, each a bit different, drawn in one go by folding the angle."""
    step = _TAU / count
    turned = (theta + _F(rng.uniform(0.0, _TAU))) * _F(1.0 / step)
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


def _disc(bloom: _Bloom, radius: float, dark: Array, light: Array, grain: Array) -> None:
    """The middle of a composite flower: a dome with a grain."""
    inside = bloom.rho * _F(1.0 / radius)
    dome = np.sqrt(np.maximum(_F(1.0) - inside * inside, 0.0))
    brightness = 0.25 + 0.5 * dome + 0.25 * bloom.lit() / radius + grain
    bloom.paint(bloom.cover(bloom.rho - _F(radius)), mix(dark, light, brightness))


def _under(bloom: _Bloom, reach: float, strength: float = 0.3) -> None:
    """A soft shadow behind the flower lifts it from the ground."""
    bloom.shadow(bloom.rho - _F(reach), 0.45, 1.0 - strength)


def _daisy(bloom: _Bloom, rng: Rng, petals: _Petals) -> None:
    _under(bloom, 0.9)
    theta = bloom.theta()
    count = int(rng.integers(11, 16))
    width = rng.uniform(0.105, 0.14) * 13 / count
    for dim, length in ((0.28, 1.0), (0.0, 0.94)):
        _ring(
            bloom,
            rng,
            petals,
            theta,
            count=count,
            length=length,
            width=width,
            shape="strap",
            dim=dim,
        )
    radius = rng.uniform(0.22, 0.28)
    heart = bloom.heart(0.32)
    grain = 0.10 * np.cos(heart.x * _F(34.0)) * np.cos(heart.y * _F(34.0))
    _disc(heart, radius, hsv(34, 0.95, 0.62), hsv(47, 0.85, 1.0), grain)


def _sunflower(bloom: _Bloom, rng: Rng, petals: _Petals) -> None:
    _under(bloom, 0.9)
    theta = bloom.theta()
    count = int(rng.integers(17, 23))
    for dim, length in ((0.30, 1.0), (0.06, 0.92)):
        _ring(
            bloom,
            rng,
            petals,
            theta,
            count=count,
            length=length,
            width=rng.uniform(0.15, 0.18) * 20 / count,
            shape="lens",
            dim=dim,
        )
    radius = rng.uniform(0.44, 0.52)
    heart = bloom.heart(0.56)
    theta, swirl = heart.theta(), heart.rho * _F(9.0)
    grain = 0.22 * np.cos(theta * _F(13.0) + swirl) * np.cos(theta * _F(8.0) - swirl)
    grain += 0.5 * np.maximum(heart.rho / radius - _F(0.62), 0.0)
    brown = rng.uniform(16, 28)
    _disc(heart, radius, hsv(brown, 0.75, 0.13), hsv(brown + 6, 0.72, 0.50), grain)


def _lily(bloom: _Bloom, rng: Rng, petals: _Petals) -> None:
    _under(bloom, 0.75)
    start = rng.uniform(0.0, _TAU)
    width = rng.uniform(0.20, 0.26)
    stripe = rng.uniform(-0.45, 0.35)
    order = [0, 2, 4, 1, 3, 5]
    for place, k in enumerate(order):
        angle = start + k * _TAU / 6 + rng.uniform(-0.09, 0.09)
        along, across = turn(bloom.x, bloom.y, angle)
        across = across + _F(rng.uniform(-0.16, 0.16)) * along * along
        front = place >= 3
        distance, t = blade(
            along, across, rng.uniform(0.92, 1.04), width * (1.12 if front else 0.95), "lens"
        )
        rib = across * _F(1.0 / width)
        facing = 0.12 * np.cos(angle - bloom.light)
        brightness = _F(0.42 + facing - (0.0 if front else 0.20)) + 0.5 * t
        brightness += _F(stripe) * np.maximum(_F(1.0) - np.abs(rib) * _F(4.0), 0.0)
        brightness -= 0.25 * rib * rib
        bloom.paint(bloom.cover(distance), petals.at(brightness))
    bloom = bloom.heart(0.62)
    freckles = bloom.patch.noise(rng, 16, 16) - _F(0.42) - np.abs(bloom.rho - _F(0.34)) * _F(3.0)
    bloom.paint(np.clip(freckles * 3.0, 0.0, 0.75), petals.deep * _F(0.55))
    throat = np.clip(_F(1.0) - bloom.rho * _F(4.5), 0.0, 1.0)
    bloom.paint(throat * _F(0.8), hsv(78, 0.55, 0.72))
    rust = hsv(rng.uniform(15, 40), 0.9, rng.uniform(0.45, 0.7))
    # All six stamens in one go, by folding the angle.
    turned = (bloom.theta() - _F(start)) * _F(6 / _TAU)
    index = np.floor(turned)
    which = index.astype(np.int16) % 6
    reach = rng.uniform(0.28, 0.46, 6).astype(_F)[which]
    angle = (turned - index - rng.uniform(0.32, 0.68, 6).astype(_F)[which]) * _F(_TAU / 6)
    along, across = bloom.rho * np.cos(angle), bloom.rho * np.sin(angle)
    filament = np.maximum(np.abs(across) - _F(0.014), along - reach)
    bloom.paint(bloom.cover(filament), hsv(80, 0.3, 0.88))
    bloom.paint(bloom.cover(ellipse(along - reach, across, 0.042, 0.10)), rust)


def _pansy(bloom: _Bloom, rng: Rng, petals: _Petals) -> None:
    _under(bloom, 0.8)
    start = rng.uniform(-0.5, 0.5) + np.pi / 2
    blotch = hsv(rng.choice([275.0, 285.0, 345.0]), 0.8, rng.uniform(0.16, 0.28))
    # Two petals above and behind, two at the sides, the widest below and in front.
    for turned, size, dim, marked in (
        (np.pi - 0.55, 0.98, 0.26, False),
        (np.pi + 0.55, 0.98, 0.18, False),
        (1.35, 0.88, 0.08, True),
        (-1.35, 0.88, 0.02, True),
        (0.0, 0.98, -0.06, True),
    ):
        angle = start + turned + rng.uniform(-0.07, 0.07)
        along, across = turn(bloom.x, bloom.y, angle)
        length = size * rng.uniform(0.95, 1.03)
        width = (0.58 if turned == 0.0 else 0.50) * rng.uniform(0.95, 1.08)
        rim = along * _F(1.0 / length)
        wave = _F(0.025) * np.cos(across * _F(17.0) + _F(rng.uniform(0, _TAU)))
        distance = ellipse(along - _F(0.52 * length), across, 0.50 * length, width) + wave
        facing = 0.08 * np.cos(angle - bloom.light)
        brightness = _F(0.58 + facing - dim) + 0.34 * rim
        brightness += 0.07 * np.cos(np.arctan2(across, along) * _F(26.0))
        edge = np.clip((distance + _F(0.13)) * _F(7.0), 0.0, 1.0)
        brightness -= 0.22 * edge if dim > 0 else -0.10 * edge
        cover = bloom.cover(distance)
        bloom.shadow(distance - _F(0.03), 0.16, 0.72)
        bloom.paint(cover, petals.at(brightness))
        if marked:
            ray = np.cos(across / (np.abs(along) + _F(0.05)) * _F(17.0))
            mark = (_F(0.42) + 0.11 * ray - rim) * _F(7.0) - 3.2 * np.abs(across)
            bloom.paint(cover * np.clip(mark, 0.0, 1.0), blotch)
    heart = bloom.heart(0.16)
    heart.paint(heart.cover(heart.rho - _F(0.10)), hsv(48, 0.95, 0.98))
    heart.paint(heart.cover(heart.rho - _F(0.035)), hsv(75, 0.7, 0.55))


def _rose(bloom: _Bloom, rng: Rng, petals: _Petals) -> None:
    _under(bloom, 0.85)
    theta = bloom.theta()
    hand = rng.choice([-1.0, 1.0])
    start = rng.uniform(0.0, _TAU)
    radius, ring, bow = 0.98, 0, 0.15
    while radius > 0.10:
        if ring in (2, 4):
            bloom = bloom.heart(radius * 1.25)
            theta = bloom.theta()
        lobes = 5 if ring < 2 else 4 if ring == 2 else 3 if ring < 5 else 2
        phase = (theta * _F(hand) + _F(start)) * _F(lobes / _TAU)
        place = phase - np.floor(phase)  # 0 to 1 across a petal
        hump = _F(4.0) * place * (_F(1.0) - place)
        rim = _F(radius) * (_F(1.0 - bow) + _F(bow) * np.sqrt(hump) + 0.09 * (place - _F(0.5)))
        rho = bloom.rho
        distance = rho - rim
        depth = np.clip(-distance * _F(1.0 / (0.36 * radius + 0.05)), 0.0, 1.0)
        brightness = _F(0.94 - 0.045 * ring) - 0.85 * depth + 0.16 * bloom.lit()
        brightness += 0.26 * (place - _F(0.5)) + np.where(depth < 0.10, _F(0.10), _F(0.0))
        bloom.shadow(distance - _F(0.015), 0.12, 0.72)
        bloom.paint(bloom.cover(distance), petals.at(brightness))
        radius *= rng.uniform(0.74, 0.82)
        start += rng.uniform(0.9, 1.7)
        ring += 1
        bow = 0.17
    heart = bloom.heart(0.2)
    core = heart.cover(heart.rho - _F(0.05), soft=0.06)
    heart.paint(core * _F(0.7), petals.deep * _F(0.7))


def _tulip(bloom: _Bloom, rng: Rng, petals: _Petals) -> None:
    lean = rng.uniform(-0.25, 0.25)
    x, y = turn(bloom.x, bloom.y, lean)
    y = y - _F(0.9)  # the cup stands on the end of the stem
    openness = rng.uniform(0.75, 1.25)
    parts = (
        (-0.20, 1.50, 0.34, 0.42),
        (0.20, 1.52, 0.34, 0.36),
        (-0.36 * openness, 1.58, 0.40, 0.16),
        (0.36 * openness, 1.56, 0.40, 0.10),
        (rng.uniform(-0.06, 0.06), rng.uniform(1.38, 1.56), rng.uniform(0.44, 0.52), 0.0),
    )
    base_hue = petals.deep * _F(0.55) + hsv(75, 0.5, 0.8) * _F(0.45)
    for angle, length, width, dim in parts:
        along, across = turn(x, y, angle - np.pi / 2)
        # Petals bow outwards: bend the axis towards the middle of the cup.
        across = across + _F(np.sin(angle) * 1.05) * along * (_F(1.0) - along * _F(1 / length))
        distance, t = blade(along, across, length, width, "egg")
        rib = across * _F(1.0 / width)
        side = _F(0.16 * np.cos(bloom.light)) * rib
        brightness = _F(0.72 - dim) + 0.26 * t - 0.34 * rib * rib + side
        brightness += 0.09 * np.cos(rib * _F(9.0))
        cover = bloom.cover(distance)
        bloom.shadow(distance - _F(0.02), 0.12, 0.75)
        bloom.paint(cover, petals.at(brightness))
        bloom.paint(cover * np.clip(_F(0.55) - 3.2 * t, 0.0, 1.0), base_hue)


_HEADS: dict[str, Callable[[_Bloom, Rng, _Petals], None]] = {
    "daisy": _daisy,
    "lily": _lily,
    "pansy": _pansy,
    "rose": _rose,
    "sunflower": _sunflower,
    "tulip": _tulip,
}


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
        angle = rng.uniform(0, _TAU)
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


def draw_flower(species: str, colour: str, rng: Rng, size: int) -> Array:
    """Draw one flower.

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
    radius = rng.uniform(0.58, 0.74) if tulip else rng.uniform(0.58, 0.86)
    x = rng.uniform(-0.18, 0.18)
    y = rng.uniform(-0.25, -0.02) if tulip else rng.uniform(-0.22, 0.14)
    below = y + (0.7 * radius if tulip else 0.0)
    _stem(canvas, rng, x, below, leaves=int(rng.integers(0, 3)) + tulip, long=tulip)
    bloom = _Bloom(canvas, x, y, radius, rng.uniform(0.72, 1.0), rng.uniform(0.0, np.pi))
    bloom.light = rng.uniform(0.0, _TAU)
    _HEADS[species](bloom, rng, _Petals(rng, colour))
    angle = rng.uniform(0.0, _TAU)
    light = canvas.x * _F(np.cos(angle)) + canvas.y * _F(np.sin(angle))
    exposure = rng.uniform(0.94, 1.04)
    canvas.rgb *= _F(exposure) + _F(rng.uniform(0.02, 0.09)) * light
    return canvas.to_bytes()
