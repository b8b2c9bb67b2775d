"""A rendered head without its features: body, skin, hair."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from latentbloom.synthetic.canvas import Array, Canvas, Patch, Rng, box, ellipse, hsv, mix, turn

_F = np.float32

Tones = tuple[Array, Array]
"""Two ends of a colour: in the shade, and in the light."""

# Hue in degrees, saturation, value: from pale to dark.
_SKINS = (
    (22.0, 0.32, 1.00),
    (24.0, 0.38, 0.96),
    (26.0, 0.43, 0.87),
    (25.0, 0.48, 0.74),
    (23.0, 0.54, 0.58),
    (20.0, 0.58, 0.42),
)
_HAIRS = (
    (25.0, 0.55, 0.10),
    (22.0, 0.60, 0.22),
    (26.0, 0.62, 0.38),
    (38.0, 0.50, 0.72),
    (45.0, 0.38, 0.88),
    (16.0, 0.75, 0.52),
    (30.0, 0.04, 0.70),
)
_STYLES = ("short", "short", "long", "bob", "curly", "bun", "bald")


@dataclass(frozen=True)
class Look:
    """Where the eyes are and what they look like; lengths in the unit of the face."""

    apart: float
    level: float
    wide: float
    open: float
    slant: float
    iris: float
    gaze: float
    lift: float
    frown: float
    bow: float
    thick: float

    @classmethod
    def sampled(cls, rng: Rng, smile: float) -> Look:
        """One of many; a smile narrows the eyes."""
        return cls(
            apart=rng.uniform(0.175, 0.215),
            level=rng.uniform(-0.08, -0.03),
            wide=rng.uniform(0.082, 0.105),
            open=rng.uniform(0.034, 0.056) * (1.0 - 0.22 * max(smile, 0.0)),
            slant=rng.uniform(-0.14, 0.10),
            iris=rng.uniform(0.036, 0.046),
            gaze=rng.uniform(-0.022, 0.022),
            lift=rng.uniform(-0.02, 0.03),
            frown=rng.uniform(-0.14, 0.12),
            bow=rng.uniform(0.0, 0.35),
            thick=rng.uniform(0.012, 0.028),
        )


class Head:
    """The face's own frame, centred between the ears and tilted, and what the face is like.

    Arguments:
        canvas: What the head is rendered on.
        rng: Decides everything but the smile.
        smile: How far the mouth's corners are up, in [-1, 1].
    """

    def __init__(self, canvas: Canvas, rng: Rng, smile: float) -> None:
        self.canvas = canvas
        self.smile = smile
        self.x0, self.y0 = rng.uniform(-0.09, 0.09), rng.uniform(0.02, 0.12)
        self.scale = rng.uniform(1.02, 1.22)
        self.tilt = rng.normal(0.0, 0.09)
        self.width, self.height = rng.uniform(0.44, 0.51), rng.uniform(0.58, 0.65)
        self.jaw = rng.uniform(0.10, 0.38)
        self.yaw = rng.uniform(-0.07, 0.07)
        self.side = float(rng.choice([-1.0, 1.0])) * rng.uniform(0.3, 1.0)
        """Where the light comes from: left below 0, right above."""
        self._cos, self._sin = math.cos(self.tilt), math.sin(self.tilt)
        u, v = turn(canvas.x - _F(self.x0), canvas.y - _F(self.y0), self.tilt)
        self.u, self.v = u * _F(1.0 / self.scale), v * _F(1.0 / self.scale)
        self.look = Look.sampled(rng, smile)
        self.skin = _skin_tones(rng)
        self.hair = _hair_tones(rng)
        self.style = _STYLES[rng.integers(len(_STYLES))]
        self.strands = canvas.noise(rng, 5, 30)

    def near(self, u: float, v: float, reach: float, down: float) -> tuple[Patch, Array, Array]:
        """The patch around a point of the face, and coordinates about that point."""
        x = self.x0 + self.scale * (u * self._cos - v * self._sin)
        y = self.y0 + self.scale * (u * self._sin + v * self._cos)
        lean = abs(self._sin)
        rows, columns = self.canvas.window(
            x, y, self.scale * (reach + lean * down), self.scale * (down + lean * reach)
        )
        patch = self.canvas.cut(rows, columns)
        return patch, self.u[rows, columns] - _F(u), self.v[rows, columns] - _F(v)

    def outline(self, grow: float = 0.0) -> Array:
        """Distance to the outline of the face: an ellipse whose lower half narrows."""
        narrow = _F(1.0) - _F(self.jaw) * np.minimum(np.maximum(self.v, _F(0.0)), _F(0.9)) ** 2
        return ellipse(self.u / narrow, self.v, self.width + grow, self.height + grow)


def _skin_tones(rng: Rng) -> Tones:
    h, s, v = _SKINS[rng.integers(len(_SKINS))]
    h, s, v = h + rng.uniform(-4, 4), s * rng.uniform(0.92, 1.15), v * rng.uniform(0.93, 1.03)
    return hsv(h - 6, s * 1.6, v * 0.54), hsv(h, s * 0.9, v * 1.04)


def _hair_tones(rng: Rng) -> Tones:
    h, s, v = _HAIRS[rng.integers(len(_HAIRS))]
    v *= rng.uniform(0.85, 1.15)
    return hsv(h, s, v * 0.5), hsv(h + 3, s * 0.85, v * 1.35 + 0.03)


def back_hair(head: Head, rng: Rng) -> None:
    """What is seen of the hair beside and below the face."""
    u, v = head.u, head.v
    if head.style == "long":
        fall = rng.uniform(0.75, 1.0)
        distance = box(u, v - _F(0.22), head.width + 0.16, fall, 0.5)
    elif head.style == "bob":
        distance = box(u, v + _F(0.05), head.width + 0.17, 0.68, 0.42)
    elif head.style == "curly":
        bumps = 0.07 * head.canvas.noise(rng, 13, 13) + 0.05 * head.canvas.noise(rng, 7, 7)
        size = rng.uniform(0.16, 0.26)
        distance = ellipse(u, v + _F(0.14), head.width + size, 0.55 + size) + bumps
    elif head.style == "bun":
        distance = ellipse(u, v + _F(0.82), 0.24, 0.22)
    else:
        return
    brightness = 0.30 + 0.35 * head.strands - 0.15 * v
    head.canvas.paint(head.canvas.cover(distance * _F(head.scale)), mix(*head.hair, brightness))


def body(head: Head, rng: Rng) -> None:
    """Neck, shoulders and a collar."""
    canvas = head.canvas
    x = canvas.x - _F(head.x0 * 0.8)
    neck = box(x, canvas.y - _F(0.8), 0.21 * head.scale, 0.5, 0.05)
    canvas.paint(canvas.cover(neck), mix(*head.skin, 0.42 + 0.4 * x * _F(head.side)))
    cloth, value = rng.uniform(0, 360), rng.uniform(0.2, 0.95)
    dark = hsv(cloth, rng.uniform(0.05, 0.8), value * 0.55)
    light = hsv(cloth, rng.uniform(0.05, 0.7), value)
    top = rng.uniform(0.98, 1.08)
    shoulders = ellipse(x, canvas.y - _F(top + 0.35), rng.uniform(0.8, 0.98), 0.55)
    if rng.random() < 0.5:  # an open collar
        shoulders = np.maximum(shoulders, _F(0.16) - np.abs(x) - (_F(1.0) - canvas.y) * _F(-0.9))
    shade = 0.6 + 0.4 * x * _F(head.side) + 0.2 * canvas.noise(rng, 3, 5)
    canvas.paint(canvas.cover(shoulders), mix(dark, light, shade))


def bare_face(head: Head, rng: Rng) -> Array:
    """Ears and the face without its features. Returns the face's coverage."""
    canvas = head.canvas
    for sign in (-1.0, 1.0):
        ear, u, v = head.near(sign * (head.width - 0.01), 0.06, 0.13, 0.2)
        ear.paint(
            ear.cover(ellipse(u, v, 0.075, 0.135) * _F(head.scale)),
            mix(*head.skin, 0.45 + 0.25 * sign * head.side),
        )
        ear.shade(ear.cover(ellipse(u, v, 0.03, 0.08), soft=0.05), 0.8)
    distance = head.outline() * _F(head.scale)
    canvas.shade(canvas.cover(distance - _F(0.04), soft=0.14), 0.72)  # on the neck and hair
    across, down = head.u * _F(1 / head.width), head.v * _F(1 / head.height)
    brightness = 0.90 + 0.22 * across * _F(head.side) - 0.10 * down
    brightness -= 0.26 * (across * across + down * down) ** 2
    face = canvas.cover(distance)
    canvas.paint(face, mix(*head.skin, brightness))
    blush = rng.uniform(0.05, 0.22) + 0.10 * max(head.smile, 0.0)
    rose = mix(head.skin[0], hsv(2, 0.65, 0.95), 0.5)
    for sign in (-1.0, 1.0):
        cheek, u, v = head.near(sign * 0.25 + head.yaw, 0.17 - 0.03 * head.smile, 0.3, 0.3)
        cheek.paint(cheek.cover(ellipse(u, v, 0.10, 0.08), soft=0.20) * _F(blush), rose)
    return face


def beard(head: Head, rng: Rng, face: Array) -> None:
    """Stubble or a beard along the jaw, and over the lip."""
    thick = rng.uniform(0.25, 0.85)
    bare = ellipse(head.u - _F(head.yaw), head.v + _F(0.02), head.width * 0.80, 0.33)
    lip = box(head.u - _F(1.1 * head.yaw), head.v - _F(0.31), 0.17, 0.025, 0.02)
    low = np.minimum(np.maximum(-bare, _F(0.05) - head.v), lip)
    cover = face * head.canvas.cover(low, soft=0.08) * _F(thick)
    head.canvas.paint(cover, mix(head.hair[0], head.hair[1], 0.25))


def front_hair(head: Head, rng: Rng) -> None:
    """The hair above the brow: a cap on the head, cut by a hairline."""
    if head.style == "bald":
        return
    u, v = head.u, head.v
    cap = ellipse(u, v + _F(0.06), head.width + 0.06, head.height + rng.uniform(0.01, 0.08))
    if head.style == "curly":
        cap = cap + 0.08 * head.canvas.noise(rng, 13, 13) - _F(0.05)
    part = rng.uniform(-0.3, 0.3)
    kind = rng.integers(4)
    if kind == 0:  # a straight fringe
        hairline = _F(rng.uniform(-0.30, -0.22)) + 0.02 * np.cos(u * _F(45.0))
    elif kind == 1:  # parted, swept to both sides
        hairline = _F(-0.50) + _F(rng.uniform(0.7, 1.1)) * np.abs(u - _F(part))
    elif kind == 2:  # swept across
        hairline = _F(-0.40) + _F(rng.choice([-1.0, 1.0]) * 0.35) * u + 0.5 * u * u
    else:  # off the forehead
        hairline = _F(rng.uniform(-0.46, -0.36)) + _F(1.2) * u * u
    side = 0.02 if head.style in ("long", "bob", "curly") else -0.14
    limit = np.maximum(hairline, np.where(np.abs(u) > _F(head.width * 0.90), _F(side), _F(-2.0)))
    distance = np.maximum(cap, (v - limit) * _F(0.8)) * _F(head.scale)
    canvas = head.canvas
    canvas.shade(canvas.cover(distance - _F(0.025), soft=0.07), 0.80)
    brightness = 0.42 + 0.40 * head.strands + 0.30 * u * _F(head.side) - 0.25 * (v + _F(0.55))
    canvas.paint(canvas.cover(distance), mix(*head.hair, brightness))
