"""The set that training reads."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from latentbloom.config import SourceOptions
from latentbloom.data.imageset import ImageSet
from latentbloom.data.sources.base import Entry, FileSource, Source
from latentbloom.data.sources.open import open_source
from latentbloom.errors import SourceError
from picture_files import noise, tree


class CountingSource(FileSource):
    """Counts how often each picture is read."""

    def read(self, entry: Entry, *, size: int | None = None) -> np.ndarray:
        COUNTS[entry.name] = COUNTS.get(entry.name, 0) + 1
        return super().read(entry, size=size)


COUNTS: dict[str, int] = {}


@pytest.fixture
def source(tmp_path: Path) -> Source:
    COUNTS.clear()
    opened = open_source(
        SourceOptions(source=str(tree(tmp_path / "pets", {"cat": 10, "dog": 10})), val_share=0.0)
    )
    assert isinstance(opened, FileSource)
    return CountingSource(opened.name, opened.spec, opened.entries)


def test_pictures_and_conditions_by_index(source: Source) -> None:
    images = ImageSet(source, source.entries, size=20, channels=3)

    batch = images.images([3, 12, 3])

    assert batch.dtype == torch.uint8
    assert batch.shape == (3, 3, 20, 20)
    np.testing.assert_array_equal(batch[0].permute(1, 2, 0), noise(3))
    np.testing.assert_array_equal(batch[1].permute(1, 2, 0), noise(1002))
    assert torch.equal(batch[0], batch[2])
    cond = images.cond([3, 12, 3])
    assert list(cond) == ["label"]
    assert cond["label"].dtype == torch.long
    assert cond["label"].tolist() == [0, 1, 0]
    assert len(images) == 20


def test_indices_may_be_a_tensor_or_an_array(source: Source) -> None:
    images = ImageSet(source, source.entries, size=20, channels=1)

    for indices in (torch.tensor([1, 2]), np.array([1, 2])):
        assert torch.equal(images.images(indices), images.images([1, 2]))
        assert images.cond(indices)["label"].tolist() == [0, 0]


def test_no_indices(source: Source) -> None:
    images = ImageSet(source, source.entries, size=20, channels=1)

    assert images.images([]).shape == (0, 1, 20, 20)
    assert images.cond([])["label"].shape == (0,)


def test_within_the_bound_each_picture_is_read_once(source: Source) -> None:
    images = ImageSet(source, source.entries, size=20, channels=3)

    for _ in range(3):
        images.images(range(20))

    assert set(COUNTS.values()) == {1}


def test_beyond_the_bound_pictures_are_read_again_and_stay_the_same(source: Source) -> None:
    room = 5 * 3 * 20 * 20 + 7  # five pictures and a bit
    bounded = ImageSet(source, source.entries, size=20, channels=3, cache_bytes=room)
    whole = ImageSet(source, source.entries, size=20, channels=3)
    expected = whole.images(range(20))
    COUNTS.clear()

    for _ in range(3):
        assert torch.equal(bounded.images(range(20)), expected)

    assert sorted(COUNTS.values()) == [1] * 5 + [3] * 15
    assert bounded._cache.nbytes <= room


def test_without_a_cache(source: Source) -> None:
    images = ImageSet(source, source.entries, size=20, channels=3, cache_bytes=0)

    assert torch.equal(images.images([4]), images.images([4]))


def test_a_batch_may_be_written_to(source: Source) -> None:
    images = ImageSet(source, source.entries, size=20, channels=3)
    first = images.images([0])
    expected = first.clone()

    first.zero_()

    assert torch.equal(images.images([0]), expected)


def test_a_broken_file_is_replaced_by_one_with_its_label(
    source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    images = ImageSet(source, source.entries, size=20, channels=3)
    broken = source.entries[9]  # the last cat; its neighbour above is a dog
    assert isinstance(broken.path, Path)
    broken.path.write_bytes(b"gone bad")

    with caplog.at_level(logging.WARNING):
        batch = images.images([9, 8])
        images.images([9])

    assert torch.equal(batch[0], batch[1])
    assert images.cond([9])["label"].tolist() == [0]
    assert [record.message.count("cat/9.png") for record in caplog.records] == [1]
    assert "its content is not a known picture format" in images.set_aside["cat/9.png"]


def test_a_folder_that_is_gone_stops_the_run(source: Source) -> None:
    images = ImageSet(source, source.entries, size=20, channels=3)
    for entry in source.entries:
        assert isinstance(entry.path, Path)
        entry.path.unlink()

    with pytest.raises(SourceError, match="8 other pictures with its labels cannot be read either"):
        images.images([0])


def test_pictures_read_before_the_folder_went_are_still_there(source: Source) -> None:
    images = ImageSet(source, source.entries, size=20, channels=3)
    expected = images.images([0])
    for entry in source.entries:
        assert isinstance(entry.path, Path)
        entry.path.unlink()

    assert torch.equal(images.images([0]), expected)
    assert torch.equal(images.images([1]), expected)  # stands in for its neighbour


def test_the_fingerprint_follows_what_matters(source: Source) -> None:
    def fingerprint(entries: Sequence[Entry] = source.entries, **changes: object) -> str:
        options = {"size": 20, "channels": 3, "fit": "crop", **changes}
        return ImageSet(source, entries, **options).fingerprint  # type: ignore[arg-type]

    base = fingerprint()
    first = source.entries[0]
    relabelled = (Entry(first.name, (1,), "train", first.path), *source.entries[1:])

    assert base == fingerprint(cache_bytes=0)
    others = [
        fingerprint(size=32),
        fingerprint(channels=1),
        fingerprint(fit="squeeze"),
        fingerprint(source.entries[1:]),
        fingerprint(source.entries[::-1]),
        fingerprint(relabelled),
    ]
    assert len({base, *others}) == 7


def test_it_travels_to_another_process(source: Source) -> None:
    images = ImageSet(source, source.entries, size=20, channels=3)

    copy = pickle.loads(pickle.dumps(images))  # noqa: S301 - its own

    assert torch.equal(copy.images([5]), images.images([5]))


def test_two_channels_are_refused(source: Source) -> None:
    with pytest.raises(SourceError, match=r"channels is 2; 1 \(grey\) and 3 \(colour\)"):
        ImageSet(source, source.entries, size=20, channels=2)


def test_drawn_pictures_are_drawn_at_the_size_of_the_set() -> None:
    source = open_source("synthetic-faces:16")
    images = ImageSet(source, source.entries, size=48, channels=3)

    drawn = source.read(source.entries[2], size=48)

    np.testing.assert_array_equal(images.images([2])[0].permute(1, 2, 0), drawn)
