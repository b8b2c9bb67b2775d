"""Reading back the tar files that `latentbloom sample --shard` writes."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from latentbloom.errors import RunFolderError
from latentbloom.foreign.json_files import parse_json, read_json
from latentbloom.model.sample_shards import ABOUT
from latentbloom.words import plural

if TYPE_CHECKING:
    import torch

MOST_WORDS = 1 << 16
"""Bytes of the description of one picture, at most."""

TOLD = ("sampler", "num_steps", "guidance")


@dataclass(frozen=True)
class TarSamples:
    """Samples from tar files.

    Attributes:
        pixels: uint8 (n, C, H, W).
        cond: What each picture was asked to show.
        settings: How they were generated.
        notes: What a reader of their scores should know.
    """

    pixels: torch.Tensor
    cond: list[dict[str, str]]
    settings: dict[str, float | str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Sample:
    tar: Path
    name: str
    index: int
    cond: dict[str, str]


def read_samples(folder: Path, *, size: int, channels: int, most: int | None = None) -> TarSamples:
    """The samples in the tar files of a folder and of the folders in it, one for each label say.

    Arguments:
        folder: Where the files are.
        size: Side of the pictures, in pixels.
        channels: 1 or 3.
        most: Read so many at most: those with the lowest numbers.

    Raises:
        RunFolderError: There are none, or a file is broken or holds something else.
    """
    import torch

    tars = sorted(path for path in folder.rglob("*.tar") if not path.name.startswith("."))
    if not tars:
        raise RunFolderError(
            f"There is no tar file of samples in {folder}. `latentbloom sample RUN -n N --shard "
            "1/1 --out DIR` writes some."
        )
    found: dict[tuple[Path, int], _Sample] = {}
    twice = 0
    for tar in tars:
        for sample in _listed(tar):
            place = tar.parent, sample.index
            twice += place in found
            found.setdefault(place, sample)
    chosen = sorted(found.values(), key=lambda one: (one.index, one.tar))[:most]
    pixels = np.empty((len(chosen), channels, size, size), np.uint8)
    rows = {(one.tar, one.name): row for row, one in enumerate(chosen)}
    for tar in sorted({one.tar for one in chosen}):
        for name, content in _members(tar, ".png"):
            if (row := rows.pop((tar, name), None)) is not None:
                pixels[row] = _pixels(content, tar, name, size, channels)
    for tar, name in rows:
        raise RunFolderError(f"{tar} has a {name}.json and no {name}.png.")
    notes = list(_missing(found))
    if len(chosen) < len(found):
        notes.append(f"{len(chosen):,} of {plural(len(found), 'sample')} are scored.")
    if twice:
        notes.append(f"{plural(twice, 'sample')} are in two files, and count once.")
    return TarSamples(
        torch.from_numpy(pixels), [one.cond for one in chosen], _settings(tars), tuple(notes)
    )


def _listed(tar: Path) -> Iterator[_Sample]:
    """What a tar file says of its pictures."""
    pictures = 0
    for name, content in _members(tar, ".json"):
        try:
            about = parse_json(content.decode())
            index, cond = about["index"], about["cond"]
            words = {str(factor): str(value) for factor, value in cond.items()}
            if type(index) is not int:
                raise ValueError("its index is no whole number")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RunFolderError(f"{tar}: {name}.json describes no sample ({error}).") from None
        pictures += 1
        yield _Sample(tar, name, index, words)
    if not pictures:
        raise RunFolderError(f"{tar} holds no samples with a description (NUMBER.json).")


def _members(tar: Path, ending: str) -> Iterator[tuple[str, bytes]]:
    """Names without ending, and contents, of the files of one kind in a tar."""
    try:
        with tarfile.open(tar, "r:") as archive:
            for member in archive:
                if not member.isfile() or not member.name.endswith(ending):
                    continue
                if ending == ".json" and member.size > MOST_WORDS:
                    raise RunFolderError(f"{tar}: {member.name} has {member.size:,} bytes.")
                content = archive.extractfile(member)
                assert content is not None
                yield member.name.removesuffix(ending), content.read()
    except (tarfile.TarError, OSError, EOFError) as error:
        raise RunFolderError(
            f"{tar} cannot be read ({error}). Remove it and sample again: what exists is skipped."
        ) from None


def _pixels(content: bytes, tar: Path, name: str, size: int, channels: int) -> np.ndarray:
    """uint8 (C, H, W)."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            if picture.size != (size, size):
                raise RunFolderError(
                    f"{tar}: {name}.png is {picture.width} x {picture.height} pixels, and the "
                    f"run's pictures {size} x {size}. Are these samples of another run?"
                )
            found = np.asarray(picture.convert("L" if channels == 1 else "RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise RunFolderError(f"{tar}: {name}.png cannot be decoded ({error}).") from None
    return found.reshape(size, size, channels).transpose(2, 0, 1)


def _missing(found: dict[tuple[Path, int], _Sample]) -> Iterator[str]:
    """A sentence about each folder whose numbers have gaps."""
    numbers: dict[Path, set[int]] = {}
    for folder, index in found:
        numbers.setdefault(folder, set()).add(index)
    for folder, there in numbers.items():
        gaps = max(there) + 1 - len(there)
        if gaps:
            yield (
                f"{folder} lacks {gaps:,} of the pictures up to number {max(there):,}: a shard is "
                "missing or has not ended."
            )


def _settings(tars: list[Path]) -> dict[str, float | str]:
    """How the samples were generated, where all folders say the same."""
    said: list[dict[str, Any]] = []
    for folder in sorted({tar.parent for tar in tars}):
        try:
            about = read_json(folder / ABOUT, folder=folder)
            said.append({name: about[name] for name in TOLD})
        except (OSError, ValueError, KeyError, TypeError):
            return {}
    same = said[0] if all(one == said[0] for one in said) else {}
    return {name: value for name, value in same.items() if isinstance(value, int | float | str)}
