"""CelebA: 202,599 photographs of faces, aligned to 178 x 218 pixels, with 40 attributes.

Read from torchvision's layout or from a folder that was unpacked by hand. Liu, Luo, Wang and Tang,
"Deep Learning Face Attributes in the Wild", ICCV 2015.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.config import SourceOptions
from latentbloom.data.reading import Picture
from latentbloom.data.sources.base import Entry, FileSource, SetAside
from latentbloom.data.sources.labels.names import NO_YES, natural_key
from latentbloom.data.sources.options import parse_factors
from latentbloom.data.sources.published.celeba_files import (
    ARCHIVE,
    FOLDER,
    CelebaFiles,
    find_files,
)
from latentbloom.data.sources.published.celeba_lists import (
    Attributes,
    read_attributes,
    read_mapping,
    read_partition,
)
from latentbloom.data.sources.published.downloads import (
    fetch,
    match_files,
    unpack,
)
from latentbloom.data.sources.published.splits import share_out, split_by_hash
from latentbloom.errors import SourceError
from latentbloom.words import did_you_mean, plural

PAGE = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"

ATTRIBUTES = (
    *("5_o_clock_shadow", "arched_eyebrows", "attractive", "bags_under_eyes", "bald", "bangs"),
    *("big_lips", "big_nose", "black_hair", "blond_hair", "blurry", "brown_hair"),
    *("bushy_eyebrows", "chubby", "double_chin", "eyeglasses", "goatee", "gray_hair"),
    *("heavy_makeup", "high_cheekbones", "male", "mouth_slightly_open", "mustache", "narrow_eyes"),
    *("no_beard", "oval_face", "pale_skin", "pointy_nose", "receding_hairline", "rosy_cheeks"),
    *("sideburns", "smiling", "straight_hair", "wavy_hair", "wearing_earrings", "wearing_hat"),
    *("wearing_lipstick", "wearing_necklace", "wearing_necktie", "young"),
)
"""Names of the factors, in the order of CelebA's own list."""

_USUAL = ("smiling",)
_WIDTH, _HEIGHT = 178, 218


def is_aligned(width: int, height: int) -> bool:
    """Whether a picture has the shape of CelebA's aligned ones, at any size."""
    return abs(height / width - _HEIGHT / _WIDTH) <= 0.02


def crop_aligned(pixels: np.ndarray, crop: int) -> np.ndarray:
    """The central square of an aligned picture.

    Arguments:
        pixels: uint8 (H, W, C).
        crop: Its side, in pixels of a picture of 178 x 218.
    """
    height, width = pixels.shape[:2]
    side = round(crop / _WIDTH * width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top : top + side, left : left + side]


@dataclass(frozen=True)
class AlignedFaces(FileSource):
    """Pictures that are cropped around the face; those of another shape are left whole.

    Arguments:
        crop: Side of the central square, in pixels of a file of 178 x 218.
    """

    crop: int = 148

    @property
    def treatment(self) -> str:
        """The crop."""
        return f"crop {self.crop}"

    def inspect(self, entry: Entry, *, size: int | None = None) -> Picture:
        """Decode and crop; see `Source.inspect`. Width and height are those of the crop."""
        share = self.crop / _WIDTH
        picture = super().inspect(entry, size=None if size is None else math.ceil(size / share))
        if not is_aligned(picture.width, picture.height):
            return picture
        pixels = crop_aligned(picture.pixels, self.crop)
        whole = round(share * picture.width)
        return Picture(pixels, picture.mode, whole, whole)


def open_celeba(options: SourceOptions, seed: int) -> FileSource:
    """List CelebA's pictures with the attributes asked for, "smiling" when nothing is said.

    Arguments:
        options: `root` holds the data set, or gets it.
        seed: Decides which pictures are held out if no list says so.

    Raises:
        SourceError: An attribute is unknown; the data set is not there and cannot be fetched; or
            its files cannot be understood.
    """
    wanted = parse_factors(options.factors) or _USUAL
    _check_attributes(wanted)
    root = Path(options.root).expanduser()
    files = find_files(root)
    if files.pictures is None or files.attributes is None:
        fetch(_what_is_missing(files, root), lambda: _download(files, root), _how_to_get(root))
        files = find_files(root)
    if files.pictures is None or files.attributes is None:
        raise SourceError(f"{_what_is_missing(files, root)}\n{_how_to_get(root)}")
    table = read_attributes(files.attributes, wanted)
    found, aside, notes = match_files(list(table.rows), files.pictures, files.attributes)
    if not found:
        raise SourceError(
            f"None of the {len(table.rows):,} pictures that {files.attributes} names is in "
            f"{files.pictures}. {' '.join(table.notes)}".rstrip()
        )
    entries, more_aside, more_notes = _entries(found, table, files, options, seed)
    unusable = {row.name for row in table.set_aside}  # their rows cannot be understood
    aside = [*table.set_aside, *(one for one in aside if one.name not in unusable), *more_aside]
    spec = ConditionSpec(tuple(Factor(name, NO_YES) for name in wanted))
    ordered = tuple(sorted(entries, key=lambda entry: natural_key(entry.name)))
    said = (*table.notes, *notes, *more_notes)
    if files.hq:
        said = (*said, f"These are the pictures of CelebA-HQ in {files.pictures}, used whole.")
        return FileSource("celeba", spec, ordered, said, tuple(aside))
    said = (*said, f"Cropped to the central {options.crop} pixels (--crop).")
    return AlignedFaces("celeba", spec, ordered, said, tuple(aside), crop=options.crop)


def _entries(
    found: dict[str, Path],
    table: Attributes,
    files: CelebaFiles,
    options: SourceOptions,
    seed: int,
) -> tuple[list[Entry], list[SetAside], list[str]]:
    """The pictures with their splits."""
    names, aside = list(found), []
    partition = files.partition
    if partition is None or (files.hq and files.mapping is None):
        labels = [table.rows[name] for name in names]
        lacking = "CelebA-HQ-to-CelebA-mapping.txt" if partition else "list_eval_partition"
        why = f"{lacking} is not there"
        splits, notes = split_by_hash(names, labels, options, seed, why)
    else:
        said = read_partition(partition)
        if files.mapping is not None:
            origin = read_mapping(files.mapping)
            said = {n: said[o] for n in names if (o := origin.get(Path(n).stem)) in said}
        reason = f"{partition.name} gives it no split (0, 1 or 2)"
        aside = [SetAside(name, reason) for name in names if name not in said]
        names = [name for name in names if name in said]
        labels = [table.rows[name] for name in names]
        splits, notes = share_out("celeba", names, [said[n] for n in names], labels, options, seed)
        if aside:
            verb = "is" if len(aside) == 1 else "are"
            count = plural(len(aside), "picture")
            notes.append(f"{count} {verb} not in {partition.name} and not used.")
    rows = zip(names, labels, splits, strict=True)
    return [Entry(n, label, split, found[n]) for n, label, split in rows if split], aside, notes


def _check_attributes(wanted: tuple[str, ...]) -> None:
    for name in wanted:
        if name not in ATTRIBUTES:
            raise SourceError(
                f"CelebA has no attribute '{name}'.{did_you_mean(name, ATTRIBUTES)} It has: "
                f"{', '.join(ATTRIBUTES)}."
            )


def _download(files: CelebaFiles, root: Path) -> None:
    """Fetch what is missing, the small files first, so that a quota is met before 1.4 GB.

    The partition is a gain where something is fetched anyway, and no reason to fetch.
    """
    from torchvision.datasets import CelebA
    from torchvision.datasets.utils import download_file_from_google_drive

    folder = root / CelebA.base_folder
    attributes = files.attributes is None
    archive = files.pictures is None and files.archive is None
    missing = {
        "list_attr_celeba.txt": attributes,
        "list_eval_partition.txt": files.partition is None and (attributes or archive),
        ARCHIVE: archive,
    }
    known = {name: (drive, md5) for drive, md5, name in CelebA.file_list}
    for name in (name for name, is_missing in missing.items() if is_missing):
        drive, md5 = known[name]
        download_file_from_google_drive(drive, folder, name, md5)
    if files.pictures is None:
        unpack(files.archive or folder / ARCHIVE, FOLDER)


def _what_is_missing(files: CelebaFiles, root: Path) -> str:
    missing = [
        word
        for word, found in (
            ("the pictures (img_align_celeba/)", files.pictures),
            ("list_attr_celeba.txt", files.attributes),
        )
        if found is None
    ]
    return f"CelebA is not complete in '{root}': {' and '.join(missing)} cannot be found there."


def _how_to_get(root: Path) -> str:
    folder = root / "celeba"
    return (
        f"Get img_align_celeba.zip, list_attr_celeba.txt and list_eval_partition.txt from\n"
        f"  {PAGE}\n"
        "(Align&Cropped Images, Anno and Eval of its download links) and put them here:\n"
        f"  {folder / FOLDER}/000001.jpg and so on, unpacked\n"
        f"  {folder / 'list_attr_celeba.txt'}\n"
        f"  {folder / 'list_eval_partition.txt'} (may be missing)\n"
        "If they lie elsewhere, name that folder with --root."
    )
