"""Colours are those of a viewer, by the profile in the file."""

from __future__ import annotations

import io
import itertools
import struct
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from PIL import Image, ImageCms

from latentbloom.data.reading import read_picture

Lab: TypeAlias = tuple[float, float, float]


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def matrix_profile(gamma: float, primaries: list[list[float]]) -> bytes:
    """An RGB profile written by hand: XYZ (D50) of the three primaries, and one gamma."""

    def s15(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    def xyz(values: list[float]) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(s15(v) for v in values)

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"hand\0" + bytes(78)
    tags = {b"desc": text, b"wtpt": xyz([0.9642, 1.0, 0.8249]), b"cprt": b"text\0\0\0\0x\0\0\0"}
    tags |= {k: xyz(v) for k, v in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    return _assembled(b"RGB ", tags)


def grey_profile(gamma: float) -> bytes:
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    white = b"XYZ \0\0\0\0" + struct.pack(">iii", 63190, 65536, 54061)
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"grey\0" + bytes(78)
    return _assembled(b"GRAY", {b"desc": text, b"wtpt": white, b"kTRC": curve})


def ink_profile(paper: Lab, all_cyan: Lab) -> bytes:
    """A CMYK profile (ICC's lut8) that is `paper` without ink, `all_cyan` with cyan, else black."""

    def encoded(colour: Lab) -> bytes:
        lightness, a, b = colour
        return bytes((round(2.55 * lightness), round(a + 128), round(b + 128)))

    corners: dict[tuple[int, ...], Lab] = {(0, 0, 0, 0): paper, (1, 0, 0, 0): all_cyan}
    every = itertools.product((0, 1), repeat=4)  # the last ink runs fastest
    table = b"".join(encoded(corners.get(inks, (0.0, 0.0, 0.0))) for inks in every)
    same = bytes(range(256))
    identity = b"".join(struct.pack(">i", 65536 if k % 4 == 0 else 0) for k in range(9))
    lut = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + identity + 4 * same + table + 3 * same
    text = b"desc\0\0\0\0" + struct.pack(">I", 4) + b"ink\0" + bytes(78)
    white = b"XYZ \0\0\0\0" + struct.pack(">iii", 63190, 65536, 54061)
    made = bytearray(_assembled(b"CMYK", {b"desc": text, b"wtpt": white, b"A2B0": lut}))
    made[12:16], made[20:24] = b"prtr", b"Lab "
    return bytes(made)


def srgb_of_lab(colour: Lab) -> list[int]:
    """CIE Lab under D50 to sRGB under D65, by the formulas of the two standards (Bradford)."""
    lightness, a, b = colour
    y = (lightness + 16) / 116
    roots = np.array([y + a / 500, y, y - b / 200])
    ratio = np.where(roots > 6 / 29, roots**3, 3 * (6 / 29) ** 2 * (roots - 4 / 29))
    xyz = ratio * np.array([0.9642, 1.0, 0.8249])
    linear = np.array(
        [[3.1339, -1.6169, -0.4906], [-0.9788, 1.9161, 0.0335], [0.0719, -0.2290, 1.4052]]
    )
    return [srgb_of(value) for value in (linear @ xyz).clip(0, 1).tolist()]


def _assembled(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    table, body = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = bytearray(128)
    head[0:4] = struct.pack(">I", start + len(body))
    head[8:24] = b"\x02\x10\0\0" + b"mntr" + space + b"XYZ "
    head[24:40] = struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp"
    head[68:80] = struct.pack(">iii", 63190, 65536, 54061)
    return bytes(head) + struct.pack(">I", len(tags)) + table + body


# Primaries of sRGB, adapted to D50 (ICC's own table), so that only the gamma differs.
SRGB = [[0.4361, 0.2225, 0.0139], [0.3851, 0.7169, 0.0971], [0.1431, 0.0606, 0.7141]]


def srgb_of(linear: float) -> int:
    """IEC 61966-2-1."""
    value = 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
    return round(255 * value)


def shown(path: Path, image: Image.Image, profile: bytes, **options: Any) -> np.ndarray:
    image.save(path, icc_profile=profile, **options)
    return read_picture(path).pixels


@pytest.mark.parametrize("ending", ["png", "tif", "webp"])
@pytest.mark.parametrize("level", [40, 128, 200])
def test_another_gamma(tmp_path: Path, ending: str, level: int) -> None:
    image = Image.new("RGB", (4, 4), (level, level, level))
    options = {"lossless": True} if ending == "webp" else {}

    pixels = shown(tmp_path / f"a.{ending}", image, matrix_profile(1.0, SRGB), **options)

    expected = srgb_of(level / 255)  # gamma 1: the values are linear light
    np.testing.assert_allclose(pixels, np.full((4, 4, 3), expected), atol=1)
    assert abs(expected - level) > 20


def test_swapped_primaries_swap_the_channels(tmp_path: Path) -> None:
    image = Image.new("RGB", (4, 4), (200, 90, 30))
    red, green, blue = SRGB

    pixels = shown(tmp_path / "a.png", image, matrix_profile(2.2, [blue, green, red]))

    plain = shown(tmp_path / "b.png", Image.new("RGB", (4, 4), (30, 90, 200)), srgb_profile())
    np.testing.assert_allclose(pixels.astype(int), plain, atol=8)  # gamma 2.2 is nearly sRGB's


def test_an_srgb_profile_changes_no_bit(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)

    np.testing.assert_array_equal(
        shown(tmp_path / "a.png", Image.fromarray(pixels), srgb_profile()), pixels
    )


def test_grey_stays_grey(tmp_path: Path) -> None:
    ramp = np.arange(0, 256, 16, dtype=np.uint8).reshape(4, 4)

    pixels = shown(tmp_path / "a.png", Image.fromarray(ramp), grey_profile(1.0))

    expected = [srgb_of(value / 255) for value in ramp.ravel().tolist()]
    assert pixels.shape == (4, 4, 1)
    np.testing.assert_allclose(pixels.ravel(), expected, atol=1)


def test_sixteen_bit_grey_has_a_profile_too(tmp_path: Path) -> None:
    deep = Image.fromarray(np.full((4, 4), 128 * 257, np.uint16))

    pixels = shown(tmp_path / "a.png", deep, grey_profile(1.0))

    np.testing.assert_allclose(pixels, srgb_of(128 / 255), atol=1)


def test_transparency_stays(tmp_path: Path) -> None:
    image = Image.new("RGBA", (2, 1), (128, 128, 128, 255))
    image.putpixel((1, 0), (128, 128, 128, 0))

    pixels = shown(tmp_path / "a.png", image, matrix_profile(1.0, SRGB))

    expected = srgb_of(128 / 255)
    np.testing.assert_allclose(pixels[0], [[expected] * 3, [255] * 3], atol=1)


def test_a_palette_with_a_transparent_colour(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
    image.putpalette([128, 128, 128, 10, 20, 30])

    pixels = shown(tmp_path / "a.png", image, matrix_profile(1.0, SRGB), transparency=1)

    np.testing.assert_allclose(pixels[0], [[srgb_of(128 / 255)] * 3, [255] * 3], atol=1)


@pytest.mark.parametrize("profile", [b"no profile", grey_profile(1.0), b"\0" * 128])
def test_a_profile_that_is_broken_or_does_not_fit_is_ignored(
    tmp_path: Path, profile: bytes
) -> None:
    image = Image.new("RGB", (4, 4), (10, 100, 200))

    np.testing.assert_array_equal(
        shown(tmp_path / "a.png", image, profile), np.full((4, 4, 3), (10, 100, 200))
    )


@pytest.mark.parametrize("ending", ["jpg", "tif"])
@pytest.mark.parametrize("colour", [(50.0, 20.0, -30.0), (62.0, -24.0, -30.0)])
def test_ink_is_shown_by_its_profile(tmp_path: Path, ending: str, colour: Lab) -> None:
    image = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    options = {"quality": 100} if ending == "jpg" else {}

    pixels = shown(
        tmp_path / f"a.{ending}", image, ink_profile((96.0, 0.0, 0.0), colour), **options
    )

    np.testing.assert_allclose(pixels.mean(axis=(0, 1)), srgb_of_lab(colour), atol=3)
    assert np.abs(pixels.mean(axis=(0, 1)) - (0, 255, 255)).max() > 50  # as without a profile


def test_ink_without_a_profile_is_as_before(tmp_path: Path) -> None:
    inks = Image.new("CMYK", (4, 4), (0, 200, 200, 30))
    inks.save(tmp_path / "a.tif")

    assert read_picture(tmp_path / "a.tif").pixels[0, 0].tolist() == [225, 49, 49]


def test_a_viewer_agrees_on_another_profile(tmp_path: Path) -> None:
    """LittleCMS in one call is the oracle for a profile that it makes itself."""
    lab = ImageCms.createProfile("LAB")
    wide = matrix_profile(1.8, [[0.7977, 0.288, 0.0], [0.1352, 0.7119, 0.0], [0.0313, 0.0, 0.8251]])
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (8, 8, 3), dtype=np.uint8))

    pixels = shown(tmp_path / "a.png", image, wide)

    opened = ImageCms.ImageCmsProfile(io.BytesIO(wide))
    through_lab = ImageCms.profileToProfile(image, opened, lab, outputMode="LAB")
    assert through_lab is not None
    back = ImageCms.profileToProfile(
        through_lab, lab, ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    assert back is not None
    assert np.abs(pixels.astype(int) - np.asarray(back).astype(int)).mean() < 2.5
    assert np.abs(pixels.astype(int) - np.asarray(image).astype(int)).mean() > 10
