"""Pictures that the audit decoded are read by training, not decoded again."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from latentbloom.config import SourceOptions
from latentbloom.data import imageset, kept, kept_rows
from latentbloom.data.audit.run import audit_source
from latentbloom.data.imageset import ImageSet
from latentbloom.data.kept import KeepPictures, open_kept
from latentbloom.data.pixels import Fit, with_channels
from latentbloom.data.reading import read_picture
from latentbloom.data.sources.base import Source
from latentbloom.data.sources.open import open_source
from picture_files import noise
from published_files import flowers102, segmentations


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("LATENTBLOOM_CACHE", str(folder))
    return folder


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Large JPEGs of many shapes, and one grey and one transparent picture."""
    for k in range(40):
        label = tmp_path / "photographs" / ("cat" if k % 2 else "dog")
        label.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(noise(k, height=300 + 7 * k, width=500 - 5 * k))
        if k == 3:
            image.convert("L").save(label / f"{k}.jpg")
        elif k == 4:
            image.convert("RGBA").save(label / f"{k}.png")
        else:
            image.save(label / f"{k}.jpg", quality=85)
    return tmp_path / "photographs"


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Files in the order in which they are decoded."""
    decoded: list[Path] = []

    def read(path: Path, *, size: int | None = None, white: float | None = None) -> Any:
        decoded.append(path)
        return read_picture(path, size=size, white=white)

    monkeypatch.setattr("latentbloom.data.sources.base.read_picture", read)
    return decoded


def everything(source: Source, size: int = 64, channels: int = 3, fit: Fit = "crop") -> np.ndarray:
    images = ImageSet(source, source.entries, size=size, channels=channels, fit=fit)
    return images.images(range(len(images))).numpy()


def decoded_again(
    source: Source, size: int, channels: int, fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> np.ndarray:
    with monkeypatch.context() as patch:
        patch.setattr(imageset, "open_kept", lambda *_, **__: None)
        return everything(source, size, channels, fit)


@pytest.mark.parametrize("fit", ["crop", "squeeze"])
@pytest.mark.parametrize(("size", "channels"), [(64, 3), (64, 1), (32, 3), (96, 3)])
def test_the_same_pixels_as_decoding_again_without_decoding(
    photographs: Path, monkeypatch: pytest.MonkeyPatch, size: int, channels: int, fit: Fit
) -> None:
    source = open_source(photographs)
    audit_source(source, size=size, keep=fit)
    expected = decoded_again(source, size, channels, fit, monkeypatch)
    decoded = counted(monkeypatch)

    found = everything(source, size, channels, fit)

    assert decoded == []
    np.testing.assert_array_equal(found, expected)


def test_the_audit_guesses_the_size_and_finds_the_same(photographs: Path) -> None:
    source = open_source(photographs)

    audit = audit_source(source, keep="crop")

    assert audit.suggested_size == 64
    assert open_kept(source, size=64, fit="crop") is not None
    without = audit_source(source)
    assert audit.model_copy(update={"seconds": 0}) == without.model_copy(update={"seconds": 0})


def test_another_size_or_fit_is_decoded(photographs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_source(photographs)
    audit_source(source, size=64, keep="crop")
    decoded = counted(monkeypatch)

    everything(source, size=96)
    everything(source, fit="squeeze")

    assert len(decoded) == 2 * len(source.entries)


def test_a_changed_file_is_decoded_again(
    photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_source(photographs)
    audit_source(source, keep="crop")
    changed = source.entries[5].path
    assert changed is not None
    Image.fromarray(noise(900, height=400, width=400)).save(changed)
    touched = source.entries[6].path
    assert touched is not None
    os.utime(touched, ns=(1, 1))
    decoded = counted(monkeypatch)

    found = everything(source)

    assert decoded == [changed, touched]
    np.testing.assert_array_equal(found, decoded_again(source, 64, 3, "crop", monkeypatch))


def test_added_pictures_leave_the_others_kept(
    photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit_source(open_source(photographs), keep="crop")
    Image.fromarray(noise(901, height=400, width=400)).save(photographs / "cat" / "new.jpg")
    decoded = counted(monkeypatch)

    everything(open_source(photographs))

    assert decoded == [photographs / "cat" / "new.jpg"]


def test_a_changed_segmentation_is_noticed(tmp_path: Path) -> None:
    folder = flowers102(tmp_path / "flowers-102")
    segmentations(folder)
    options = SourceOptions(source="flowers102", root=str(tmp_path), background="white")
    source = open_source(options)
    with KeepPictures(source, size=32, fit="crop") as keeper:
        for entry in source.entries:
            keeper.add(entry, np.zeros((32, 32, 3), np.uint8), source.stamp(entry))
    kept_pictures = open_kept(source, size=32, fit="crop")
    assert kept_pictures is not None
    first = source.entries[0]
    assert kept_pictures.read(first) is not None

    os.utime(folder / "segmim" / first.name.replace("image", "segmim"), ns=(1 << 62, 1 << 62))

    assert kept_pictures.read(first) is None


def test_small_pictures_are_not_worth_keeping(tmp_path: Path, cache: Path) -> None:
    for k in range(40):
        label = tmp_path / "small" / ("cat" if k % 2 else "dog")
        label.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(k, height=100, width=100)).save(label / f"{k}.png")

    audit_source(open_source(tmp_path / "small"), size=64, keep="crop")

    assert not cache.exists()


def no_folder(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.write_text("a file where the folder should be")


def full_disk(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "sync", _fail)


def failing_write(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_rows, "write_atomic", _fail)


def no_room(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "LIMIT", 100)


def _fail(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("trouble", [no_folder, full_disk, failing_write, no_room])
def test_a_cache_that_cannot_be_written_changes_nothing(
    photographs: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    trouble: Callable[[Path, pytest.MonkeyPatch], None],
) -> None:
    trouble(cache, monkeypatch)
    source = open_source(photographs)

    audit = audit_source(source, keep="crop")

    assert audit.broken == ()
    assert open_kept(source, size=64, fit="crop") is None
    assert everything(source).shape == (40, 3, 64, 64)
    if cache.is_dir():
        assert not [path for path in cache.rglob("*.npy") if path.name.startswith(".")]


def test_the_limit_keeps_the_first_ones(photographs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "LIMIT", 10 * 3 * 64 * 64)
    source = open_source(photographs)
    audit_source(source, keep="crop", workers=1)
    expected = decoded_again(source, 64, 3, "crop", monkeypatch)
    decoded = counted(monkeypatch)

    np.testing.assert_array_equal(everything(source), expected)

    assert len(decoded) == 30


def test_the_oldest_sources_go_first(
    photographs: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_source(photographs)
    audit_source(source, size=64, keep="crop")
    (first,) = (cache / "pictures").iterdir()
    os.utime(first, (1, 1))
    monkeypatch.setattr(kept, "LIMIT_OF_ALL", 700_000)

    audit_source(source, size=64, keep="squeeze")

    assert not first.exists()
    assert open_kept(source, size=64, fit="squeeze") is not None


def test_what_is_broken_is_not_read(photographs: Path, cache: Path) -> None:
    source = open_source(photographs)
    audit_source(source, keep="crop")
    (file,) = cache.rglob("*.npy")
    file.write_bytes(file.read_bytes()[:5000])

    assert open_kept(source, size=64, fit="crop") is None
    assert everything(source).shape == (40, 3, 64, 64)


def test_an_interrupted_audit_leaves_nothing_behind(photographs: Path, cache: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        audit_source(open_source(photographs), keep="crop", on_progress=stop)

    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_grey_comes_back_whatever_the_level() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)

    np.testing.assert_array_equal(with_channels(with_channels(levels, 3), 1), levels)
