"""Animations from noise to picture, which loop and pause at the end."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from latentbloom.errors import ConfigError
from latentbloom.figures.paths.states import paths, states_between
from latentbloom.figures.scene import Scene
from latentbloom.pictures.images import as_uint8, enlarge
from latentbloom.storage.files import write_atomic

if TYPE_CHECKING:
    from PIL.Image import Image

    from latentbloom.model.generator import Model
    from latentbloom.model.records import Record
    from latentbloom.pictures.images import Pixels

FORMATS = ("gif", "webp", "mp4")
SMALL = 2_000_000  # bytes of an animation that is easy to share
_GAP = 4
_LINES = 2
_PROBES = 6  # frames from which the size of the file is estimated


def draw_animations(scene: Scene) -> list[Path]:
    """One file per condition, its samples side by side, and one with all conditions in a grid."""
    settings = scene.animation
    model = scene.need_model()
    found = paths(scene)
    rows = [frames_of(model, one.records, settings.frames) for one in found]
    files = []
    boards = {f"_{scene.file_word(one.words)}": [row] for one, row in zip(found, rows, strict=True)}
    if len(rows) > 1:
        # All conditions side by side, the same noise in each line.
        lines = [[row[:, k] for row in rows] for k in range(_LINES)]
        boards[""] = [np.stack(line, axis=1) for line in lines]
    for suffix, board in boards.items():
        path = scene.figures / f"diffusion_animation{suffix}.{settings.format}"
        files.append(
            save_small(path, board, fps=settings.fps, hold=settings.hold, size=settings.size)
        )
    return files


def frames_of(model: Model, records: Sequence[Record], count: int) -> Pixels:
    """Frames (count, samples, H, W, 3) of the samples' decoded x_t."""
    import torch

    x = torch.stack([states_between(record.path, count) for record in records], dim=1)
    pixels = as_uint8(model.decode(x.flatten(0, 1)))
    return pixels.reshape(count, len(records), *pixels.shape[1:])


def save_small(
    path: Path,
    rows: Sequence[Pixels],
    *,
    fps: float = 16.0,
    hold: float = 1.5,
    size: int | None = None,
    limit: int = SMALL,
) -> Path:
    """Write rows of samples as one animation, as large as fits into `limit` bytes.

    Arguments:
        path: Ends in .gif, .webp or .mp4.
        rows: For each row frames (F, samples, H, W, 3).
        fps: Frames per second.
        hold: Extra seconds on the last frame.
        size: Side of a sample in pixels; where it is given, `limit` is ignored.
        limit: Largest size in bytes. First the pictures get smaller, down to their own size,
            then a GIF gets fewer colours.

    Raises:
        ConfigError: The format is unknown, or its codec is not installed.
    """
    side = rows[0].shape[2]
    kind = path.suffix.lstrip(".")
    sides = (size,) if size else (2 * side, 3 * side // 2, side)
    wanted = [(one, 255) for one in sides]
    if kind == "gif" and not size:
        wanted += [(side, 96), (side, 40)]
    content = b""
    for one, colours in wanted:
        last = (one, colours) == wanted[-1]
        if not last and _guess(rows, one / side, kind, colours) > 1.2 * limit:
            continue
        board = _board(rows, one / side)
        content = encode(board, kind, fps=fps, hold=hold, colours=colours)
        if size or len(content) <= limit:
            break
    return write_atomic(path, content)


def _guess(rows: Sequence[Pixels], scale: float, kind: str, colours: int) -> float:
    """Estimated bytes of the whole file, from a few of its frames."""
    count = len(rows[0])
    some = np.unique(np.linspace(0, count - 1, _PROBES).round().astype(int))
    few = _board([row[some] for row in rows], scale)
    return len(encode(few, kind, colours=colours)) * count / len(some)


def _board(rows: Sequence[Pixels], scale: float) -> Pixels:
    """Frames (F, H, W, 3) with all samples side by side and the rows one under the other."""
    lines = []
    for row in rows:
        count, samples = row.shape[:2]
        tiles = enlarge(row.reshape(-1, *row.shape[2:]), scale)
        tiles = tiles.reshape(count, samples, *tiles.shape[1:])
        tiles = np.pad(tiles, ((0, 0), (0, 0), (_GAP, 0), (_GAP, 0), (0, 0)), constant_values=255)
        lines.append(np.concatenate(list(tiles.swapaxes(0, 1)), axis=2))
    return np.concatenate(lines, axis=1)


def encode(
    frames: Pixels, kind: str, *, fps: float = 16.0, hold: float = 1.5, colours: int = 255
) -> bytes:
    """Encode frames (F, H, W, 3) as a GIF, WebP or MP4 that loops and pauses at its last frame.

    Arguments:
        frames: uint8.
        kind: "gif", "webp" or "mp4".
        fps: Frames per second.
        hold: Extra seconds on the last frame.
        colours: Colours of a GIF, shared by all frames, at most 255.

    Raises:
        ConfigError: The format is unknown, or its codec is not installed.
    """
    if kind == "gif":
        return _by_pillow(_with_one_palette(frames, colours), "GIF", fps, hold)
    if kind == "webp":
        from PIL import Image

        return _by_pillow([Image.fromarray(f) for f in frames], "WEBP", fps, hold)
    if kind == "mp4":
        return _mp4(frames, fps, hold)
    raise ConfigError(f"'{kind}' is not an animation format. Formats: {', '.join(FORMATS)}.")


def _by_pillow(pictures: Sequence[Image], kind: str, fps: float, hold: float) -> bytes:
    # GIF counts in hundredths of a second, and browsers slow down what is below two of them.
    each = max(20, round(100 / fps) * 10)
    times = [each] * (len(pictures) - 1) + [each + round(1000 * hold)]
    buffer = io.BytesIO()
    known = {"GIF": {"optimize": False, "disposal": 1}, "WEBP": {"quality": 75, "method": 3}}
    pictures[0].save(
        buffer,
        format=kind,
        save_all=True,
        append_images=list(pictures[1:]),
        duration=times,
        loop=0,
        **known[kind],
    )
    return buffer.getvalue()


def _with_one_palette(frames: Pixels, colours: int) -> list[Image]:
    """All frames in one palette, chosen mostly from the last frames."""
    from PIL import Image

    late = np.unique(np.linspace(0, 1, 6) ** 0.5 * (len(frames) - 1)).round().astype(int)
    probe = Image.fromarray(np.concatenate([frames[k, ::2, ::2] for k in late]))
    palette = probe.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    return [
        Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE)
        for frame in frames
    ]


def _mp4(frames: Pixels, fps: float, hold: float) -> bytes:
    import tempfile

    still = np.repeat(frames[-1:], round(hold * fps), axis=0)
    film = np.concatenate([frames, still])
    height, width = (side - side % 2 for side in film.shape[1:3])  # the codec wants even sides
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        for plugin in ("pyav", "FFMPEG"):
            try:
                _write_mp4(path, film[:, :height, :width], fps, plugin)
                return path.read_bytes()
            except (ImportError, ValueError, OSError):
                continue
    raise ConfigError(
        "No codec for MP4 is installed. Use gif or webp, or install one: "
        "pip install 'latentbloom[video]'."
    )


def _write_mp4(path: Path, film: Pixels, fps: float, plugin: str) -> None:
    import imageio.v3 as iio

    if plugin == "pyav":
        iio.imwrite(path, film, plugin="pyav", fps=fps, codec="libx264")
    else:
        # Its own default stretches films to multiples of 16.
        iio.imwrite(
            path, film, plugin="FFMPEG", fps=fps, codec="libx264", quality=8, macro_block_size=2
        )
