"""Six species of flower, with different numbers and shapes of petals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from latentbloom.synthetic.bloom import Bloom, Petals, disc, ring, under
from latentbloom.synthetic.canvas import TAU, Rng, blade, ellipse, hsv, turn

_F = np.float32


def daisy(bloom: Bloom, rng: Rng, petals: Petals) -> None:
    """Many narrow petals with round tips about a small yellow dome."""
    under(bloom, 0.9)
    theta = bloom.theta()
    count = int(rng.integers(11, 16))
    width = rng.uniform(0.105, 0.14) * 13 / count
    for dim, length in ((0.28, 1.0), (0.0, 0.94)):
        ring(
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
    disc(heart, radius, hsv(34, 0.95, 0.62), hsv(47, 0.85, 1.0), grain)


def sunflower(bloom: Bloom, rng: Rng, petals: Petals) -> None:
    """Very many pointed petals about a wide dark disc."""
    under(bloom, 0.9)
    theta = bloom.theta()
    count = int(rng.integers(17, 23))
    for dim, length in ((0.30, 1.0), (0.06, 0.92)):
        ring(
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
    disc(heart, radius, hsv(brown, 0.75, 0.13), hsv(brown + 6, 0.72, 0.50), grain)


def lily(bloom: Bloom, rng: Rng, petals: Petals) -> None:
    """Six pointed petals in two whorls, freckles, and stamens that stand out."""
    under(bloom, 0.75)
    start = rng.uniform(0.0, TAU)
    width = rng.uniform(0.20, 0.26)
    stripe = rng.uniform(-0.45, 0.35)
    order = [0, 2, 4, 1, 3, 5]
    for place, k in enumerate(order):
        angle = start + k * TAU / 6 + rng.uniform(-0.09, 0.09)
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
    turned = (bloom.theta() - _F(start)) * _F(6 / TAU)
    index = np.floor(turned)
    which = index.astype(np.int16) % 6
    reach = rng.uniform(0.28, 0.46, 6).astype(_F)[which]
    angle = (turned - index - rng.uniform(0.32, 0.68, 6).astype(_F)[which]) * _F(TAU / 6)
    along, across = bloom.rho * np.cos(angle), bloom.rho * np.sin(angle)
    filament = np.maximum(np.abs(across) - _F(0.014), along - reach)
    bloom.paint(bloom.cover(filament), hsv(80, 0.3, 0.88))
    bloom.paint(bloom.cover(ellipse(along - reach, across, 0.042, 0.10)), rust)


def pansy(bloom: Bloom, rng: Rng, petals: Petals) -> None:
    """Five wide petals that overlap, dark whiskers on three of them, a yellow eye."""
    under(bloom, 0.8)
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
        wave = _F(0.025) * np.cos(across * _F(17.0) + _F(rng.uniform(0, TAU)))
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


def rose(bloom: Bloom, rng: Rng, petals: Petals) -> None:
    """Rings of wide petals that narrow towards the middle, turned against each other."""
    under(bloom, 0.85)
    theta = bloom.theta()
    hand = rng.choice([-1.0, 1.0])
    start = rng.uniform(0.0, TAU)
    radius, ring, bow = 0.98, 0, 0.15
    while radius > 0.10:
        if ring in (2, 4):
            bloom = bloom.heart(radius * 1.25)
            theta = bloom.theta()
        lobes = 5 if ring < 2 else 4 if ring == 2 else 3 if ring < 5 else 2
        phase = (theta * _F(hand) + _F(start)) * _F(lobes / TAU)
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


def tulip(bloom: Bloom, rng: Rng, petals: Petals) -> None:
    """A cup of five upright petals, seen from the side."""
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


HEADS: dict[str, Callable[[Bloom, Rng, Petals], None]] = {
    "daisy": daisy,
    "lily": lily,
    "pansy": pansy,
    "rose": rose,
    "sunflower": sunflower,
    "tulip": tulip,
}
"""The function that renders each species."""
