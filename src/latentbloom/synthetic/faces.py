"""A rendered face: smiling or not, with or without glasses."""

from __future__ import annotations

import numpy as np

from latentbloom.synthetic import face_parts
from latentbloom.synthetic.canvas import TAU, Array, Canvas, Rng, ellipse, hsv, mix
from latentbloom.synthetic.head import Head, back_hair, bare_face, beard, body, front_hair

_F = np.float32

_EYES = ((25.0, 0.7, 0.30), (210.0, 0.5, 0.6), (110.0, 0.35, 0.42), (30.0, 0.6, 0.18))


def _room(canvas: Canvas, rng: Rng) -> None:
    """A room, out of focus."""
    hue, saturation = rng.uniform(0, 360), rng.uniform(0.08, 0.45)
    one = hsv(hue, saturation, rng.uniform(0.45, 0.9))
    two = hsv(hue + rng.uniform(-50, 50), saturation * 0.8, rng.uniform(0.18, 0.6))
    angle = rng.uniform(0, TAU)
    slope = canvas.x * _F(np.cos(angle)) + canvas.y * _F(np.sin(angle))
    canvas.paint(1.0, mix(one, two, 0.5 + 0.3 * slope + 0.35 * canvas.noise(rng, 3, 3)))
    for _ in range(int(rng.integers(0, 4))):
        x, y, r = rng.uniform(-1, 1), rng.uniform(-1, 0.4), rng.uniform(0.12, 0.35)
        spot = canvas.near(x, y, r + 0.1)
        distance = ellipse(spot.x - _F(x), spot.y - _F(y), r, r * rng.uniform(0.6, 1.6))
        cover = spot.cover(distance, soft=0.12) * _F(rng.uniform(0.1, 0.4))
        spot.paint(cover, hsv(hue + rng.uniform(-90, 90), 0.25, rng.uniform(0.5, 1.0)))


def render_face(smiling: bool, glasses: bool, rng: Rng, size: int) -> Array:
    """Render one face.

    Arguments:
        smiling: Whether the mouth's corners are clearly up; otherwise they are level or down.
        glasses: Whether it wears glasses.
        rng: Decides everything else; the scene does not depend on the size.
        size: Side of the picture, in pixels.

    Returns:
        uint8 (size, size, 3).
    """
    canvas = Canvas(size)
    _room(canvas, rng)
    smile = rng.uniform(0.5, 1.0) if smiling else rng.uniform(-0.42, 0.0)
    head = Head(canvas, rng, smile)
    back_hair(head, rng)
    body(head, rng)
    face = bare_face(head, rng)
    if head.style in ("short", "bald") and rng.random() < 0.35:
        beard(head, rng, face)
    face_parts.nose(head, rng)
    face_parts.mouth(head, rng)
    iris = hsv(*_EYES[rng.integers(len(_EYES))])
    for sign in (-1.0, 1.0):
        face_parts.eye(head, sign, iris)
        face_parts.brow(head, sign)
    front_hair(head, rng)
    angle, exposure, slope = rng.uniform(0.0, TAU), rng.uniform(0.90, 1.08), rng.uniform(0.02, 0.1)
    if glasses:  # last of what asks the generator: without them all else stays the same
        face_parts.glasses(head, rng)
    light = canvas.x * _F(np.cos(angle)) + canvas.y * _F(np.sin(angle))
    canvas.rgb *= _F(exposure) + _F(slope) * light
    return canvas.to_bytes()
