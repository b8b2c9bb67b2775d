"""CelebA and Flowers102 in small: the real layouts with a few pictures of noise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from latentbloom.config import SourceOptions, parse_settings
from latentbloom.data.sources.base import Source
from latentbloom.data.sources.open import open_source
from latentbloom.errors import LatentbloomError
from picture_files import noise, save

LINE = (
    "5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose "
    "Black_Hair Blond_Hair Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee "
    "Gray_Hair Heavy_Makeup High_Cheekbones Male Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard "
    "Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks Sideburns Smiling Straight_Hair "
    "Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace Wearing_Necktie Young"
)
"""The second line of CelebA's own list."""

HEADER = LINE.split()
_LISTS = ("factors", "splits")


def face(number: int) -> str:
    """The name of CelebA's picture of that number, from 1."""
    return f"{number:06d}.jpg"


def attributes(number: int) -> list[int]:
    """Made up, and different for neighbouring attributes: smiling changes every 4 pictures."""
    return [1 if number // (place % 7 + 1) % 2 else -1 for place in range(len(HEADER))]


def attribute_lines(count: int, *, announced: int | None = None) -> list[str]:
    """The lines of list_attr_celeba.txt, as it is published: the last name is followed by " "."""
    rows = [f"{face(n)} " + " ".join(f"{v:2d}" for v in attributes(n)) for n in range(1, count + 1)]
    return [str(announced or count), LINE + " ", *rows]


def celeba(folder: Path, count: int = 40, *, nested: bool = False, csv: bool = False) -> Path:
    """A folder as CelebA is unpacked: 60 % train, 20 % val, 20 % test.

    Arguments:
        folder: Is made.
        count: Pictures.
        nested: The pictures lie in img_align_celeba/img_align_celeba/, as Kaggle packs them.
        csv: The lists are CSV, as Kaggle has them.
    """
    folder.mkdir(parents=True)
    pictures = folder / "img_align_celeba"
    for number in range(1, count + 1):
        inner = pictures / "img_align_celeba" if nested else pictures
        save(inner / face(number), noise(number, height=218, width=178))
    splits = [min(2, max(0, 5 * (number - 1) // count - 2)) for number in range(1, count + 1)]
    if csv:
        lines = [",".join(["image_id", *HEADER])]
        lines += [",".join(line.split()) for line in attribute_lines(count)[2:]]
        (folder / "list_attr_celeba.csv").write_text("\n".join(lines) + "\n")
        rows = [f"{face(n)},{split}" for n, split in enumerate(splits, 1)]
        text = "\n".join(["image_id,partition", *rows])
        (folder / "list_eval_partition.csv").write_text(text + "\n")
    else:
        text = "\n".join(attribute_lines(count))
        (folder / "list_attr_celeba.txt").write_text(text + "\n")
        rows = [f"{face(n)} {split}" for n, split in enumerate(splits, 1)]
        (folder / "list_eval_partition.txt").write_text("\n".join(rows) + "\n")
    return folder


def flowers102(
    folder: Path, *, train: int = 20, val: int = 20, test: int = 40, species: Sequence[int] = (1, 2)
) -> Path:
    """A folder as Flowers102 is unpacked, with numbers of species that take turns.

    The picture's first number goes to test, as in the published set: ids are not in order.
    """
    count = train + val + test
    for number in range(1, count + 1):
        save(folder / "jpg" / f"image_{number:05d}.jpg", noise(number, height=60, width=50))
    labels = [species[number % len(species)] for number in range(count)]
    savemat(folder / "imagelabels.mat", {"labels": np.array([labels], np.uint8)})
    ids = np.arange(1, count + 1, dtype=np.uint16)[None]
    parts = {"tstid": ids[:, :test], "trnid": ids[:, test : test + train]}
    savemat(folder / "setid.mat", {**parts, "valid": ids[:, test + train :]})
    return folder


def segmentations(folder: Path) -> None:
    """Oxford's segmentations of `flowers102`: a flower in the middle, blue around it."""
    (folder / "segmim").mkdir()
    for path in sorted((folder / "jpg").iterdir()):
        pixels = np.asarray(Image.open(path)).copy()
        behind = np.ones(pixels.shape[:2], bool)
        behind[15:45, 12:38] = False
        pixels[behind] = (0, 0, 254)
        name = path.name.replace("image", "segmim")
        Image.fromarray(pixels).save(folder / "segmim" / name, quality=90)


def refuse_download(*_: Any) -> None:
    """In the place of a download."""
    raise AssertionError("nothing is to be fetched here")


def open_published(name: str, root: Path, **options: Any) -> Source:
    """The source of that name over a small tree."""
    seed = options.pop("seed", 0)
    words = {n: v if isinstance(v, str) else ",".join(v) for n, v in options.items() if n in _LISTS}
    options |= words
    asked = parse_settings(SourceOptions, {"source": name, "root": str(root), **options})
    return open_source(asked, seed=seed)


def message_of(name: str, root: Path, **options: Any) -> str:
    """What is said when it cannot be opened."""
    with pytest.raises(LatentbloomError) as error:
        open_published(name, root, **options)
    return str(error.value)


def splits(source: Source) -> dict[str, int]:
    """How many pictures each split has."""
    return dict(Counter[str](entry.split for entry in source.entries))
