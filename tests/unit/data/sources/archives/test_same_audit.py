"""An archive of a folder is audited like the folder."""

from __future__ import annotations

import os
import struct
import zipfile
from pathlib import Path

import pytest

from archive_files import ENDINGS, pack
from latentbloom.data.audit.findings import Audit
from latentbloom.data.audit.marks import Mark
from latentbloom.data.audit.run import audit_source
from latentbloom.data.imageset import ImageSet
from latentbloom.data.sources.open import open_source
from latentbloom.errors import SourceError
from picture_files import noise, save, tree


def audited(path: Path) -> Audit:
    return audit_source(open_source(path))


def same(one: Audit, other: Audit, *, but: tuple[str, ...] = ()) -> None:
    apart = {"source", "seconds", *but}
    assert one.model_dump(exclude=apart) == other.model_dump(exclude=apart)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two labels, a broken picture, a note, and what macOS leaves behind."""
    tree(tmp_path / "pets", {"cat": 12, "dog": 12})
    (tmp_path / "pets/cat/broken.png").write_bytes(b"nothing of a picture")
    (tmp_path / "pets/notes.txt").write_text("cats and dogs")
    (tmp_path / "pets/__MACOSX").mkdir()
    (tmp_path / "pets/__MACOSX/._0.png").write_bytes(b"\0")
    return tmp_path / "pets"


@pytest.mark.parametrize("above", ["", "pets"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_labelled_folders(folder: Path, tmp_path: Path, ending: str, above: str) -> None:
    packed = pack(folder, tmp_path / "pets", ending, above=above)
    unpacked, inside = audited(folder), audited(packed)

    assert len(unpacked.broken) == 1
    same(unpacked, inside, but=("notes", "broken"))
    assert [one.name for one in unpacked.broken] == [one.name for one in inside.broken]
    assert "not a known picture format" in inside.broken[0].reason
    extra = [note for note in inside.notes if note not in unpacked.notes]
    assert len(extra) == (ending not in ("zip", "tar"))


def test_splits_and_a_table_in_an_archive(tmp_path: Path) -> None:
    splits = tree(tmp_path / "a", {"train/x": 10, "train/y": 10, "test/x": 3, "test/y": 3})
    same(audited(splits), audited(pack(splits, tmp_path / "a", "zip")))

    table = tree(tmp_path / "b", {"imgs": 20})
    lines = [f"imgs/{k}.png;{k % 2};{k},5" for k in range(20)]
    (table / "labels.csv").write_text("\ufefffile;smiling;age\n" + "\n".join(lines), "utf-8")
    same(audited(table), audited(pack(table, tmp_path / "b", "tgz")), but=("notes",))


def test_a_yes_no_label_is_named_after_the_archive(tmp_path: Path) -> None:
    folder = tree(tmp_path / "smiling", {"yes": 10, "no": 10})
    source = open_source(pack(folder, tmp_path / "smiling", "zip"))

    assert source.spec == open_source(folder).spec
    assert source.spec.names == ("smiling",)


def test_training_reads_the_pixels_of_the_members(tmp_path: Path) -> None:
    folder = tree(tmp_path / "pets", {"cat": 10, "dog": 10})
    sources = [open_source(folder), open_source(pack(folder, tmp_path / "pets", "zip"))]
    sets = [ImageSet(s, s.entries, size=16, channels=3, cache_bytes=0) for s in sources]

    assert (sets[0].images(range(20)) == sets[1].images(range(20))).all()
    assert sets[0].fingerprint == sets[1].fingerprint


def test_nothing_is_unpacked_beside_an_archive(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, cache = tmp_path / "place", tmp_path / "cache"
    place.mkdir()
    monkeypatch.setenv("LATENTBLOOM_CACHE", str(cache))
    monkeypatch.chdir(place)
    for ending in ("zip", "tar", "tar.gz"):
        audited(pack(folder, place / "pets", ending))

    assert sorted(os.listdir(place)) == ["pets.tar", "pets.tar.gz", "pets.zip"]
    assert len(list((cache / "archives").iterdir())) == 1  # of the compressed tar


def test_a_changed_archive_is_noticed(tmp_path: Path) -> None:
    folder = tree(tmp_path / "pets", {"cat": 10, "dog": 10})
    source = open_source(pack(folder, tmp_path / "pets", "zip"))
    entry = source.entries[0]
    mark, stamp = Mark.of(source.files(entry)), source.stamp(entry)

    save(folder / entry.name, noise(99))
    again = open_source(pack(folder, tmp_path / "pets", "zip"))

    assert again.stamp(entry) != stamp
    assert not mark.fits(again.files(entry))
    other = source.entries[1]
    assert Mark.of(again.files(other)).digest == Mark.of([folder / other.name]).digest


def test_names_of_windows_and_of_utf_8_that_nobody_declared(tmp_path: Path) -> None:
    folder = tree(tmp_path / "pets", {"a": 10, "b": 10})
    path = tmp_path / "pets.zip"
    with zipfile.ZipFile(path, "w") as made:
        for k in range(10):
            made.writestr(f"öl/{k}.png", (folder / f"a/{k}.png").read_bytes())
            made.writestr(f"b\\{k}.png", (folder / f"b/{k}.png").read_bytes())
    content = path.read_bytes()
    path.write_bytes(_without_utf8_flag(content))

    assert open_source(path).spec.factors[0].values == ("b", "öl")


def _without_utf8_flag(content: bytes) -> bytes:
    """The same zip as a packer writes it that stores UTF-8 and does not say so."""
    out = bytearray(content)
    for mark, flags, name_length, name in ((b"PK\3\4", 6, 26, 30), (b"PK\1\2", 8, 28, 46)):
        at = out.find(mark)
        while at >= 0:
            (length,) = struct.unpack_from("<H", out, at + name_length)
            raw = bytes(out[at + name : at + name + length]).decode("utf-8")
            if any(ord(one) > 127 for one in raw):
                out[at + flags + 1] &= 0xF7
            at = out.find(mark, at + 4)
    return bytes(out)


def test_a_place_inside_an_archive(tmp_path: Path) -> None:
    folder = tree(tmp_path / "set", {"one/cat": 10, "one/dog": 10, "two/x": 10, "two/y": 9})
    (folder / "two/labels.csv").write_text(
        "file,kind\n" + "".join(f"x/{k}.png,{k % 2}\ny/{k}.png,{k % 2}\n" for k in range(9))
    )
    path = pack(folder, folder, "zip")

    for inside in ("one", "two", "two/labels.csv"):
        same(audited(folder / inside), audited(path / inside))
    for inside in ("three", "two/other.csv"):
        with pytest.raises(SourceError, match="there is no such file or folder in the archive"):
            open_source(path / inside)
    with pytest.raises(SourceError, match="There is no folder"):
        open_source(folder / "two/labels.csv/x")


def test_a_readme_beside_the_only_folder(tmp_path: Path) -> None:
    folder = tree(tmp_path / "set", {"pets/cat": 10, "pets/dog": 10})
    (folder / "README.txt").write_text("pets")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX/._pets").touch()

    same(audited(folder / "pets"), audited(pack(folder, folder, "zip")))
    one = tree(tmp_path / "one", {"cat": 20})
    with pytest.raises(SourceError, match="has one label only, 'cat'"):
        open_source(pack(one, one, "zip"))
