"""Oxford 102 Flowers: 8,189 photographs of 102 species, with segmentations.

Read from torchvision's layout. Nilsback and Zisserman, "Automated flower classification over a
large number of classes", ICVGIP 2008.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.config import Background, SourceOptions
from latentbloom.data.sources.base import Entry, FileSource, SetAside
from latentbloom.data.sources.published.downloads import (
    fetch,
    holds_pictures,
    match_files,
    pictures_in,
    unpack,
)
from latentbloom.data.sources.published.flowers102_lists import (
    PAGE,
    labelled,
    number_of,
    read_labels,
    read_splits,
    species_names,
)
from latentbloom.data.sources.published.flowers102_masks import FlowersInFront
from latentbloom.data.sources.published.splits import share_out
from latentbloom.errors import SourceError

_ARCHIVE = "102flowers.tgz"
_LISTS = ("imagelabels.mat", "setid.mat")
_SUMS = {
    _ARCHIVE: "52808999861908f626f3c1f4e79d11fa",
    "imagelabels.mat": "e0620be6f572b9609742df49c70aed4d",
    "setid.mat": "a5357ecc9cb78c4bef273ce3793fc85c",
}
"""MD5 of the published files."""

_SHADES = dict(zip(get_args(Background), (None, 255, 128, 0), strict=True))


def open_flowers102(options: SourceOptions, seed: int) -> FileSource:
    """List the flowers; the factor is "species", its values the 102 names.

    Arguments:
        options: `root` holds the data set, or gets it.
        seed: Decides which pictures are held out if the published splits leave none.

    Raises:
        SourceError: The data set is not there and cannot be fetched, its files cannot be
            understood, or a background is asked for and there are no segmentations.
    """
    root = Path(options.root).expanduser()
    base = _find(root)
    missing = _missing(base)
    if missing:
        what = f"Flowers102 is not complete in '{base}': {', '.join(missing)} cannot be found."
        fetch(what, lambda: _download(base), _how_to_get(base))
    index = base / "setid.mat"
    official = read_splits(index)
    labels = read_labels(base / "imagelabels.mat")
    found, aside, notes = match_files(list(official), base / "jpg", index)
    found, unlabelled = labelled(found, labels, base)
    masks, maskless = _masks(found, base, options.background)
    if options.background != "keep":
        found = {name: path for name, path in found.items() if name in masks}
    if not found:
        raise SourceError(f"No picture in {base / 'jpg'} can be used. {_first(aside, maskless)}")
    rows = [(int(labels[number_of(name) - 1]) - 1,) for name in found]
    splits, more = share_out(
        "flowers102", list(found), [official[name] for name in found], rows, options, seed
    )
    if options.background != "keep":
        more.append(f"The background of the flowers is painted {options.background}.")
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


def _masks(
    found: dict[str, Path], base: Path, background: Background
) -> tuple[dict[str, Path], list[SetAside]]:
    """The segmentation of each picture, and the pictures that lack one that they need."""
    folder = base / "segmim"
    there = pictures_in(folder)
    if not there and background != "keep":
        raise SourceError(
            f"--background {background} needs Oxford's segmentations, and {folder}/ is not there "
            f"or empty. Get 102segmentations.tgz from\n  {PAGE}\nand unpack it so that there is\n"
            f"  {folder / 'segmim_00001.jpg'}\nor leave out --background."
        )
    stems = {name: f"segmim_{number_of(name):05d}" for name in found}
    aside = [
        SetAside(name, f"segmim/ has no {stem}.jpg that shows its background")
        for name, stem in stems.items()
        if stem not in there and background != "keep"
    ]
    return {name: folder / there[stem] for name, stem in stems.items() if stem in there}, aside


def _first(*groups: list[SetAside]) -> str:
    first = next((aside for group in groups for aside in group), None)
    return f"The first, {first.name}: {first.reason}." if first else ""
