"""Faces drawn by the program: smiling or not, with or without glasses."""

from __future__ import annotations

import math

import numpy as np

from latentbloom.data.drawing import Array, Canvas, Patch, box, capsule, ellipse, hsv, mix, turn

_F = np.float32
_TAU = 2.0 * np.pi
Rng = np.random.Generator

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
_EYES = ((25.0, 0.7, 0.30), (210.0, 0.5, 0.6), (110.0, 0.35, 0.42), (30.0, 0.6, 0.18))
_STYLES = ("short", "short", "long", "bob", "curly", "bun", "bald")


class _Head:
    """The face's own frame: centred between the ears, tilted; half as wide as `width`."""

    def __init__(self, canvas: Canvas, rng: Rng) -> None:
        self.canvas = canvas
        self.x0, self.y0 = rng.uniform(-0.09, 0.09), rng.uniform(0.02, 0.12)
        self.scale = rng.uniform(1.02, 1.22)
        self.tilt = rng.normal(0.0, 0.09)
        self.width, self.height = rng.uniform(0.44, 0.51), rng.uniform(0.58, 0.65)
        self.jaw = rng.uniform(0.10, 0.38)
        self.yaw = rng.uniform(-0.07, 0.07)
        self.side = rng.choice([-1.0, 1.0]) * rng.uniform(0.3, 1.0)
        self._cos, self._sin = math.cos(self.tilt), math.sin(self.tilt)
        u, v = turn(canvas.x - _F(self.x0), canvas.y - _F(self.y0), self.tilt)
        self.u, self.v = u * _F(1.0 / self.scale), v * _F(1.0 / self.scale)

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


def _ground(canvas: Canvas, rng: Rng) -> None:
    """A room, out of focus."""
    hue, saturation = rng.uniform(0, 360), rng.uniform(0.08, 0.45)
    one = hsv(hue, saturation, rng.uniform(0.45, 0.9))
    two = hsv(hue + rng.uniform(-50, 50), saturation * 0.8, rng.uniform(0.18, 0.6))
    angle = rng.uniform(0, _TAU)
    slope = canvas.x * _F(np.cos(angle)) + canvas.y * _F(np.sin(angle))
    canvas.paint(1.0, mix(one, two, 0.5 + 0.3 * slope + 0.35 * canvas.noise(rng, 3, 3)))
    for _ in range(int(rng.integers(0, 4))):
        x, y, r = rng.uniform(-1, 1), rng.uniform(-1, 0.4), rng.uniform(0.12, 0.35)
        spot = canvas.near(x, y, r + 0.1)
        distance = ellipse(spot.x - _F(x), spot.y - _F(y), r, r * rng.uniform(0.6, 1.6))
        cover = spot.cover(distance, soft=0.12) * _F(rng.uniform(0.1, 0.4))
        spot.paint(cover, hsv(hue + rng.uniform(-90, 90), 0.25, rng.uniform(0.5, 1.0)))


def _hair_colours(rng: Rng) -> tuple[Array, Array]:
    h, s, v = _HAIRS[rng.integers(len(_HAIRS))]
    v *= rng.uniform(0.85, 1.15)
    return hsv(h, s, v * 0.5), hsv(h + 3, s * 0.85, v * 1.35 + 0.03)


def _back_hair(
    head: _Head, rng: Rng, style: str, strands: Array, hair: tuple[Array, Array]
) -> None:
    """What is seen of the hair beside and below the face."""
    u, v = head.u, head.v
    if style == "long":
        fall = rng.uniform(0.75, 1.0)
        distance = box(u, v - _F(0.22), head.width + 0.16, fall, 0.5)
    elif style == "bob":
        distance = box(u, v + _F(0.05), head.width + 0.17, 0.68, 0.42)
    elif style == "curly":
        bumps = 0.07 * head.canvas.noise(rng, 13, 13) + 0.05 * head.canvas.noise(rng, 7, 7)
        size = rng.uniform(0.16, 0.26)
        distance = ellipse(u, v + _F(0.14), head.width + size, 0.55 + size) + bumps
    elif style == "bun":
        distance = ellipse(u, v + _F(0.82), 0.24, 0.22)
    else:
        return
    brightness = 0.30 + 0.35 * strands - 0.15 * v
    head.canvas.paint(head.canvas.cover(distance * _F(head.scale)), mix(*hair, brightness))


def _body(head: _Head, rng: Rng, skin: tuple[Array, Array]) -> None:
    """Neck, shoulders and a collar."""
    canvas = head.canvas
    x = canvas.x - _F(head.x0 * 0.8)
    neck = box(x, canvas.y - _F(0.8), 0.21 * head.scale, 0.5, 0.05)
    canvas.paint(canvas.cover(neck), mix(*skin, 0.42 + 0.4 * x * _F(head.side)))
    cloth, value = rng.uniform(0, 360), rng.uniform(0.2, 0.95)
    dark = hsv(cloth, rng.uniform(0.05, 0.8), value * 0.55)
    light = hsv(cloth, rng.uniform(0.05, 0.7), value)
    top = rng.uniform(0.98, 1.08)
    shoulders = ellipse(x, canvas.y - _F(top + 0.35), rng.uniform(0.8, 0.98), 0.55)
    if rng.random() < 0.5:  # an open collar
        shoulders = np.maximum(shoulders, _F(0.16) - np.abs(x) - (_F(1.0) - canvas.y) * _F(-0.9))
    shade = 0.6 + 0.4 * x * _F(head.side) + 0.2 * canvas.noise(rng, 3, 5)
    canvas.paint(canvas.cover(shoulders), mix(dark, light, shade))


def _skin(head: _Head, rng: Rng, skin: tuple[Array, Array], smile: float) -> Array:
    """Ears and the face without its features. Returns the face's coverage."""
    canvas = head.canvas
    for sign in (-1.0, 1.0):
        ear, u, v = head.near(sign * (head.width - 0.01), 0.06, 0.13, 0.2)
        ear.paint(
            ear.cover(ellipse(u, v, 0.075, 0.135) * _F(head.scale)),
            mix(*skin, 0.45 + 0.25 * sign * head.side),
        )
        ear.shade(ear.cover(ellipse(u, v, 0.03, 0.08), soft=0.05), 0.8)
    distance = head.outline() * _F(head.scale)
    canvas.shade(canvas.cover(distance - _F(0.04), soft=0.14), 0.72)  # on the neck and hair
    across, down = head.u * _F(1 / head.width), head.v * _F(1 / head.height)
    brightness = 0.90 + 0.22 * across * _F(head.side) - 0.10 * down
    brightness -= 0.26 * (across * across + down * down) ** 2
    face = canvas.cover(distance)
    canvas.paint(face, mix(*skin, brightness))
    blush = rng.uniform(0.05, 0.22) + 0.10 * max(smile, 0.0)
    rose = mix(skin[0], hsv(2, 0.65, 0.95), 0.5)
    for sign in (-1.0, 1.0):
        cheek, u, v = head.near(sign * 0.25 + head.yaw, 0.17 - 0.03 * smile, 0.3, 0.3)
        cheek.paint(cheek.cover(ellipse(u, v, 0.10, 0.08), soft=0.20) * _F(blush), rose)
    return face


def _eye(head: _Head, sign: float, look: dict[str, float], colour: Array, lid: Array) -> None:
    """One eye: white, iris, pupil, glint, and the line of the lid."""
    u0 = sign * look["apart"] + head.yaw
    eye, u, v = head.near(u0, look["level"], 0.19, 0.16)
    eye.shade(eye.cover(ellipse(u, v + _F(0.02), 0.10, 0.07), soft=0.14), 0.84)
    slant = v - _F(sign * look["slant"]) * u
    arch = _F(1.0) - (u * _F(1 / look["wide"])) ** 2
    upper = slant + _F(look["open"]) * arch
    lower = _F(0.62 * look["open"]) * arch - slant
    almond = eye.cover(-np.minimum(upper, lower) * _F(0.8 * head.scale))
    eye.paint(almond, np.array([0.96, 0.95, 0.93], _F))
    iu, iv = u - _F(look["gaze"]), v + _F(0.006)
    radius = look["iris"]
    rho = np.sqrt(iu * iu + iv * iv)
    iris = almond * eye.cover((rho - _F(radius)) * _F(head.scale))
    eye.paint(iris, mix(colour * _F(0.55), colour, rho * _F(1 / radius)))
    eye.paint(almond * eye.cover(rho - _F(radius * 0.48)), np.array([0.03, 0.02, 0.02], _F))
    glint = ellipse(iu + _F(0.016), iv + _F(0.018), 0.013, 0.013)
    eye.paint(almond * eye.cover(glint) * _F(0.9), np.ones(3, _F))
    rim = np.maximum(np.abs(upper) - _F(0.014), np.abs(u) - _F(look["wide"] * 1.08))
    eye.paint(eye.cover(rim) * _F(0.9), lid)
    rim = np.maximum(np.abs(lower) - _F(0.003), np.abs(u) - _F(look["wide"] * 0.8))
    eye.paint(eye.cover(rim) * _F(0.35), lid)


def _brow(head: _Head, sign: float, look: dict[str, float], colour: Array) -> None:
    brow, u, v = head.near(sign * look["apart"] + head.yaw, look["level"] - 0.16, 0.22, 0.12)
    outward = u * _F(sign)
    line = v + _F(look["raise"]) + _F(look["frown"]) * outward
    line += _F(look["bow"]) * (u * u * _F(8.0) - _F(0.04))
    thick = _F(look["thick"]) * (_F(1.15) - outward * _F(2.4))
    distance = np.maximum(np.abs(line) - thick, np.abs(u) - _F(look["wide"] * 1.25))
    brow.paint(brow.cover(distance * _F(0.8), soft=0.012) * _F(0.85), colour)


def _nose(head: _Head, rng: Rng, skin: tuple[Array, Array]) -> None:
    tip, wide = rng.uniform(0.17, 0.24), rng.uniform(0.055, 0.085)
    middle = 1.4 * head.yaw
    nose, u, v = head.near(middle, tip - 0.12, 0.24, 0.32)
    side = -np.sign(head.side) * wide * 0.8
    ridge = capsule(u, v, side * 0.5, -0.16, side, 0.10, 0.025)
    nose.shade(nose.cover(ridge, soft=0.09), 0.86)
    light = capsule(u, v, -side * 0.15, -0.14, -side * 0.2, 0.08, 0.012)
    nose.paint(nose.cover(light, soft=0.07) * _F(0.35), skin[1])
    under = np.abs(v - _F(0.155) + u * u * _F(5.0)) - _F(0.008)
    under = np.maximum(under, np.abs(u) - _F(wide * 1.1))
    nose.shade(nose.cover(under, soft=0.03), 0.66)
    for sign in (-1.0, 1.0):
        hole = ellipse(u - _F(sign * wide * 0.55), v - _F(0.145), 0.022, 0.013)
        nose.shade(nose.cover(hole, soft=0.015), 0.45)


def _mouth(head: _Head, rng: Rng, skin: tuple[Array, Array], smile: float) -> None:
    """Lips on a curved line; `smile` in [-1, 1] lifts or drops the corners."""
    level = rng.uniform(0.36, 0.40) - 0.01 * smile
    wide = rng.uniform(0.155, 0.19) + 0.045 * max(smile, 0.0)
    gap = rng.uniform(0.02, 0.085) if smile > 0 else rng.uniform(0.02, 0.05)
    if rng.random() < (0.3 if smile > 0 else 0.75):
        gap = 0.0
    full = rng.uniform(0.026, 0.048)
    lips = mix(skin[0], hsv(rng.uniform(345, 364), rng.uniform(0.4, 0.8), 0.8), 0.55)
    mouth, u, v = head.near(1.1 * head.yaw, level, 0.36, 0.26)
    q = u * _F(1.0 / wide)
    arch = _F(1.0) - q * q
    # Beyond its corners the line goes on straight, so that nothing runs up to the ears.
    line = v + _F(0.13 * smile) * (np.minimum(np.abs(q), _F(1.15)) ** 2 - _F(0.5))
    if smile > 0.2:  # folds from the nose past the corners, and lifted cheeks
        for sign in (-1.0, 1.0):
            fold = capsule(u, v, sign * (wide + 0.0), -0.17, sign * (wide + 0.06), -0.02, 0.004)
            mouth.shade(mouth.cover(fold, soft=0.05), 1.0 - 0.32 * smile)
    chin = np.abs(line - _F(gap + 1.9 * full)) - _F(0.01)
    mouth.shade(mouth.cover(np.maximum(chin, np.abs(u) - _F(0.11)), soft=0.05), 0.86)
    cupid = _F(full) * (_F(0.75) + 0.25 * np.minimum(np.abs(q * _F(3.0)), _F(1.0)))
    above = -line - cupid * np.maximum(arch, 0.0)
    below = line - _F(gap + 1.25 * full) * np.maximum(arch, 0.0)
    inside = np.maximum(np.maximum(above, below), np.abs(u) - _F(wide))
    gloss = 0.55 + 0.35 * np.cos((line - _F(gap + 0.6 * full)) * _F(1.6 / full))
    mouth.paint(mouth.cover(inside), mix(lips * _F(0.62), lips * _F(1.12), gloss))
    corner = np.abs(u) - _F(wide * 1.02)
    if gap > 0.0:
        opening = np.maximum(np.maximum(-line, line - _F(gap) * arch), corner)
        hollow = mouth.cover(opening)
        mouth.paint(hollow, np.array([0.22, 0.06, 0.06], _F))
        teeth = np.maximum(
            opening + _F(0.004), line - _F(gap * (0.82 if smile > 0 else 0.3)) * arch
        )
        mouth.paint(mouth.cover(teeth), np.array([0.97, 0.96, 0.93], _F))
    else:
        slit = np.maximum(np.abs(line) - _F(0.008), corner)
        mouth.paint(mouth.cover(slit, soft=0.01), lips * _F(0.32))
    for sign in (-1.0, 1.0):
        dimple = ellipse(u - _F(sign * wide * 1.02), line, 0.018, 0.014)
        mouth.shade(mouth.cover(dimple, soft=0.03), 0.72)


def _beard(head: _Head, face: Array, rng: Rng, hair: tuple[Array, Array]) -> None:
    """Stubble or a beard along the jaw, and over the lip."""
    thick = rng.uniform(0.25, 0.85)
    bare = ellipse(head.u - _F(head.yaw), head.v + _F(0.02), head.width * 0.80, 0.33)
    lip = box(head.u - _F(1.1 * head.yaw), head.v - _F(0.31), 0.17, 0.025, 0.02)
    low = np.minimum(np.maximum(-bare, _F(0.05) - head.v), lip)
    cover = face * head.canvas.cover(low, soft=0.08) * _F(thick)
    head.canvas.paint(cover, mix(hair[0], hair[1], 0.25))


def _front_hair(
    head: _Head, rng: Rng, style: str, strands: Array, hair: tuple[Array, Array]
) -> None:
    """The hair above the brow: a cap on the head, cut by a hairline."""
    if style == "bald":
        return
    u, v = head.u, head.v
    cap = ellipse(u, v + _F(0.06), head.width + 0.06, head.height + rng.uniform(0.01, 0.08))
    if style == "curly":
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
    side = 0.02 if style in ("long", "bob", "curly") else -0.14
    limit = np.maximum(hairline, np.where(np.abs(u) > _F(head.width * 0.90), _F(side), _F(-2.0)))
    distance = np.maximum(cap, (v - limit) * _F(0.8)) * _F(head.scale)
    canvas = head.canvas
    canvas.shade(canvas.cover(distance - _F(0.025), soft=0.07), 0.80)
    brightness = 0.42 + 0.40 * strands + 0.30 * u * _F(head.side) - 0.25 * (v + _F(0.55))
    canvas.paint(canvas.cover(distance), mix(*hair, brightness))


def _glasses(head: _Head, rng: Rng, look: dict[str, float]) -> None:
    """Two lenses in a frame, a bridge and the temples."""
    hue = rng.uniform(0, 360)
    frame = hsv(hue, rng.uniform(0.0, 0.7), rng.uniform(0.02, 0.38))
    if rng.random() < 0.2:  # metal
        frame = hsv(45, rng.uniform(0.1, 0.6), rng.uniform(0.6, 0.85))
    thick = rng.uniform(0.014, 0.032)
    wide, tall = rng.uniform(0.145, 0.175), rng.uniform(0.105, 0.155)
    corner = tall * rng.choice([0.35, 0.6, 1.0])
    level = look["level"] + 0.015
    glare = rng.uniform(0.05, 0.30)
    for sign in (-1.0, 1.0):
        u0 = sign * (look["apart"] + 0.012) + head.yaw
        lens, u, v = head.near(u0, level, wide + 0.06, tall + 0.06)
        distance = box(u, v, wide, tall, corner) * _F(head.scale)
        inside = lens.cover(distance)
        lens.shade(inside, 0.95)
        band = np.abs(u + v - _F(0.03)) - _F(0.04)
        lens.paint(inside * lens.cover(band, soft=0.03) * _F(glare), np.ones(3, _F))
        lens.paint(lens.cover(np.abs(distance) - _F(thick)), frame)
        inner = sign * (look["apart"] + 0.012 + wide)
        edge = sign * (head.width + 0.02)
        middle = (inner + head.yaw + edge) / 2
        temple, u, v = head.near(middle, level, 0.2, 0.1)
        line = capsule(u, v, inner + head.yaw - middle, -0.03, edge - middle, -0.01, thick * 0.8)
        temple.paint(temple.cover(line), frame)
    bridge, u, v = head.near(head.yaw, level - 0.02, 0.14, 0.08)
    arc = np.abs(v - u * u * _F(3.0)) - _F(thick * 0.9)
    half = max(look["apart"] + 0.012 - wide, 0.02)
    bridge.paint(bridge.cover(np.maximum(arc, np.abs(u) - _F(half))), frame)


def draw_face(smiling: bool, glasses: bool, rng: Rng, size: int) -> Array:
    """Draw one face.

    Arguments:
        smiling: Whether the mouth's corners are clearly up; otherwise they are level or down.
        glasses: Whether it wears glasses.
        rng: Decides everything else; the scene does not depend on the size.
        size: Side of the picture, in pixels.

    Returns:
        uint8 (size, size, 3).
    """
    canvas = Canvas(size)
    _ground(canvas, rng)
    head = _Head(canvas, rng)
    h, s, v = _SKINS[rng.integers(len(_SKINS))]
    h, s, v = h + rng.uniform(-4, 4), s * rng.uniform(0.92, 1.15), v * rng.uniform(0.93, 1.03)
    skin = (hsv(h - 6, min(1.0, s * 1.6), v * 0.54), hsv(h, s * 0.9, v * 1.04))
    hair = _hair_colours(rng)
    style = _STYLES[rng.integers(len(_STYLES))]
    smile = rng.uniform(0.5, 1.0) if smiling else rng.uniform(-0.42, 0.08)
    look = {
        "apart": rng.uniform(0.175, 0.215),
        "level": rng.uniform(-0.08, -0.03),
        "wide": rng.uniform(0.082, 0.105),
        "open": rng.uniform(0.034, 0.056) * (1.0 - 0.22 * max(smile, 0.0)),
        "slant": rng.uniform(-0.14, 0.10),
        "iris": rng.uniform(0.036, 0.046),
        "gaze": rng.uniform(-0.022, 0.022),
        "raise": rng.uniform(-0.02, 0.03),
        "frown": rng.uniform(-0.14, 0.12),
        "bow": rng.uniform(0.0, 0.35),
        "thick": rng.uniform(0.012, 0.028),
    }
    strands = canvas.noise(rng, 5, 30)
    _back_hair(head, rng, style, strands, hair)
    _body(head, rng, skin)
    face = _skin(head, rng, skin, smile)
    bearded = style in ("short", "bald") and rng.random() < 0.35
    if bearded:
        _beard(head, face, rng, hair)
    _nose(head, rng, skin)
    _mouth(head, rng, skin, smile)
    iris = hsv(*_EYES[rng.integers(len(_EYES))])
    lid = skin[0] * _F(0.35)
    for sign in (-1.0, 1.0):
        _eye(head, sign, look, iris, lid)
        _brow(head, sign, look, mix(hair[0], skin[0] * _F(0.4), 0.35))
    _front_hair(head, rng, style, strands, hair)
    angle, exposure, slope = rng.uniform(0.0, _TAU), rng.uniform(0.90, 1.08), rng.uniform(0.02, 0.1)
    if glasses:  # last of what asks the generator: without them all else stays the same
        _glasses(head, rng, look)
    light = canvas.x * _F(np.cos(angle)) + canvas.y * _F(np.sin(angle))
    canvas.rgb *= _F(exposure) + _F(slope) * light
    return canvas.to_bytes()
