"""Flowers102 from small trees of torchvision's layout."""

from __future__ import annotations

import shutil
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latentbloom.data.imageset import ImageSet
from latentbloom.data.sources.published.flowers102_masks import background_of
from latentbloom.errors import SourceError
from published_files import (
    flowers102,
    message_of,
    open_published,
    segmentations,
    splits,
)

LISTS = Path(__file__).parents[4] / "data" / "flowers-102"


opened = partial(open_published, "flowers102")
message = partial(message_of, "flowers102")


def test_as_torchvision_lays_it_out(tmp_path: Path) -> None:
    flowers102(tmp_path / "flowers-102", species=(77, 43, 60))

    source = opened(tmp_path)

    assert source.name == "flowers102"
    (factor,) = source.spec.factors
    assert factor.name == "species"
    assert len(factor.values) == 102
    # The page of the data set: 77 is the passion flower, 43 the sword lily.
    assert (factor.values[76], factor.values[42]) == ("passion flower", "sword lily")
    assert factor.values[59] == "pink-yellow dahlia"
    assert splits(source) == {"train": 20, "val": 20}
    assert [entry.name for entry in source.entries] == [
        f"image_{number:05d}.jpg" for number in range(41, 81)
    ]
    for entry in source.entries:
        number = int(entry.name[6:11])
        assert entry.labels == ((77, 43, 60)[(number - 1) % 3] - 1,)
    assert source.notes == (
        "Trained on: train (20 pictures). Held out: val (20).",
        "Not used: test (40 pictures); --splits train,test trains on them, too.",
    )
    assert source.set_aside == ()
    assert source.read(source.entries[0]).shape == (60, 50, 3)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_the_published_lists_say_what_torchvision_reads(tmp_path: Path, split: str) -> None:
    """The lists in tests/data are those of the data set's page; the pictures are empty files."""
    from torchvision.datasets import Flowers102

    folder = tmp_path / "flowers-102"
    (folder / "jpg").mkdir(parents=True)
    for path in LISTS.glob("*.mat"):
        shutil.copy(path, folder)
    for number in range(1, 8190):
        (folder / "jpg" / f"image_{number:05d}.jpg").touch()
    theirs = Flowers102(tmp_path, split=split)

    source = opened(tmp_path, splits=split)

    ours = {e.path: e.labels for e in source.entries if e.split == "train"}
    assert ours == {
        path: (label,) for path, label in zip(theirs._image_files, theirs._labels, strict=True)
    }
    assert len(ours) == {"train": 1020, "val": 1020, "test": 6149}[split]
    assert source.set_aside == ()


def test_the_folder_itself_may_be_the_root(tmp_path: Path) -> None:
    flowers102(tmp_path)

    assert splits(opened(tmp_path)) == {"train": 20, "val": 20}


class TestSplits:
    def test_test_is_the_largest(self, tmp_path: Path) -> None:
        flowers102(tmp_path)

        source = opened(tmp_path, splits="test")

        assert splits(source) == {"train": 40, "val": 20}
        assert source.notes == (
            "Trained on: test (40 pictures). Held out: val (20).",
            "Not used: train (20 pictures); --splits train,test trains on them, too.",
        )

    def test_all_of_them_leave_a_share_of_each_species(self, tmp_path: Path) -> None:
        flowers102(tmp_path)

        source = opened(tmp_path, splits="train,val,test")

        assert splits(source) == {"train": 72, "val": 8}
        kept = Counter(entry.labels for entry in source.entries if entry.split == "val")
        assert kept == {(0,): 4, (1,): 4}
        assert source.entries == opened(tmp_path, splits=["test", "val", "train"]).entries
        assert "8 of 80 pictures are held out and not trained on" in source.notes[0]


class TestBackground:
    def test_what_lies_behind_is_painted(self, tmp_path: Path) -> None:
        flowers102(tmp_path)
        segmentations(tmp_path)
        plain, white = opened(tmp_path), opened(tmp_path, background="white")

        for entry in white.entries[:10]:
            before, after = plain.read(entry), white.read(entry)
            painted = (after == 255).all(axis=-1)
            inside = np.zeros(painted.shape, bool)
            inside[17:43, 14:36] = True  # JPEG blurs the blue by two pixels
            around = np.ones(painted.shape, bool)
            around[13:47, 10:40] = False
            assert painted[around].mean() > 0.9  # where the noise is not blue itself
            np.testing.assert_array_equal(after[inside], before[inside])
            np.testing.assert_array_equal(after[~painted], before[~painted])
        assert "The background of the flowers is painted white." in white.notes

    def test_a_blue_flower_stays(self) -> None:
        rng = np.random.default_rng(0)
        photograph = np.full((40, 40, 3), (60, 120, 50), np.uint8)
        photograph[10:30, 10:30] = (40, 40, 220)
        painted = photograph.copy()
        behind = np.ones((40, 40), bool)
        behind[10:30, 10:30] = False
        painted[behind] = (0, 0, 254)
        noisy = (painted + rng.normal(0, 6, painted.shape)).clip(0, 255).astype(np.uint8)

        np.testing.assert_array_equal(background_of(photograph, noisy), behind)

    def test_a_segmentation_of_another_size_is_resized(self) -> None:
        photograph = np.full((40, 60, 3), 90, np.uint8)
        painted = np.full((20, 30, 3), 90, np.uint8)
        painted[:, :15] = (0, 0, 254)

        behind = background_of(photograph, painted)

        assert behind[:, :30].all()
        assert not behind[:, 30:].any()

    def test_it_is_part_of_the_fingerprint(self, tmp_path: Path) -> None:
        flowers102(tmp_path)
        segmentations(tmp_path)
        prints = set()
        for background in ("keep", "white", "grey", "black"):
            source = opened(tmp_path, background=background)
            prints.add(ImageSet(source, source.entries, size=32, channels=3).fingerprint)

        assert len(prints) == 4

    def test_without_segmentations(self, tmp_path: Path) -> None:
        flowers102(tmp_path)

        assert message(tmp_path, background="white") == (
            f"--background white needs Oxford's segmentations, and {tmp_path / 'segmim'}/ is not "
            "there or empty. Get 102segmentations.tgz from\n"
            "  https://www.robots.ox.ac.uk/~vgg/data/flowers/102/\n"
            "and unpack it so that there is\n"
            f"  {tmp_path / 'segmim' / 'segmim_00001.jpg'}\n"
            "or leave out --background."
        )

    def test_a_missing_segmentation_costs_its_own_picture(self, tmp_path: Path) -> None:
        flowers102(tmp_path)
        segmentations(tmp_path)
        (tmp_path / "segmim" / "segmim_00041.jpg").unlink()

        source = opened(tmp_path, background="black")

        assert [(aside.name, aside.reason) for aside in source.set_aside] == [
            ("image_00041.jpg", "segmim/ has no segmim_00041.jpg that shows its background")
        ]
        assert len(source.entries) == 39

    def test_a_broken_segmentation_is_named(self, tmp_path: Path) -> None:
        flowers102(tmp_path)
        segmentations(tmp_path)
        path = tmp_path / "segmim" / "segmim_00041.jpg"
        path.write_bytes(path.read_bytes()[:100])
        source = opened(tmp_path, background="black")

        with pytest.raises(SourceError, match=rf"{path} cannot be read as a picture"):
            source.read(source.entries[0])

    def test_an_unknown_one(self, tmp_path: Path) -> None:
        said = message(tmp_path, background="pink")

        assert "background: Input should be 'keep', 'white', 'grey' or 'black'" in said
        assert "(found 'pink')" in said


def test_pictures_are_read_at_a_fraction_with_their_segmentation(tmp_path: Path) -> None:
    flowers102(tmp_path)
    (tmp_path / "segmim").mkdir()
    large = np.full((600, 500, 3), (40, 160, 60), np.uint8)
    painted = large.copy()
    painted[:, :250] = (0, 0, 254)
    for number in range(1, 81):
        Image.fromarray(large).save(tmp_path / "jpg" / f"image_{number:05d}.jpg")
        Image.fromarray(painted).save(tmp_path / "segmim" / f"segmim_{number:05d}.jpg")
    source = opened(tmp_path, background="grey")

    pixels = source.read(source.entries[0], size=64)

    assert pixels.shape[1] < 300
    half = pixels.shape[1] // 2
    assert (pixels[:, : half - 4] == 128).all()
    assert (pixels[:, half + 4 :, 1] > 150).all()
