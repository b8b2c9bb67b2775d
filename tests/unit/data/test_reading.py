"""Picture files of every kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from latentbloom.data.reading import Picture, is_picture_name, read_picture
from latentbloom.errors import SourceError
from picture_files import noise, save


def written(path: Path, image: Image.Image, **options: Any) -> Picture:
    image.save(path, **options)
    return read_picture(path)


def colours() -> np.ndarray:
    """A picture without symmetry, 4 high and 6 wide."""
    return np.arange(72, dtype=np.uint8).reshape(4, 6, 3) * 3


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "webp", "ppm", "gif"])
def test_colour(tmp_path: Path, ending: str) -> None:
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[:2, :2], pixels[2:], pixels[:2, 2:] = (255, 0, 0), (0, 255, 0), (10, 20, 200)
    options = {"lossless": True} if ending == "webp" else {}

    picture = written(tmp_path / f"a.{ending}", Image.fromarray(pixels), **options)

    np.testing.assert_array_equal(picture.pixels, pixels)
    assert (picture.width, picture.height) == (6, 4)
    assert picture.mode == ("P" if ending == "gif" else "RGB")


def test_grey_has_one_channel(tmp_path: Path) -> None:
    pixels = colours()[..., 0]

    picture = written(tmp_path / "a.png", Image.fromarray(pixels))

    np.testing.assert_array_equal(picture.pixels, pixels[..., None])
    assert picture.mode == "L"


def test_one_bit_a_pixel(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8)).convert("1")

    picture = written(tmp_path / "a.png", image)

    np.testing.assert_array_equal(picture.pixels[..., 0], [[0, 255], [255, 0]])


def test_transparency_is_put_on_white(tmp_path: Path) -> None:
    pixels = np.array([[[200, 100, 0, 255], [200, 100, 0, 0], [200, 100, 0, 51]]], np.uint8)

    picture = written(tmp_path / "a.png", Image.fromarray(pixels))

    # alpha 51/255 = 0.2: 0.2 * colour + 0.8 * 255
    np.testing.assert_array_equal(
        picture.pixels, [[[200, 100, 0], [255, 255, 255], [244, 224, 204]]]
    )
    assert picture.mode == "RGBA"


def test_grey_with_transparency_stays_grey(tmp_path: Path) -> None:
    pixels = np.array([[[100, 255], [100, 0], [100, 51]]], np.uint8)

    picture = written(tmp_path / "a.png", Image.fromarray(pixels))

    np.testing.assert_array_equal(picture.pixels, [[[100], [255], [224]]])
    assert picture.mode == "LA"


def test_a_colour_declared_transparent(tmp_path: Path) -> None:
    pixels = np.array([[[200, 100, 0], [1, 2, 3]]], np.uint8)

    picture = written(tmp_path / "a.png", Image.fromarray(pixels), transparency=(1, 2, 3))

    np.testing.assert_array_equal(picture.pixels, [[[200, 100, 0], [255, 255, 255]]])


@pytest.mark.parametrize("transparent", [False, True])
def test_palette(tmp_path: Path, transparent: bool) -> None:
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8)).convert("P")
    image.putpalette([255, 0, 0, 0, 200, 0, 0, 0, 100])
    options = {"transparency": 1} if transparent else {}

    picture = written(tmp_path / "a.png", image, **options)

    middle = [255, 255, 255] if transparent else [0, 200, 0]
    np.testing.assert_array_equal(picture.pixels, [[[255, 0, 0], middle, [0, 0, 100]]])
    assert picture.mode == "P"


def test_cmyk(tmp_path: Path) -> None:
    inks = np.zeros((16, 16, 4), np.uint8)
    inks[..., 1] = 255  # magenta alone: no green

    picture = written(tmp_path / "a.jpg", Image.fromarray(inks, "CMYK"), quality=100)

    assert picture.mode == "CMYK"
    np.testing.assert_allclose(picture.pixels.mean(axis=(0, 1)), [255, 0, 255], atol=4)


def test_sixteen_bits_are_scaled_from_their_full_range(tmp_path: Path) -> None:
    deep = np.array([[0, 257, 32896, 65535]], np.uint16)

    picture = written(tmp_path / "a.png", Image.fromarray(deep))

    np.testing.assert_array_equal(picture.pixels[..., 0], [[0, 1, 128, 255]])
    assert picture.mode.startswith("I")


def test_dark_sixteen_bit_pictures_stay_dark(tmp_path: Path) -> None:
    picture = written(tmp_path / "a.png", Image.fromarray(np.full((2, 2), 200, np.uint16)))

    assert picture.pixels.max() <= 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 100.0, 255.0], [0, 100, 255]),
        ([0.0, 257.0, 65535.0], [0, 1, 255]),
        ([-5.0, 0.0, 1e6], [0, 0, 255]),
    ],
)
def test_float_grey(tmp_path: Path, values: list[float], expected: list[int]) -> None:
    picture = written(tmp_path / "a.tif", Image.fromarray(np.array([values], np.float32)))

    np.testing.assert_array_equal(picture.pixels[0, :, 0], expected)


def test_float_grey_that_is_not_finite(tmp_path: Path) -> None:
    Image.fromarray(np.array([[np.nan, 1.0]], np.float32)).save(tmp_path / "a.tif")

    with pytest.raises(SourceError, match="it holds values that are not finite"):
        read_picture(tmp_path / "a.tif")


# What a camera held like this writes: the upright picture, turned back by hand.
_STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["png", "tif", "webp"])
def test_rotation_noted_in_exif(tmp_path: Path, ending: str, orientation: int) -> None:
    upright = colours()
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(_STORED[orientation](upright)))
    options = {"lossless": True} if ending == "webp" else {}

    picture = written(tmp_path / f"a.{ending}", stored, exif=exif, **options)

    np.testing.assert_array_equal(picture.pixels, upright)
    assert (picture.width, picture.height) == (6, 4)


def test_a_rotated_jpeg_that_is_decoded_at_a_fraction(tmp_path: Path) -> None:
    pixels = np.zeros((320, 480, 3), np.uint8)
    pixels[:, 240:] = 255  # black left, white right
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to see it upright: black above, white below
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif)

    picture = read_picture(tmp_path / "a.jpg", size=32)

    assert (picture.width, picture.height) == (320, 480)
    height, width = picture.pixels.shape[:2]
    assert width < 320
    assert height > width >= 64
    assert picture.pixels[: height // 2 - 2].max() < 10
    assert picture.pixels[height // 2 + 2 :].min() > 245


def test_garbled_exif_does_not_spoil_a_picture(tmp_path: Path) -> None:
    Image.fromarray(colours()).save(tmp_path / "a.png", exif=b"Exif\x00\x00MM\x00*garbage")

    np.testing.assert_array_equal(read_picture(tmp_path / "a.png").pixels, colours())


def test_a_small_jpeg_is_decoded_whole_whatever_the_size(tmp_path: Path) -> None:
    Image.fromarray(noise(1, height=64, width=64)).save(tmp_path / "a.jpg", quality=95)

    whole, sized = (read_picture(tmp_path / "a.jpg", size=size) for size in (None, 64))

    np.testing.assert_array_equal(whole.pixels, sized.pixels)


def test_an_animation_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((4, 4), value, np.uint8)) for value in (0, 255)]

    picture = written(tmp_path / "a.gif", frames[0], save_all=True, append_images=frames[1:])

    assert picture.pixels.max() == 0


def test_a_file_cut_short(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", noise(1, height=64, width=64))
    path.write_bytes(path.read_bytes()[:60])

    with pytest.raises(SourceError) as error:
        read_picture(path)

    assert str(error.value).startswith(f"{path} cannot be read as a picture: ")
    assert "truncated" in str(error.value).lower()


def test_a_file_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("not a picture")

    with pytest.raises(SourceError, match=r"a\.jpg cannot .*: its content is not a known picture"):
        read_picture(tmp_path / "a.jpg")


def test_an_empty_file_and_a_missing_one(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    with pytest.raises(SourceError, match="its content is not a known picture format"):
        read_picture(tmp_path / "a.jpg")
    with pytest.raises(SourceError, match="there is no such file"):
        read_picture(tmp_path / "b.jpg")


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("a.JPG", True), ("a.b.png", True), ("a.txt", False), ("png", False), ("a.svg", False)],
)
def test_picture_names(name: str, is_one: bool) -> None:
    assert is_picture_name(name) is is_one
