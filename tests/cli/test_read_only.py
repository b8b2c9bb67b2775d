"""Places that cannot be written: one sentence, and without the cache everything still works."""

from __future__ import annotations

import errno
import logging
from pathlib import Path

import numpy as np
import pytest

from latentbloom.config import SourceOptions
from latentbloom.data.kept import KeepPictures, open_kept
from latentbloom.data.sources.base import Entry
from latentbloom.data.sources.open import open_source
from latentbloom.runs.names import record_names
from latentbloom.storage import files
from latentbloom.storage.files import check_writable, spare_cache
from picture_files import noise, save, tree
from tests.cli.conftest import CommandLine


@pytest.fixture(autouse=True)
def _says_again() -> None:
    files._say_no_cache.cache_clear()


@pytest.fixture
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in place of the cache folder: nothing can be written below it, not even by root."""
    place = tmp_path / "cache"
    place.write_text("a file")
    monkeypatch.setenv("LATENTBLOOM_CACHE", str(place))
    return place


def test_an_audit_without_a_cache(
    tmp_path: Path, no_cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = open_source(tree(tmp_path / "pictures", {"a": 10, "b": 10}))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            with KeepPictures(source, size=16, fit="crop") as keeper:
                for entry in source.entries:
                    keeper.add(entry, noise(1, height=16, width=16), (1, 1))
    assert open_kept(source, size=16, fit="crop") is None
    (said,) = caplog.messages  # once, although it was tried twice
    assert said.startswith(f"The cache folder {no_cache} cannot be written (")
    assert "LATENTBLOOM_CACHE" in said


def test_a_cache_on_a_full_disk(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), spare_cache():
        raise OSError(errno.ENOSPC, "No space left on device", "x")
    assert "No space left on device" in caplog.text


def test_colours_without_a_cache(
    tmp_path: Path, no_cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for k in range(40):
        colour = (220, 30, 30) if k % 2 else (30, 60, 220)
        pixels = np.full((24, 24, 3), colour, np.uint8)
        pixels[k % 20] = 255
        save(tmp_path / "pictures" / "ab"[k // 20] / f"{k}.png", pixels)
    with caplog.at_level(logging.WARNING):
        source = open_source(
            SourceOptions(source=str(tmp_path / "pictures"), factors="label,colour")
        )
    assert {"red", "blue"} <= set(source.spec.factor("colour").values)
    assert str(no_cache) in caplog.text


def test_a_folder_that_cannot_be_written_is_noticed_before_the_work(
    tmp_path: Path, call: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(tmp_path / "pictures", {"a": 10, "b": 10})
    (tmp_path / "out").write_text("a file")

    audit = call("audit", tmp_path / "pictures", "--out", tmp_path / "out" / "audit.json")
    fit = call("fit", tmp_path / "pictures", "--out", tmp_path / "out" / "run")

    for outcome in (audit, fit):
        assert outcome.code == 1
        assert outcome.out == ""
        assert outcome.err.startswith(f"latentbloom: {tmp_path / 'out'}")
        assert "cannot be read or written: " in outcome.err
        assert "--out" in outcome.err
        assert len(outcome.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EROFS, "Choose another place with --out, or change its permissions."),
        (errno.EACCES, "Choose another place with --out, or change its permissions."),
        (errno.ENOSPC, "Free some space, or choose another place."),
        (errno.ENAMETOOLONG, "Choose a shorter name."),
    ],
)
def test_what_the_system_refuses_is_one_sentence(
    tmp_path: Path, call: CommandLine, monkeypatch: pytest.MonkeyPatch, number: int, advice: str
) -> None:
    tree(tmp_path / "pictures", {"a": 10, "b": 10})

    def refuse(path: Path) -> None:
        raise OSError(number, "It is refused", str(path / ".12.new.probe"))

    monkeypatch.setattr("latentbloom.storage.files.check_writable", refuse)
    outcome = call("audit", tmp_path / "pictures", "--out", tmp_path / "r" / "audit.json")

    assert outcome.code == 1
    where = tmp_path / "r"
    assert (
        outcome.err == f"latentbloom: {where}/ cannot be read or written: It is refused. {advice}\n"
    )


def test_a_probe_leaves_nothing(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b")
    check_writable(tmp_path)
    assert list(tmp_path.rglob("*")) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="it is no folder"):
        check_writable(tmp_path / "file" / "b")


def test_a_run_that_is_not_there_gets_no_table_of_names(tmp_path: Path) -> None:
    record_names(tmp_path / "no run", {"a": {"label": "a"}})
    assert list(tmp_path.iterdir()) == []


def test_an_entry_has_a_name_that_can_be_shown() -> None:
    assert Entry("caf\udce9\n.png", (0,), "train").name == r"caf\xe9\n.png"
