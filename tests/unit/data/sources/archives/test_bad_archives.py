"""Archives that are damaged, hostile, or not what they seem: each is named, the rest is used."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from archive_files import pack
from latentbloom.data.audit.run import audit_source
from latentbloom.data.sources.base import Source
from latentbloom.data.sources.open import open_source
from latentbloom.errors import SourceError
from picture_files import tree


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tree(tmp_path / "pets", {"cat": 12, "dog": 12})


@pytest.fixture(autouse=True)
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Duplicate name")
        yield


def zipped(folder: Path) -> Path:
    return pack(folder, folder, "zip")


def aside(source: Source) -> dict[str, str]:
    return {one.name: one.reason for one in source.set_aside}


def refused(path: Path) -> str:
    with pytest.raises(SourceError) as error:
        open_source(path)
    return str(error.value)


def picture(folder: Path) -> bytes:
    return (folder / "cat/0.png").read_bytes()


def test_an_empty_zip_and_one_without_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.touch()
    assert "a.zip is empty: it has no bytes" in refused(path)
    with zipfile.ZipFile(path, "w"):
        pass
    assert "a.zip is empty: it holds no files" in refused(path)
    with zipfile.ZipFile(path, "w") as made:
        made.mkdir("cat")
    assert "a.zip is empty: it holds no files" in refused(path)
    with tarfile.open(tmp_path / "a.tar", "w"):
        pass
    assert "a.tar is empty: it holds no files" in refused(tmp_path / "a.tar")


def test_a_zip_that_was_cut_short(folder: Path) -> None:
    path = zipped(folder)
    path.write_bytes(path.read_bytes()[:-400])
    assert "pets.zip is no complete zip archive" in refused(path)


def _encrypt(path: Path, names: set[str]) -> None:
    """Set the flag of encrypted members."""
    content = bytearray(path.read_bytes())
    for mark, flags, name_at in ((b"PK\3\4", 6, 30), (b"PK\1\2", 8, 46)):
        at = content.find(mark)
        while at >= 0:
            if any(content[at + name_at :].startswith(name.encode()) for name in names):
                content[at + flags] |= 1
            at = content.find(mark, at + 4)
    path.write_bytes(bytes(content))


def test_an_encrypted_zip(folder: Path) -> None:
    path = zipped(folder)
    _encrypt(path, {"cat/3.png"})
    source = open_source(path)
    assert len(source.entries) == 23
    assert "it is encrypted; unpack the archive with its password" in aside(source)["cat/3.png"]

    _encrypt(path, {"cat/", "dog/"})
    message = refused(path)
    assert "pets.zip holds nothing that can be used" in message
    assert "it is encrypted; unpack the archive with its password and give the folder" in message


def test_a_zip_in_a_zip(folder: Path, tmp_path: Path) -> None:
    inner = zipped(folder)
    outer = tmp_path / "outer.zip"
    with zipfile.ZipFile(outer, "w") as made:
        made.write(inner, "inner.zip")
    assert "inner.zip: it is an archive; unpack it, or give it alone" in refused(outer)

    (folder / "inner.zip").write_bytes(inner.read_bytes())
    for path in (folder, zipped(folder)):
        source = open_source(path)
        assert len(source.entries) == 24
        assert aside(source) == {"inner.zip": "it is an archive; unpack it, or give it alone"}


def test_ten_thousand_entries_of_one_name(folder: Path) -> None:
    path = zipped(folder)
    last = (folder / "dog/5.png").read_bytes()
    with zipfile.ZipFile(path, "a") as made:
        for k in range(10_000):
            made.writestr("cat/a.png", last if k == 9_999 else b"x")
    source = open_source(path)

    assert len(source.entries) == 25
    said = "pets.zip holds 10,000 members of this name; the last one is used"
    assert aside(source) == {"cat/a.png": said}
    audit = audit_source(source)
    assert not audit.broken
    assert [group.names for group in audit.duplicates] == [("cat/a.png", "dog/5.png")]


def _tar_with(path: Path, name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> None:
    with tarfile.open(path, "a") as made:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, link
        made.addfile(info)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../../cat/out.png", "its name leads out of pets."),
        ("cat/../../out.png", "its name leads out of pets."),
        ("/etc/out.png", "an absolute name, which is not followed"),
        ("C:/out.png", "an absolute name, which is not followed"),
    ],
)
def test_names_that_lead_out(folder: Path, name: str, reason: str) -> None:
    tar = pack(folder, folder, "tar")
    _tar_with(tar, name)
    path = zipped(folder)
    with zipfile.ZipFile(path, "a") as made:
        made.writestr(name, picture(folder))
    for archive in (path, tar):
        source = open_source(archive)
        assert len(source.entries) == 24
        assert reason in aside(source)[name]


def test_links_pipes_and_devices(folder: Path) -> None:
    (folder / "secret.png").write_bytes(picture(folder))
    path = zipped(folder)
    with zipfile.ZipFile(path, "a") as made:
        info = zipfile.ZipInfo("cat/link.png")
        info.create_system, info.external_attr = 3, 0o120777 << 16
        made.writestr(info, "../secret.png")
    assert "it is a link, which is not followed" in aside(open_source(path))["cat/link.png"]

    tar = pack(folder, folder, "tar")
    _tar_with(tar, "cat/soft.png", tarfile.SYMTYPE, "/etc/passwd")
    _tar_with(tar, "cat/hard.png", tarfile.LNKTYPE, "secret.png")
    _tar_with(tar, "cat/pipe.png", tarfile.FIFOTYPE)
    _tar_with(tar, "cat/device.png", tarfile.CHRTYPE)
    said = aside(open_source(tar))
    assert "a link, which is not followed" in said["cat/soft.png"]
    assert "a link, which is not followed" in said["cat/hard.png"]
    assert said["cat/pipe.png"] == "it is a named pipe, not a file"
    assert said["cat/device.png"] == "it is a device, not a file"


def test_a_bomb_in_a_zip(folder: Path) -> None:
    (folder / "cat/bomb.png").write_bytes(b"\0" * (32 << 20))
    path = zipped(folder)
    assert path.stat().st_size < 1 << 20
    assert "as a zip bomb does" in aside(open_source(path))["cat/bomb.png"]


def test_members_that_share_their_bytes(folder: Path) -> None:
    path = zipped(folder)
    with zipfile.ZipFile(path) as archive:
        first, second = archive.infolist()[:2]
    content = path.read_bytes()
    # The second member's place in the list becomes that of the first.
    at = content.index(second.filename.encode(), content.index(b"PK\1\2")) - 46
    path.write_bytes(
        content[: at + 42] + first.header_offset.to_bytes(4, "little") + content[at + 46 :]
    )
    said = aside(open_source(path))
    assert set(said) == {first.filename, second.filename}
    assert "its bytes overlap those of another member" in said[first.filename]


def test_a_bomb_in_a_compressed_tar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTBLOOM_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "bomb.tar.gz"
    with gzip.open(path, "wb") as file:
        for _ in range(40):
            file.write(b"\0" * (1 << 20))
    assert "as a bomb does, and is not read" in refused(path)
    assert not [file for file in (tmp_path / "cache").rglob("*") if file.is_file()]


def test_a_cache_without_room(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from latentbloom.data.sources.archives import unpack_cache

    path = pack(folder, folder, "tgz")
    monkeypatch.setenv("LATENTBLOOM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(unpack_cache, "LIMIT", 10_000)
    assert "unpacks to more than 10,000 bytes, which the cache folder" in refused(path)
    (tmp_path / "file").touch()
    monkeypatch.setenv("LATENTBLOOM_CACHE", str(tmp_path / "file"))
    assert "cannot be written" in refused(path)


def test_the_cache_keeps_what_was_used_last(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from latentbloom.data.sources.archives import unpack_cache

    monkeypatch.setenv("LATENTBLOOM_CACHE", str(tmp_path / "cache"))
    paths = [pack(folder, tmp_path / f"set{k}", "tgz") for k in range(3)]
    size = pack(folder, tmp_path / "set", "tar").stat().st_size
    monkeypatch.setattr(unpack_cache, "LIMIT_OF_ALL", int(2.5 * size))
    for age, path in enumerate(paths):
        open_source(path)
        for copy in (tmp_path / "cache/archives").iterdir():
            os.utime(copy, (copy.stat().st_mtime - 100 + age,) * 2)
    assert len(list((tmp_path / "cache/archives").iterdir())) == 2
    assert len(open_source(paths[0]).entries) == 24  # it is unpacked again


def test_a_member_with_a_wrong_checksum_is_named_by_the_audit(folder: Path) -> None:
    path = zipped(folder)
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        info = archive.infolist()[3]
    at = info.header_offset + 30 + len(info.filename) + info.compress_size - 12
    path.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
    audit = audit_source(open_source(path))

    assert [one.name for one in audit.broken] == [info.filename]
    assert "the archive is damaged" in audit.broken[0].reason
    assert audit.train + audit.val == 23


@pytest.mark.parametrize("ending", ["tar", "tar.gz"])
def test_a_tar_that_was_cut_short(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATENTBLOOM_CACHE", str(tmp_path / "cache"))
    more = tree(tmp_path / "more", {"cat": 40, "dog": 20})
    path = pack(more, more, ending)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    for _ in range(2):  # the second time from the cache
        source = open_source(path)
        assert 30 <= len(source.entries) < 60
        assert any(
            "is cut short or damaged after" in note and "is lost" in note for note in source.notes
        )
    path.write_bytes(whole[: len(whole) // 6])
    assert f"more.{ending} is cut short or damaged after" in refused(path)


def test_a_tar_with_a_damaged_header(folder: Path) -> None:
    path = pack(folder, folder, "tar")
    content = bytearray(path.read_bytes())
    with tarfile.open(path) as archive:
        at = archive.getmembers()[20].offset
    content[at : at + 512] = b"\xee" * 512
    path.write_bytes(bytes(content))
    source = open_source(path)

    assert len(source.entries) == 20
    assert (
        "pets.tar is cut short or damaged after 20 files: what came after them is lost."
        in source.notes
    )


def test_what_cannot_be_read_says_so(folder: Path, tmp_path: Path) -> None:
    zipped(folder).rename(tmp_path / "labels.xlsx")
    assert "labels.xlsx is a spreadsheet. Save it as CSV" in refused(tmp_path / "labels.xlsx")
    (tmp_path / "a.zip").write_bytes(b"7z\xbc\xaf\x27\x1c and more")
    (tmp_path / "b.tar").write_bytes(b"no tar at all" * 100)
    assert "a.zip is no complete zip archive" in refused(tmp_path / "a.zip")
    assert "b.tar cannot be read as a tar archive" in refused(tmp_path / "b.tar")
    path = zipped(folder)
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\1\2")
    content[at + 10 : at + 12] = b"\x09\x00"
    path.write_bytes(bytes(content))
    assert "compressed with Deflate64, which cannot be read" in "".join(
        aside(open_source(path)).values()
    )


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_to_compress_a_zip(folder: Path, method: int) -> None:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", method) as made:
        for file in sorted(folder.rglob("*.png")):
            made.write(file, file.relative_to(folder).as_posix())
    audit = audit_source(open_source(path))
    assert (audit.train + audit.val, audit.broken) == (24, ())


def test_an_archive_without_its_ending_is_known_by_its_first_bytes(folder: Path) -> None:
    path = zipped(folder)
    assert len(open_source(path.rename(folder.parent / "download")).entries) == 24
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        made.add(folder, "pets")
    (folder.parent / "other").write_bytes(buffer.getvalue())
    assert len(open_source(folder.parent / "other").entries) == 24


@pytest.mark.parametrize("ending", ["zip", "tar", "tgz"])
def test_any_damage_is_an_error_in_words(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that are changed anywhere, mostly in headers, raise a SourceError or lose pictures."""
    monkeypatch.setenv("LATENTBLOOM_CACHE", str(tmp_path / "cache"))
    small = tree(tmp_path / "small", {"cat": 9, "dog": 9}, size=8)
    path = pack(small, small, ending)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    outcomes: Counter[str] = Counter()
    for _ in range(60):
        content = bytearray(whole)
        for _ in range(int(rng.choice([1, 4]))):
            far = int(rng.choice([600, 2500, len(content)]))
            at = int(rng.integers(min(far, len(content))))
            content[at if rng.random() < 0.5 else -1 - at] = int(rng.choice([0, 255, 1, 80]))
        path.write_bytes(content)
        try:
            source = open_source(path)
        except SourceError:
            outcomes["refused"] += 1
            continue
        for entry in source.entries:
            with suppress(SourceError):
                assert source.read(entry).shape == (8, 8, 3)
        outcomes["opened"] += 1
    assert outcomes.total() == 60
    assert outcomes["opened"] > 5
