"""Where CelebA's files lie, as torchvision, the official share, Kaggle and CelebA-HQ have them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from latentbloom.data.sources.base import refuse_odd
from latentbloom.data.sources.published.downloads import holds_pictures

FOLDER = "img_align_celeba"
ARCHIVE = f"{FOLDER}.zip"

_HQ_HOMES = ("", "CelebAMask-HQ", "CelebA-HQ", "celeba-hq", "celeba_hq")
_HQ_FOLDERS = ("CelebA-HQ-img", "celeba-hq-img", "celeba_hq_img", "CelebA-HQ", "images")


@dataclass(frozen=True)
class CelebaFiles:
    """What was found of CelebA, each None when it is missing.

    Arguments:
        pictures: Folder that holds the pictures themselves.
        attributes: The list of attributes, as text or CSV.
        partition: list_eval_partition, likewise.
        archive: The pictures, still packed.
        mapping: CelebA-HQ: which of CelebA's pictures each of its pictures is made from.
        hq: Whether they are those of CelebA-HQ, which are larger and not aligned to 178 x 218.
    """

    pictures: Path | None
    attributes: Path | None
    partition: Path | None = None
    archive: Path | None = None
    mapping: Path | None = None
    hq: bool = False


def find_files(root: Path) -> CelebaFiles:
    """Look in the places where people and programs unpack CelebA, and then for CelebA-HQ."""
    bases = (root / "celeba", root / "CelebA", root)
    places = [base / inner for base in bases for inner in ("", "Anno", "Eval", "Img")]
    partition = _file(places, "list_eval_partition.txt", "list_eval_partition.csv")
    aligned = CelebaFiles(
        pictures=_folder(places, FOLDER, f"{FOLDER}_png"),
        attributes=_file(places, "list_attr_celeba.txt", "list_attr_celeba.csv"),
        partition=partition,
        archive=_file(places, ARCHIVE),
    )
    if aligned.pictures is not None and aligned.attributes is not None:
        return aligned
    homes = [base / home for base in bases for home in _HQ_HOMES]
    name = "CelebAMask-HQ-attribute-anno"
    hq = CelebaFiles(
        pictures=_folder(homes, *_HQ_FOLDERS),
        attributes=_file(homes, f"{name}.txt", f"{name}.csv"),
        partition=partition,
        mapping=_file(homes, "CelebA-HQ-to-CelebA-mapping.txt"),
        hq=True,
    )
    return hq if hq.pictures is not None and hq.attributes is not None else aligned


def _folder(places: Iterable[Path], *names: str) -> Path | None:
    """The first folder of these names that holds pictures; Kaggle packs it inside itself."""
    return next((folder for folder in _folders(places, names) if holds_pictures(folder)), None)


def _folders(places: Iterable[Path], names: Iterable[str]) -> Iterator[Path]:
    for place in places:
        for name in names:
            yield place / name
            yield place / name / name


def _file(places: Iterable[Path], *names: str) -> Path | None:
    candidates = [place / name for place in places for name in names]
    for path in candidates:
        refuse_odd(path)
    return next((path for path in candidates if path.is_file()), None)
