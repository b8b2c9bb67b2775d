"""Moving pictures: frames, times, size, and codecs that are not there."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from latentbloom.errors import ConfigError
from latentbloom.figures.paths import films
from latentbloom.figures.paths.films import encode, save_small


def noise_to_grey(frames: int, samples: int, size: int) -> np.ndarray:
    """Frames (F, S, size, size, 3) of noise that calms down to grey."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 60, (frames, samples, size, size, 3))
    calm = np.linspace(1, 0, frames).reshape(-1, 1, 1, 1, 1)
    return (128 + calm * noise).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_all_frames_are_there_the_last_is_held_and_it_loops(kind: str) -> None:
    frames = noise_to_grey(6, 1, 24)[:, 0]
    with Image.open(io.BytesIO(encode(frames, kind, fps=10, hold=1.0))) as film:
        assert len(list(ImageSequence.Iterator(film))) == 6
        assert film.info.get("loop") == 0
        times = []
        for k in range(6):
            film.seek(k)
            film.load()
            times.append(film.info["duration"])
        assert times == [100] * 5 + [1100]
        last = np.asarray(film.convert("RGB")).astype(int)
    assert np.abs(last - frames[-1]).mean() < 6


def test_files_stay_small_by_getting_smaller(tmp_path: Path) -> None:
    rows = [noise_to_grey(10, 3, 32)]
    large = save_small(tmp_path / "large.gif", rows, limit=10_000_000)
    small = save_small(tmp_path / "small.gif", rows, limit=large.stat().st_size // 3)
    assert small.stat().st_size <= large.stat().st_size // 3
    with Image.open(large) as one, Image.open(small) as other:
        assert one.size == (3 * 64 + 3 * 4, 64 + 4)
        assert other.size[0] < one.size[0]
    asked = save_small(tmp_path / "asked.gif", rows, size=48, limit=1)
    with Image.open(asked) as one:
        assert one.size == (3 * 48 + 3 * 4, 48 + 4)


def test_fifty_frames_of_five_samples_travel_well(tmp_path: Path) -> None:
    path = save_small(tmp_path / "a.gif", [noise_to_grey(50, 5, 64)])
    assert path.stat().st_size < 2_000_000


def test_rows_stand_one_under_the_other(tmp_path: Path) -> None:
    black, white = (np.full((2, 1, 16, 16, 3), level, np.uint8) for level in (0, 255))
    path = save_small(tmp_path / "a.gif", [black, white], size=16)
    with Image.open(path) as film:
        pixels = np.asarray(film.convert("L"))
    assert pixels[4:20, 4:].max() == 0
    assert pixels[24:, 4:].min() == 255


def test_a_format_or_codec_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = noise_to_grey(2, 1, 16)
    with pytest.raises(ConfigError, match=r"'avi' is not an animation format. Formats: gif, webp"):
        save_small(tmp_path / "a.avi", [frames])

    def absent(*_: object) -> None:
        raise ImportError

    monkeypatch.setattr(films, "_write_mp4", absent)
    with pytest.raises(
        ConfigError, match=r"No codec for MP4 is installed.*pip install 'latentbloom\[video\]'"
    ):
        save_small(tmp_path / "a.mp4", [frames])
    assert list(tmp_path.iterdir()) == []


# imageio-ffmpeg leaves the pipes of its reader open until they are collected.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_mp4_plays_all_frames_and_holds_the_last(tmp_path: Path) -> None:
    import imageio.v3 as iio

    frames = noise_to_grey(6, 2, 33)  # an odd side: the codec takes even ones alone
    path = save_small(tmp_path / "a.mp4", [frames], fps=10, hold=0.5, size=33)
    film = iio.imread(path, plugin="FFMPEG")
    assert film.shape == (6 + 5, 36, 74, 3)
    rest = film[-1].astype(int)
    assert np.abs(rest - film[6]).mean() < 3
    assert np.abs(rest[8:32, 8:32] - 128).mean() < 6


def test_every_condition_has_its_film_and_there_is_one_of_all(drawn: Path) -> None:
    names = {path.name for path in (drawn / "figures").glob("*.gif")}
    assert "diffusion_animation.gif" in names
    assert "diffusion_animation_red-low.gif" in names
    assert len(names) == 5
    with Image.open(drawn / "figures" / "diffusion_animation.gif") as film:
        assert len(list(ImageSequence.Iterator(film))) == 12
