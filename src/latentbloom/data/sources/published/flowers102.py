"""Oxford 102 Flowers: 8,189 photographs of 102 species, with segmentations.

Read from torchvision's layout. Nilsback and Zisserman, "Automated flower classification over a
large number of classes", ICVGIP 2008.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import numpy as np

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.data.reading import Picture, read_picture
from latentbloom.data.sources.base import Entry, FileSource, SetAside
from latentbloom.data.sources.options import Background, Official, SourceOptions
from latentbloom.data.sources.published.downloads import (
    fetch,
    holds_pictures,
    match_files,
    pictures_in,
    share_out,
    unpack,
)
from latentbloom.errors import SourceError

PAGE = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/"

_ARCHIVE = "102flowers.tgz"
_LISTS = ("imagelabels.mat", "setid.mat")
_SUMS = {
    _ARCHIVE: "52808999861908f626f3c1f4e79d11fa",
    "imagelabels.mat": "e0620be6f572b9609742df49c70aed4d",
    "setid.mat": "a5357ecc9cb78c4bef273ce3793fc85c",
}
"""MD5 of the published files."""

_KEYS: dict[Official, str] = {"train": "trnid", "val": "valid", "test": "tstid"}
_SHADES = dict(zip(get_args(Background), (None, 255, 128, 0), strict=True))
_BLUE = 100
"""How far blue must stand above red and green, in levels, for the blue of a segmentation."""
_CHANGED = 48
"""How far a pixel must be from the photograph, in levels, to be painted and not just blue."""


@dataclass(frozen=True)
class FlowersInFront(FileSource):
    """Pictures whose background may be painted over.

    Arguments:
        masks: The segmentation by name of the picture, as far as there are any.
        shade: What the background becomes, 0 (black) to 255 (white); None keeps it.
    """

    masks: Mapping[str, Path] = field(default_factory=dict)
    shade: int | None = None

    @property
    def treatment(self) -> str:
        """What stands behind the flowers."""
        return "" if self.shade is None else f"background {self.shade}"

    def inspect(self, entry: Entry, *, size: int | None = None) -> Picture:
        """Decode and paint; see `Source.inspect`."""
        picture = super().inspect(entry, size=size)
        if self.shade is None:
            return picture
        painted = read_picture(self.masks[entry.name], size=size).pixels
        behind = background_of(picture.pixels, painted)
        pixels = np.where(behind[..., None], np.uint8(self.shade), picture.pixels)
        return Picture(pixels, picture.mode, picture.width, picture.height)

    @property
    def outlined(self) -> int:
        """How many segmentations there are."""
        return len(self.masks)

    def subject(self, entry: Entry, *, size: int | None = None) -> np.ndarray | None:
        """Where the flower is; see `colour_source.KnowsSubject`."""
        if entry.name not in self.masks:
            return None
        photograph = super().inspect(entry, size=size).pixels
        try:
            painted = read_picture(self.masks[entry.name], size=size).pixels
        except SourceError:
            return None
        return ~background_of(photograph, painted)


def background_of(photograph: np.ndarray, painted: np.ndarray) -> np.ndarray:
    """Where a segmentation was painted blue.

    Its JPEG blurs the blue, and flowers are blue, too: background is what is clearly blue there
    and clearly different in the photograph.

    Arguments:
        photograph: uint8 (H, W, 1 or 3).
        painted: uint8 (h, w, 3), the same with a blue background; of another size, it is resized.

    Returns:
        bool (H, W).
    """
    height, width = photograph.shape[:2]
    if painted.shape[-1] == 1:
        return np.zeros((height, width), bool)
    if painted.shape[:2] != (height, width):
        from PIL import Image

        near = Image.Resampling.NEAREST
        painted = np.asarray(Image.fromarray(painted).resize((width, height), near))
    shown = painted.astype(np.int16)
    blue = shown[..., 2] - shown[..., :2].max(axis=-1) > _BLUE
    return blue & (np.abs(shown - photograph).max(axis=-1) > _CHANGED)


def open_flowers102(options: SourceOptions) -> FileSource:
    """List the flowers; the factor is "species", its values the 102 names.

    Arguments:
        options: `root` holds the data set, or gets it.

    Raises:
        SourceError: The data set is not there and cannot be fetched, its files cannot be
            understood, or the background is to go and there are no segmentations.
    """
    root = Path(options.root).expanduser()
    base = _find(root)
    missing = _missing(base)
    if missing:
        what = f"Flowers102 is not complete in '{base}': {', '.join(missing)} cannot be found."
        fetch(what, lambda: _download(base), _how_to_get(base))
    index = base / "setid.mat"
    official = _official(index)
    labels = _read_mat(base / "imagelabels.mat", "labels")
    found, aside, notes = match_files(list(official), base / "jpg", index)
    found, unlabelled = _labelled(found, labels, base)
    masks, maskless = _masks(found, base, options.background)
    if options.background != "keep":
        found = {name: path for name, path in found.items() if name in masks}
    if not found:
        raise SourceError(f"No picture in {base / 'jpg'} can be used. {_first(aside, maskless)}")
    rows = [(int(labels[_number(name) - 1]) - 1,) for name in found]
    splits, more = share_out(
        "flowers102", list(found), [official[name] for name in found], rows, options
    )
    if options.background != "keep":
        more.append(f"What lies behind the flowers is painted {options.background}.")
    triples = zip(found.items(), rows, splits, strict=True)
    return FlowersInFront(
        name="flowers102",
        spec=ConditionSpec((Factor("species", species_names()),)),
        entries=tuple(
            sorted(
                (Entry(name, row, split, path) for (name, path), row, split in triples if split),
                key=lambda entry: entry.name,
            )
        ),
        notes=(*notes, *more),
        set_aside=(*aside, *unlabelled, *maskless),
        masks=masks,
        shade=_SHADES[options.background],
    )


def species_names() -> tuple[str, ...]:
    """The 102 names in the order of their numbers, as torchvision lists them."""
    from torchvision.datasets import Flowers102

    return tuple(name.rstrip("?") for name in Flowers102.classes)  # one is marked as doubtful


def _find(root: Path) -> Path:
    """The folder that holds jpg/, or would."""
    inner = root / "flowers-102"
    elsewhere = holds_pictures(root / "jpg") and not holds_pictures(inner / "jpg")
    return root if elsewhere else inner


def _missing(base: Path) -> list[str]:
    missing = [] if holds_pictures(base / "jpg") else ["the pictures (jpg/)"]
    return missing + [name for name in _LISTS if not (base / name).is_file()]


def _download(base: Path) -> None:
    """Fetch what is missing, the small files first."""
    from torchvision.datasets.utils import download_url

    names = [name for name in _LISTS if not (base / name).is_file()]
    packed = not holds_pictures(base / "jpg")
    for name in [*names, _ARCHIVE] if packed else names:
        download_url(PAGE + name, base, md5=_SUMS[name])
    if packed:
        unpack(base / _ARCHIVE, "jpg")


def _how_to_get(folder: Path) -> str:
    return (
        "Get 102flowers.tgz, imagelabels.mat and setid.mat (Dataset images, image labels and data "
        f"splits) from\n  {PAGE}\nand put them here:\n"
        f"  {folder / 'jpg'}/image_00001.jpg and so on, unpacked\n"
        f"  {folder / 'imagelabels.mat'}\n"
        f"  {folder / 'setid.mat'}\n"
        "If they lie elsewhere, name that folder with --root."
    )


def _read_mat(path: Path, key: str) -> np.ndarray:
    """A list of whole numbers of a MATLAB file.

    Raises:
        SourceError: It cannot be read, or has no such list.
    """
    from scipy.io import loadmat

    try:
        content = loadmat(path)
    # A file that is cut short or no MATLAB file makes scipy raise nearly anything: zlib.error,
    # MatReadError, TypeError, ValueError, EOFError. All mean the same to a reader.
    except Exception as error:
        raise SourceError(
            f"{path} cannot be read as a MATLAB file ({' '.join(str(error).split())}): it is cut "
            f"short or another file. Delete it and get it anew from {PAGE}"
        ) from error
    values = content.get(key)
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iuf" or values.size == 0:
        there = ", ".join(name for name in content if not name.startswith("__")) or "nothing"
        raise SourceError(
            f"{path} has no list of numbers '{key}'; it holds {there}. Get it anew from {PAGE}"
        )
    return values.ravel().astype(np.int64)


def _official(path: Path) -> dict[str, Official]:
    """The published split by name of the picture."""
    official: dict[str, Official] = {}
    for split, key in _KEYS.items():
        for number in _read_mat(path, key).tolist():
            official.setdefault(f"image_{number:05d}.jpg", split)
    return dict(sorted(official.items()))


def _number(name: str) -> int:
    return int(name.removeprefix("image_").removesuffix(".jpg"))


def _labelled(
    found: dict[str, Path], labels: np.ndarray, base: Path
) -> tuple[dict[str, Path], list[SetAside]]:
    """Pictures that have a number of a species."""
    count = len(species_names())
    kept, aside = {}, []
    for name, path in found.items():
        place = _number(name) - 1
        if place >= len(labels):
            reason = f"imagelabels.mat ends after {len(labels):,} labels"
        elif not 1 <= labels[place] <= count:
            reason = f"imagelabels.mat gives it the species {labels[place]}; known are 1 to {count}"
        else:
            kept[name] = path
            continue
        aside.append(SetAside(name, reason))
    if not kept and aside:
        raise SourceError(f"{base / 'imagelabels.mat'} labels no picture: {aside[0].reason}.")
    return kept, aside


def _masks(
    found: dict[str, Path], base: Path, background: Background
) -> tuple[dict[str, Path], list[SetAside]]:
    """The segmentation of each picture; those that lack one are only told where it is needed."""
    folder = base / "segmim"
    there = pictures_in(folder)
    if not there and background != "keep":
        raise SourceError(
            f"--background {background} needs Oxford's segmentations, and {folder}/ is not there "
            f"or empty. Get 102segmentations.tgz from\n  {PAGE}\nand unpack it so that there is\n"
            f"  {folder / 'segmim_00001.jpg'}\nor leave --background away."
        )
    stems = {name: f"segmim_{_number(name):05d}" for name in found}
    aside = [
        SetAside(name, f"segmim/ has no {stem}.jpg to tell its background")
        for name, stem in stems.items()
        if stem not in there and background != "keep"
    ]
    return {name: folder / there[stem] for name, stem in stems.items() if stem in there}, aside


def _first(*groups: list[SetAside]) -> str:
    first = next((aside for group in groups for aside in group), None)
    return f"The first, {first.name}: {first.reason}." if first else ""
