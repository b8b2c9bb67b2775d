"""Pictures of more than 8 bits a channel, masks, and pictures that need another package."""

from __future__ import annotations

import builtins
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from latentbloom.data.audit.run import audit_source
from latentbloom.data.reading import is_picture_name, read_picture
from latentbloom.data.sources.open import open_source
from latentbloom.errors import SourceError
from picture_files import noise, tree


def deep_tree(root: Path, highest: int, kind: type = np.uint16, ending: str = "png") -> Path:
    """Two labels of 12 pictures whose greatest value, over all, is `highest`."""
    for place, label in enumerate(("ct", "mr")):
        (root / label).mkdir(parents=True)
        for k in range(12):
            coarse = noise(100 * place + k, channels=1)[..., 0] / 255
            values = (coarse * highest * (0.5 + k / 40)).clip(0, 0.9 * highest)
            values[0, 0] = highest if k == 7 else 0
            Image.fromarray(values.astype(kind)).save(root / label / f"{k}.{ending}")
    return root


@pytest.mark.parametrize(
    ("highest", "white"), [(3952, 4095), (1000, 1023), (16000, 16383), (65000, 65535), (250, 255)]
)
def test_the_range_is_that_of_all_pictures(tmp_path: Path, highest: int, white: int) -> None:
    source = open_source(deep_tree(tmp_path, highest))
    (brightest,) = [e for e in source.entries if e.name == "ct/7.png"]

    pixels = source.read(brightest)

    assert pixels[0, 0, 0] == round(255 * highest / white)
    stored = np.asarray(Image.open(tmp_path / "ct" / "3.png")).astype(float)
    (other,) = [e for e in source.entries if e.name == "ct/3.png"]
    np.testing.assert_array_equal(source.read(other)[..., 0], np.rint(stored * 255 / white))
    said = " ".join(audit_source(source).notes)
    assert f"greatest value is {highest:,}" in said
    assert f"0 is black and {white:,} is white" in said
    assert ".png" in said


def test_sixteen_bits_are_treated_as_ever(tmp_path: Path) -> None:
    assert open_source(deep_tree(tmp_path / "a", 65000)).treatment == ""
    assert open_source(deep_tree(tmp_path / "b", 3000)).treatment == "white 4095"


def test_float_pictures_share_one_range(tmp_path: Path) -> None:
    source = open_source(deep_tree(tmp_path, 1, np.float32, "tif"))
    (brightest,) = [e for e in source.entries if e.name == "mr/7.tif"]
    assert source.read(brightest)[0, 0, 0] == 255
    assert "and 1 is white" in " ".join(source.notes)


def test_ordinary_pictures_have_no_range(tmp_path: Path) -> None:
    source = open_source(tree(tmp_path, {"a": 10, "b": 10}))
    assert source.treatment == ""
    assert not any("8 bits" in note for note in source.notes)


def test_masks_are_named(tmp_path: Path) -> None:
    root = tree(tmp_path, {"ct": 12, "mr": 12}, channels=1)
    for path in root.glob("ct/*.png"):
        mask = np.zeros((20, 20), np.uint8)
        mask[int(path.stem) % 5 :, 3:9] = 1
        Image.fromarray(mask).save(path)

    audit = audit_source(open_source(root))

    assert len(audit.dark) == 12
    (said,) = [line for line in audit.advice if "all but black" in line]
    assert said.startswith("12 pictures are all but black (ct/0.png, ct/1.png, ct/2.png and 9")
    assert "255 is white" in said


def test_one_black_frame_is_named(tmp_path: Path) -> None:
    root = tree(tmp_path, {"a": 12, "b": 12})
    Image.new("RGB", (20, 20), (3, 0, 9)).save(root / "b" / "night.png")
    (said,) = [line for line in audit_source(open_source(root)).advice if "all but black" in line]
    assert said.startswith("1 picture is all but black (b/night.png)")


def test_very_large_pictures_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree(tmp_path, {"a": 12, "b": 12})
    Image.new("RGB", (60, 50), (200, 100, 0)).save(root / "b" / "poster.png")
    monkeypatch.setattr("latentbloom.data.audit.run.HUGE", 2000)
    (said,) = [line for line in audit_source(open_source(root)).advice if "megapixels" in line]
    assert said.startswith("1 picture has more than 90 megapixels (b/poster.png)")


def saved_heic(path: Path, colour: tuple[int, int, int], size: int = 64) -> Path:
    import pillow_heif

    path.parent.mkdir(parents=True, exist_ok=True)
    file = pillow_heif.from_pillow(Image.new("RGB", (size, size), colour))
    file.save(path, quality=100)
    return path


@pytest.mark.parametrize("name", ["a.heic", "B.HEIC", "c.heif", "renamed.jpg"])
def test_heic(tmp_path: Path, name: str) -> None:
    picture = read_picture(saved_heic(tmp_path / name, (200, 60, 30)))

    assert is_picture_name(name)
    assert (picture.width, picture.height) == (64, 64)
    np.testing.assert_allclose(picture.pixels.mean(axis=(0, 1)), [200, 60, 30], atol=4)


def test_heic_without_what_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree(tmp_path, {"cat": 20, "dog": 20})
    for k in range(3):
        # What a HEIC file begins with, and a brand that is its own.
        (root / "dog" / f"IMG_{k}.HEIC").write_bytes(
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
        )
    plain = builtins.__import__

    def without(name: str, *args: Any, **options: Any) -> Any:
        if name == "pillow_heif":
            raise ImportError(name)
        return plain(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)

    audit = audit_source(open_source(root))

    assert sorted(aside.name for aside in audit.broken) == [f"dog/IMG_{k}.HEIC" for k in range(3)]
    assert "pip install 'latentbloom[heic]'" in audit.broken[0].reason
    assert audit.train + audit.val == 40


def test_a_broken_heic_file_is_named_as_one(tmp_path: Path) -> None:
    path = tmp_path / "a.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    with pytest.raises(SourceError, match=r"a\.heic .*: it is a HEIC picture that is broken"):
        read_picture(path)


def test_avif(tmp_path: Path) -> None:
    Image.new("RGB", (32, 32), (30, 160, 60)).save(tmp_path / "a.avif", quality=95)
    pixels = read_picture(tmp_path / "a.avif").pixels
    np.testing.assert_allclose(pixels.mean(axis=(0, 1)), [30, 160, 60], atol=5)


def test_very_large_pictures_bring_no_warning_of_pillow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (60, 50)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)  # 3,000 are more, and less than twice
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_picture(tmp_path / "a.png").width == 60
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(SourceError, match=r"a\.png .*: it has more than 2,000 pixels; make it"):
        read_picture(tmp_path / "a.png")
