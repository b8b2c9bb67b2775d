"""Lists of pictures in arrays: what a list of objects would hold, in a fraction of its memory."""

from __future__ import annotations

import errno
import pickle
import random
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from latentbloom.data.listed import name_index, scratch
from latentbloom.data.listed.entries import Entries
from latentbloom.data.listed.entry import Entry
from latentbloom.data.listed.name_index import NameIndex
from latentbloom.data.sources.labels import natural_order
from latentbloom.data.sources.labels.names import natural_key
from latentbloom.storage.mounts import FilePart


@pytest.fixture(params=[1 << 19, 64], ids=["in memory", "in files"])
def most(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(scratch, "MOST_IN_MEMORY", request.param)
    return request.param


PLACES = [
    Path("/data/train/cat/1.jpg"),
    Path("relative.png"),
    Path("/top.png"),
    FilePart(Path("/shards/train-0.tar"), 512, 99),
    FilePart(Path("/shards/train-1.tar"), 0, 7),
    None,
    Path("/data/b\udcffd name.png"),
]


def everything() -> list[Entry]:
    names = ["train/cat/1.jpg", "relative.png", "other name", "a", "b\u00e4r", "train/7"]
    names.append("b\udcffd name.png")
    return [
        Entry(name, (k, 2 * k), "val" if k % 3 == 1 else "train", path)
        for k, (name, path) in enumerate(zip(names, PLACES, strict=True))
    ]


def test_they_are_the_entries_that_came_in(most: int) -> None:
    plain = everything() * 30

    packed = Entries.of(plain)

    assert packed == plain
    assert list(packed) == plain
    assert packed[-1] == plain[-1]
    assert packed[5:90:7] == plain[5:90:7]
    assert list(packed[::-1][:9]) == plain[::-1][:9]
    assert pickle.loads(pickle.dumps(packed)) == plain  # noqa: S301 - our own
    assert packed != plain[:-1]
    assert packed[1:] != packed[:-1]
    with pytest.raises(IndexError):
        packed[len(plain)]


def test_selections(most: int) -> None:
    plain = everything()
    packed = Entries.of(plain)

    assert packed.of_split("val") == [e for e in plain if e.split == "val"]
    without = packed.of_split("train", without=["a", "no such name"])
    assert without == [e for e in plain if e.split == "train" and e.name != "a"]
    assert without.of_split("train") is without
    assert without.find("train/7") == plain[5]
    assert without.row_of("a") == -1
    assert packed.without(["train/7"]) == plain[:5] + plain[6:]
    assert packed.folders() == {"/data/train/cat", ".", "/", "/shards", "/data"}
    assert without[1:2].folders() == {"/"}
    assert packed.with_splits(np.ones(7, bool))[0].split == "val"
    assert Entries.of(()) == ()


def test_equal_hashes_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_index, "name_hash", len)
    names = ["aa", "b", "bb", "aa", "c", "b", "bb", "aa"]

    index = NameIndex(names, names.__getitem__)

    assert [index.row(n) for n in ("aa", "b", "bb", "c", "d", "dd")] == [0, 1, 2, 4, -1, -1]
    assert index.repeated() == [3, 5, 6, 7]


def test_natural_order_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{word}{k}.png" for word in ("Cat", "cat", "dog ") for k in range(40)]
    random.Random(0).shuffle(names)  # noqa: S311 - no secret
    expected = sorted(range(len(names)), key=lambda k: natural_key(names[k]))
    assert expected != list(range(len(names)))
    for chunk in (1 << 15, 7):
        monkeypatch.setattr(natural_order, "_CHUNK", chunk)
        order = natural_order.natural_order(names)
        assert order is not None
        assert order.tolist() == expected
    assert natural_order.natural_order([names[k] for k in expected]) is None


def test_a_picture_takes_next_to_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "MOST_IN_MEMORY", 1 << 10)

    def made(count: int) -> Iterator[Entry]:
        for k in range(count):
            name = f"train/{k % 2}/{k:08d}.png"
            yield Entry(name, (k % 2,), "train", Path("/data") / name)

    def held(count: int) -> int:
        tracemalloc.start()
        packed = Entries.of(made(count))
        kept = packed.of_split("train", without=["train/0/00000004.png"])
        # Something else in the process took 15 MB meanwhile, once.
        ours = [tracemalloc.Filter(True, path) for path in ("*/latentbloom/data/*", __file__)]
        found = tracemalloc.take_snapshot().filter_traces(ours)
        tracemalloc.stop()
        assert len(kept) == count - 1
        return sum(trace.size for trace in found.traces)

    held(100)
    assert held(10_000) - held(1_000) < 9_000 * 2  # a list of them took 500 bytes each


def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(scratch, "MOST_IN_MEMORY", 64)
    monkeypatch.setattr(tempfile, "TemporaryFile", full)

    with pytest.raises(OSError, match="No space left") as error:
        Entries.of(everything() * 9)

    assert error.value.filename == tempfile.gettempdir()
