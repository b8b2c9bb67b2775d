"""A picture of any shape, brought to that of a model as its training pictures were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from latentbloom.config import DataSettings
from latentbloom.data.one_picture import fit_picture, read_fitted
from latentbloom.data.sources.open import open_source
from latentbloom.errors import SourceError


def settings(**options: Any) -> DataSettings:
    return DataSettings.model_validate({"source": "pictures", "size": 32, "channels": 3, **options})


def colourful(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_picture_that_fits_is_left_alone() -> None:
    pixels = colourful(32, 32)
    fitted = fit_picture(pixels, settings())
    assert np.array_equal(fitted.pixels, pixels.transpose(2, 0, 1))
    assert fitted.note == ""


@pytest.mark.parametrize(
    ("shape", "options", "note"),
    [
        ((32, 40), {}, "As in training: cropped to the central square."),
        ((32, 40), {"fit": "squeeze"}, "As in training: squeezed into a square and resized from"),
        ((64, 64), {}, "As in training: resized from 64x64 to 32x32 pixels."),
        ((32, 32), {"channels": 1}, "As in training: colour made grey."),
        ((218, 178), {"source": "celeba"}, "As in training: cropped to the face (148 of 178"),
        (
            (218, 178),
            {},
            "As in training: cropped to the central square and resized from 178x218",
        ),
        ((300, 300), {"source": "celeba"}, "The model knows faces that fill a square"),
        (
            (32, 32),
            {"source": "flowers102", "background": "white"},
            "The model was trained with a white background, and this picture keeps its own",
        ),
    ],
)
def test_what_is_done_is_said(shape: tuple[int, int], options: dict[str, Any], note: str) -> None:
    fitted = fit_picture(colourful(*shape), settings(**options))
    assert note in fitted.note
    channels = options.get("channels", 3)
    assert fitted.pixels.shape == (channels, 32, 32)


def test_grey_for_a_colour_model() -> None:
    fitted = fit_picture(colourful(32, 32)[..., :1], settings())
    assert (fitted.pixels == fitted.pixels[:1]).all()
    assert fitted.note == (
        "As in training: grey made three channels. The picture is grey, and the model knows colour "
        "pictures."
    )


@pytest.mark.parametrize("crop", [108, 148, 178])
def test_a_face_is_cropped_as_in_training(tmp_path: Path, crop: int) -> None:
    """The published set's own reader is the other side of the comparison."""
    from latentbloom.data.imageset import ImageSet

    folder = tmp_path / "celeba" / "img_align_celeba"
    folder.mkdir(parents=True)
    names = [f"{k:06d}.png" for k in range(1, 17)]
    for name in names:
        Image.fromarray(colourful(218, 178)).save(folder / name)
    rows = "\n".join(f"{name} 1" for name in names)
    (tmp_path / "celeba" / "list_attr_celeba.txt").write_text(f"16\nSmiling\n{rows}\n")
    data = settings(source="celeba", root=str(tmp_path), crop=crop, val_share=0)
    source = open_source(data)
    expected = ImageSet(source, source.entries[:1], size=32, channels=3).images([0])[0]
    fitted = read_fitted(folder / names[0], data)
    assert np.array_equal(fitted.pixels, expected.numpy())


def test_a_photo_is_named_by_its_full_size(tmp_path: Path) -> None:
    """Its decoder may read half of it: a JPEG of 400 x 300 at 200 x 150."""
    Image.fromarray(colourful(300, 400)).save(tmp_path / "photo.jpg")
    note = read_fitted(tmp_path / "photo.jpg", settings()).note
    assert note.endswith("central square and resized from 400x300 to 32x32 pixels.")


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"x")
    with pytest.raises(SourceError, match=r"x\.png cannot be read as a picture"):
        read_fitted(tmp_path / "x.png", settings())
