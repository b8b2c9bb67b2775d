"""Eyes, brows, nose, mouth and glasses of a rendered face."""

from __future__ import annotations

import numpy as np

from latentbloom.synthetic.canvas import Array, Rng, box, capsule, ellipse, hsv, mix
from latentbloom.synthetic.head import Head

_F = np.float32


def eye(head: Head, sign: float, colour: Array) -> None:
    """One eye: white, iris, pupil, glint, and the line of the lid.

    Arguments:
        head: The head that gets it.
        sign: -1 for the eye on the left, 1 for the one on the right.
        colour: Of the iris.
    """
    look, lid = head.look, head.skin[0] * _F(0.35)
    u0 = sign * look.apart + head.yaw
    patch, u, v = head.near(u0, look.level, 0.19, 0.16)
    patch.shade(patch.cover(ellipse(u, v + _F(0.02), 0.10, 0.07), soft=0.14), 0.84)
    slant = v - _F(sign * look.slant) * u
    arch = _F(1.0) - (u * _F(1 / look.wide)) ** 2
    upper = slant + _F(look.open) * arch
    lower = _F(0.62 * look.open) * arch - slant
    almond = patch.cover(-np.minimum(upper, lower) * _F(0.8 * head.scale))
    patch.paint(almond, np.array([0.96, 0.95, 0.93], _F))
    iu, iv = u - _F(look.gaze), v + _F(0.006)
    radius = look.iris
    rho = np.sqrt(iu * iu + iv * iv)
    iris = almond * patch.cover((rho - _F(radius)) * _F(head.scale))
    patch.paint(iris, mix(colour * _F(0.55), colour, rho * _F(1 / radius)))
    patch.paint(almond * patch.cover(rho - _F(radius * 0.48)), np.array([0.03, 0.02, 0.02], _F))
    glint = ellipse(iu + _F(0.016), iv + _F(0.018), 0.013, 0.013)
    patch.paint(almond * patch.cover(glint) * _F(0.9), np.ones(3, _F))
    rim = np.maximum(np.abs(upper) - _F(0.014), np.abs(u) - _F(look.wide * 1.08))
    patch.paint(patch.cover(rim) * _F(0.9), lid)
    rim = np.maximum(np.abs(lower) - _F(0.003), np.abs(u) - _F(look.wide * 0.8))
    patch.paint(patch.cover(rim) * _F(0.35), lid)


def brow(head: Head, sign: float) -> None:
    """One brow: a stroke that thins outwards; `sign` as for the eye."""
    look = head.look
    colour = mix(head.hair[0], head.skin[0] * _F(0.4), 0.35)
    patch, u, v = head.near(sign * look.apart + head.yaw, look.level - 0.16, 0.22, 0.12)
    outward = u * _F(sign)
    line = v + _F(look.lift) + _F(look.frown) * outward
    line += _F(look.bow) * (u * u * _F(8.0) - _F(0.04))
    thick = _F(look.thick) * (_F(1.15) - outward * _F(2.4))
    distance = np.maximum(np.abs(line) - thick, np.abs(u) - _F(look.wide * 1.25))
    patch.paint(patch.cover(distance * _F(0.8), soft=0.012) * _F(0.85), colour)


def nose(head: Head, rng: Rng) -> None:
    """The shadow beside the ridge, the light on it, the tip and the nostrils."""
    tip, wide = rng.uniform(0.17, 0.24), rng.uniform(0.055, 0.085)
    middle = 1.4 * head.yaw
    patch, u, v = head.near(middle, tip - 0.12, 0.24, 0.32)
    side = -np.sign(head.side) * wide * 0.8
    ridge = capsule(u, v, side * 0.5, -0.16, side, 0.10, 0.025)
    patch.shade(patch.cover(ridge, soft=0.09), 0.86)
    light = capsule(u, v, -side * 0.15, -0.14, -side * 0.2, 0.08, 0.012)
    patch.paint(patch.cover(light, soft=0.07) * _F(0.35), head.skin[1])
    under = np.abs(v - _F(0.155) + u * u * _F(5.0)) - _F(0.008)
    under = np.maximum(under, np.abs(u) - _F(wide * 1.1))
    patch.shade(patch.cover(under, soft=0.03), 0.66)
    for sign in (-1.0, 1.0):
        hole = ellipse(u - _F(sign * wide * 0.55), v - _F(0.145), 0.022, 0.013)
        patch.shade(patch.cover(hole, soft=0.015), 0.45)


def mouth(head: Head, rng: Rng) -> None:
    """Lips on a curved line, whose corners the smile lifts or drops; sometimes teeth."""
    smile = head.smile
    level = rng.uniform(0.36, 0.40) - 0.01 * smile
    wide = rng.uniform(0.155, 0.19) + 0.045 * max(smile, 0.0)
    gap = rng.uniform(0.02, 0.085) if smile > 0 else rng.uniform(0.02, 0.05)
    if rng.random() < (0.3 if smile > 0 else 0.75):
        gap = 0.0
    # A mouth that opens downwards alone looks like a grin: without a smile it opens both ways.
    rise = 0.0 if smile > 0 else 0.5 * gap
    full = rng.uniform(0.026, 0.048)
    lips = mix(head.skin[0], hsv(rng.uniform(345, 364), rng.uniform(0.4, 0.8), 0.8), 0.55)
    patch, u, v = head.near(1.1 * head.yaw, level, 0.36, 0.26)
    q = u * _F(1.0 / wide)
    arch = _F(1.0) - q * q
    # Beyond its corners the line goes on straight, so that nothing runs up to the ears.
    line = v + _F(0.13 * smile) * (np.minimum(np.abs(q), _F(1.15)) ** 2 - _F(0.5))
    if smile > 0.2:  # folds from the nose past the corners, and lifted cheeks
        for sign in (-1.0, 1.0):
            fold = capsule(u, v, sign * (wide + 0.0), -0.17, sign * (wide + 0.06), -0.02, 0.004)
            patch.shade(patch.cover(fold, soft=0.05), 1.0 - 0.32 * smile)
    chin = np.abs(line - _F(gap + 1.9 * full)) - _F(0.01)
    patch.shade(patch.cover(np.maximum(chin, np.abs(u) - _F(0.11)), soft=0.05), 0.86)
    cupid = _F(full) * (_F(0.75) + 0.25 * np.minimum(np.abs(q * _F(3.0)), _F(1.0)))
    above = -line - (cupid + _F(rise)) * np.maximum(arch, 0.0)
    below = line - _F(gap + 1.25 * full) * np.maximum(arch, 0.0)
    inside = np.maximum(np.maximum(above, below), np.abs(u) - _F(wide))
    gloss = 0.55 + 0.35 * np.cos((line - _F(gap + 0.6 * full)) * _F(1.6 / full))
    patch.paint(patch.cover(inside), mix(lips * _F(0.62), lips * _F(1.12), gloss))
    corner = np.abs(u) - _F(wide * 1.02)
    if gap > 0.0:
        upper, lower = -line - _F(rise) * arch, line - _F(gap - rise) * arch
        opening = np.maximum(np.maximum(upper, lower), corner)
        patch.paint(patch.cover(opening), np.array([0.22, 0.06, 0.06], _F))
        shown = 0.82 * gap if smile > 0 else 0.1 * gap - rise
        teeth = np.maximum(opening + _F(0.004), line - _F(shown) * arch)
        patch.paint(patch.cover(teeth), np.array([0.97, 0.96, 0.93], _F))
    else:
        slit = np.maximum(np.abs(line) - _F(0.008), corner)
        patch.paint(patch.cover(slit, soft=0.01), lips * _F(0.32))
    for sign in (-1.0, 1.0):
        dimple = ellipse(u - _F(sign * wide * 1.02), line, 0.018, 0.014)
        patch.shade(patch.cover(dimple, soft=0.03), 0.72)


def glasses(head: Head, rng: Rng) -> None:
    """Two lenses in a frame, a bridge and the temples."""
    look = head.look
    # The label must be visible: dark frames on fair skin, light ones or metal on dark skin.
    metal = rng.random() < 0.5
    if head.skin[1].mean() > 0.55:
        frame = hsv(rng.uniform(0, 360), rng.uniform(0.0, 0.7), rng.uniform(0.02, 0.30))
    elif metal:
        frame = hsv(45, rng.uniform(0.1, 0.6), rng.uniform(0.75, 0.95))
    else:
        frame = hsv(rng.uniform(0, 360), rng.uniform(0.0, 0.4), rng.uniform(0.75, 1.0))
    thick = rng.uniform(0.016, 0.032)
    wide, tall = rng.uniform(0.145, 0.175), rng.uniform(0.105, 0.155)
    corner = tall * rng.choice([0.35, 0.6, 1.0])
    level = look.level + 0.015
    glare = rng.uniform(0.05, 0.30)
    for sign in (-1.0, 1.0):
        u0 = sign * (look.apart + 0.012) + head.yaw
        lens, u, v = head.near(u0, level, wide + 0.06, tall + 0.06)
        distance = box(u, v, wide, tall, corner) * _F(head.scale)
        inside = lens.cover(distance)
        lens.shade(inside, 0.95)
        band = np.abs(u + v - _F(0.03)) - _F(0.04)
        lens.paint(inside * lens.cover(band, soft=0.03) * _F(glare), np.ones(3, _F))
        lens.paint(lens.cover(np.abs(distance) - _F(thick)), frame)
        inner = sign * (look.apart + 0.012 + wide)
        edge = sign * (head.width + 0.02)
        middle = (inner + head.yaw + edge) / 2
        temple, u, v = head.near(middle, level, 0.2, 0.1)
        line = capsule(u, v, inner + head.yaw - middle, -0.03, edge - middle, -0.01, thick * 0.8)
        temple.paint(temple.cover(line), frame)
    bridge, u, v = head.near(head.yaw, level - 0.02, 0.14, 0.08)
    arc = np.abs(v - u * u * _F(3.0)) - _F(thick * 0.9)
    half = max(look.apart + 0.012 - wide, 0.02)
    bridge.paint(bridge.cover(np.maximum(arc, np.abs(u) - _F(half))), frame)
