"""CelebA from small trees of the real layouts."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latentbloom.conditions import Factor
from latentbloom.data.imageset import ImageSet
from latentbloom.data.sources.labels.names import factor_name
from latentbloom.data.sources.published.celeba import ATTRIBUTES
from picture_files import save
from published_files import (
    HEADER,
    attributes,
    celeba,
    face,
    message_of,
    open_published,
    splits,
)

opened = partial(open_published, "celeba")
message = partial(message_of, "celeba")


def test_as_torchvision_lays_it_out(tmp_path: Path) -> None:
    celeba(tmp_path / "celeba", 40)

    source = opened(tmp_path)

    assert source.name == "celeba"
    assert source.spec.factors == (Factor("smiling", ("no", "yes")),)
    assert splits(source) == {"train": 24, "val": 8}
    assert source.set_aside == ()
    place = HEADER.index("Smiling")
    for entry in source.entries:
        assert entry.name == face(int(entry.name[:6]))
        assert entry.labels == ((attributes(int(entry.name[:6]))[place] + 1) // 2,)
    assert {entry.labels for entry in source.entries} == {(0,), (1,)}
    assert "Trained on: train (24 pictures). Held out: val (8)." in source.notes
    assert "Not used: test (8 pictures); --splits train,test trains on them, too." in source.notes


@pytest.mark.parametrize("place", ["celeba", "CelebA", ""])
@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("csv", [True, False])
def test_every_usual_layout_gives_the_same(
    tmp_path: Path, place: str, nested: bool, csv: bool
) -> None:
    whole = celeba(tmp_path / "a" / "celeba", 20)
    root = tmp_path / "b"
    celeba(root / place, 20, nested=nested, csv=csv)

    one, other = opened(whole.parent), opened(root)

    assert [(e.name, e.labels, e.split) for e in one.entries] == [
        (e.name, e.labels, e.split) for e in other.entries
    ]
    assert other.read(other.entries[0]).shape == (148, 148, 3)


@pytest.mark.parametrize(("csv", "quote"), [(True, True), (True, False), (False, False)])
def test_lists_as_other_programs_save_them(tmp_path: Path, csv: bool, quote: bool) -> None:
    """Line ends of another system, none at the end, a mark of the encoding, cells in quotes."""
    celeba(tmp_path / "usual", 20)
    usual = opened(tmp_path / "usual")
    folder = celeba(tmp_path / "odd", 20, csv=csv)
    for path in folder.glob("list_*"):
        lines = path.read_text().splitlines()
        if quote:
            lines = [",".join(f'"{cell}"' for cell in line.split(",")) for line in lines]
        path.write_bytes("\r\n".join(lines).encode("utf-8-sig"))
    for path in (folder / "img_align_celeba").iterdir():
        path.rename(path.with_suffix(".JPG"))

    odd = opened(tmp_path / "odd")

    assert [(e.name, e.labels, e.split) for e in odd.entries] == [
        (e.name, e.labels, e.split) for e in usual.entries
    ]
    assert odd.set_aside == ()


def test_the_folders_of_the_official_share(tmp_path: Path) -> None:
    folder = celeba(tmp_path / "CelebA", 20)
    for name, inner in (
        ("list_attr_celeba.txt", "Anno"),
        ("list_eval_partition.txt", "Eval"),
        ("img_align_celeba", "Img"),
    ):
        (folder / inner).mkdir()
        (folder / name).rename(folder / inner / name)

    assert len(opened(tmp_path).entries) == 16


def test_several_attributes_in_the_order_asked_whatever_their_case(tmp_path: Path) -> None:
    celeba(tmp_path / "celeba", 20)

    source = opened(tmp_path, factors="Male, smiling,Wearing Hat,MALE")

    assert source.spec.names == ("male", "smiling", "wearing_hat")
    places = [HEADER.index(name) for name in ("Male", "Smiling", "Wearing_Hat")]
    for entry in source.entries:
        values = attributes(int(entry.name[:6]))
        assert entry.labels == tuple((values[place] + 1) // 2 for place in places)


def test_all_forty_attributes_are_known(tmp_path: Path) -> None:
    celeba(tmp_path / "celeba", 20)

    assert tuple(factor_name(name) for name in HEADER) == ATTRIBUTES
    assert len(set(ATTRIBUTES)) == 40
    assert opened(tmp_path, factors=ATTRIBUTES).spec.names == ATTRIBUTES


def test_an_attribute_that_it_lacks_is_answered_with_the_nearest(tmp_path: Path) -> None:
    said = message(tmp_path, factors="smiling,eyeglases")

    assert said.startswith("CelebA has no attribute 'eyeglases'. Did you mean eyeglasses")
    assert "It has: 5_o_clock_shadow, arched_eyebrows, " in said


@pytest.mark.parametrize("crop", [108, 148, 178])
def test_the_crop_is_that_of_torchvision(tmp_path: Path, crop: int) -> None:
    from torchvision.transforms import CenterCrop

    folder = celeba(tmp_path / "celeba", 20)
    source = opened(tmp_path, crop=crop)
    entry = source.entries[3]

    picture = source.inspect(entry)

    with Image.open(folder / "img_align_celeba" / entry.name) as whole:
        np.testing.assert_array_equal(picture.pixels, np.asarray(CenterCrop(crop)(whole)))
    assert (picture.width, picture.height) == (crop, crop)


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_the_same_as_torchvision_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split: str
) -> None:
    from torchvision.datasets import CelebA

    folder = celeba(tmp_path / "celeba", 40)
    for name, start in (
        ("identity_CelebA.txt", []),
        ("list_bbox_celeba.txt", ["40", "image_id x_1"]),
        ("list_landmarks_align_celeba.txt", ["40", "lefteye_x"]),
    ):
        rows = [f"{face(number)} 1" for number in range(1, 41)]
        (folder / name).write_text("\n".join([*start, *rows]) + "\n")
    # Its sums are those of the published lists.
    monkeypatch.setattr(CelebA, "_check_integrity", lambda self: True)
    theirs = CelebA(str(tmp_path), split=split)

    source = opened(tmp_path, splits=split, factors=("young", "male"))

    names = [theirs.attr_names.index(name) for name in ("Young", "Male")]
    assert [(e.name, e.labels) for e in source.entries if e.split == "train"] == [
        (name, tuple(row[names].tolist()))
        for name, row in zip(theirs.filename, theirs.attr, strict=True)
    ]


def test_a_fraction_is_decoded_when_little_is_needed(tmp_path: Path) -> None:
    folder = celeba(tmp_path / "celeba", 20)
    large = np.full((872, 712, 3), 90, np.uint8)
    large[436 - 296 : 436 + 296, 356 - 296 : 356 + 296] = 200  # the crop, at four times its size
    save(folder / "img_align_celeba" / face(1), large)
    source = opened(tmp_path)

    picture = source.inspect(source.entries[0], size=64)

    assert 128 <= picture.pixels.shape[0] < 592
    assert picture.pixels.shape[0] == picture.pixels.shape[1]
    assert np.abs(picture.pixels[4:-4, 4:-4].astype(int) - 200).max() < 12
    assert (picture.width, picture.height) == (592, 592)


def test_pictures_of_another_shape_are_left_whole(tmp_path: Path) -> None:
    folder = celeba(tmp_path / "celeba", 20)
    save(folder / "img_align_celeba" / face(1), np.zeros((64, 64, 3), np.uint8))
    source = opened(tmp_path)

    assert source.read(source.entries[0]).shape == (64, 64, 3)


def test_the_crop_is_part_of_the_fingerprint(tmp_path: Path) -> None:
    celeba(tmp_path / "celeba", 20)

    def fingerprint(crop: int) -> str:
        source = opened(tmp_path, crop=crop)
        return ImageSet(source, source.entries, size=32, channels=3).fingerprint

    assert fingerprint(148) == fingerprint(148) != fingerprint(108)


class TestSplits:
    def test_more_to_train_on(self, tmp_path: Path) -> None:
        celeba(tmp_path / "celeba", 40)

        source = opened(tmp_path, splits="train,valid")

        assert splits(source) == {"train": 32, "val": 8}
        assert {e.name for e in source.entries if e.split == "val"} == {
            face(n) for n in range(33, 41)
        }
        assert source.notes[0] == "Trained on: train and val (32 pictures). Held out: test (8)."

    def test_everything_leaves_a_share(self, tmp_path: Path) -> None:
        celeba(tmp_path / "celeba", 40)

        source = opened(tmp_path, splits="train,val,test", val_share=0.25)

        assert splits(source) == {"train": 30, "val": 10}
        assert source.notes[0] == (
            "Trained on: train, val and test (40 pictures); no other split is there, so 10 of 40 "
            "pictures are held out and not trained on, the same share of each label, chosen by a "
            "hash of their names."
        )

    @pytest.mark.parametrize("csv", [True, False])
    def test_without_a_partition_a_share_is_kept_aside(self, tmp_path: Path, csv: bool) -> None:
        folder = celeba(tmp_path / "celeba", 40, csv=csv)
        next(folder.glob("list_eval_partition.*")).unlink()

        source = opened(tmp_path)

        assert splits(source) == {"train": 36, "val": 4}
        assert source.entries == opened(tmp_path).entries
        assert source.entries != opened(tmp_path, seed=1).entries
        assert source.notes[0].startswith("list_eval_partition is not there: 4 of 40 pictures ")

    def test_without_a_partition_splits_mean_nothing(self, tmp_path: Path) -> None:
        folder = celeba(tmp_path / "celeba", 20)
        (folder / "list_eval_partition.txt").unlink()

        assert message(tmp_path, splits="train,val") == (
            "list_eval_partition is not there, so --splits train,val means nothing here."
        )

    def test_a_split_that_is_not_there(self, tmp_path: Path) -> None:
        folder = celeba(tmp_path / "celeba", 20)
        for number in range(13, 21):
            (folder / "img_align_celeba" / face(number)).unlink()

        said = message(tmp_path, splits="test")

        assert said.startswith("'celeba' has no picture of test; found: train 12.")

    def test_an_unknown_split(self, tmp_path: Path) -> None:
        assert message(tmp_path, splits="train,tset") == (
            "'tset' is no split. Did you mean test? Known: train, val, test, as in --splits "
            "train,val."
        )
