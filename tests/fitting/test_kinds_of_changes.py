"""Every way in which a run's pictures can change is named, with counts, wherever they are read."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import latentbloom
from latentbloom.cli.main import main
from latentbloom.errors import RunFolderError, SourceError
from latentbloom.evaluate.run_sets import sets_of_run
from latentbloom.fitting.planning.speeds import Speeds
from latentbloom.runs.folder import RunFolder
from tiny_run import TINY, make_pictures

Change = Callable[[Path], object]


def other_pixels(path: Path) -> None:
    """Other content of exactly the same size, with the time of the old file."""
    before = path.stat()
    with Image.open(path) as image:
        pixels = np.asarray(image).copy()
    flipped = pixels[:, ::-1]
    raw = path.with_suffix(".bmp")
    Image.fromarray(flipped).save(raw)
    raw.rename(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def swap(one: Path, other: Path) -> None:
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def rewrite(old: str, new: str, count: int) -> Change:
    def change(folder: Path) -> None:
        table = folder / "labels.csv"
        table.write_text(table.read_text().replace(old, new, count))

    return change


FOLDERS: dict[str, tuple[Change, str]] = {
    "a class folder renamed": (
        lambda f: (f / "day").rename(f / "zenith"),
        r"10 pictures added \(zenith/0.*10 pictures removed \(day/0.*label lost day and gained",
    ),
    "two class folders swapped": (
        lambda f: swap(f / "day", f / "night"),
        r"20 pictures with other content under the same name \(day/0.*17 more\)",
    ),
    "pictures removed": (
        lambda f: [(f / "day" / f"{k}.png").unlink() for k in (2, 3)],
        r"2 pictures removed \(day/2.png, day/3.png\)",
    ),
    "pictures added": (
        lambda f: [shutil.copy(f / "day" / "0.png", f / "day" / f"more{k}.png") for k in range(5)],
        r"5 pictures added \(day/more0.png, .* and 2 more\)",
    ),
    "a class added": (
        lambda f: shutil.copytree(f / "day", f / "dusk"),
        r"10 pictures added \(dusk/0.png, .*label gained dusk",
    ),
    "one picture replaced": (
        lambda f: other_pixels(f / "night" / "4.png"),
        r"1 picture with other content under the same name \(night/4.png\)",
    ),
}
TABLE: dict[str, tuple[Change, str]] = {
    "labels changed": (
        rewrite("1.png,day", "1.png,night", 1),
        r"1 picture relabelled \(1.png\)",
    ),
    "a column renamed": (
        rewrite("sky", "hour", 1),
        r"the conditions were sky and are now hour",
    ),
    "a value renamed": (
        rewrite("day", "noon", -1),
        r"10 pictures relabelled .*sky lost day and gained noon",
    ),
    "rows removed": (
        rewrite("1.png,day\n", "", 1),
        r"1 picture removed \(1.png\)",
    ),
}


def begin(pictures: Path, run: Path) -> None:
    """A run that has begun and has trained nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("latentbloom.fitting.whole_run.Fitting.run", lambda *_, **__: None)
        measured = ("a machine", "fp32", Speeds(100.0, 100.0, 100.0))
        patch.setattr("latentbloom.fitting.work.Work.measure", lambda *_, **__: measured)
        latentbloom.fit(pictures, out=run, overrides=TINY)


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {kind: template(tmp_path_factory.mktemp(kind), kind) for kind in ("folders", "table")}


def template(place: Path, kind: str) -> Path:
    pictures = make_pictures(place / "pictures", per_label=10, splits=False)
    if kind == "table":
        rows = ["file,sky"]
        for k, path in enumerate(sorted(pictures.rglob("*.png"))):
            path.rename(pictures / f"{k}.png")
            rows.append(f"{k}.png,{path.parent.name}")
        (pictures / "labels.csv").write_text("\n".join(rows) + "\n")
    for path in pictures.rglob("*.png"):  # uncompressed: the same size whatever it shows
        with Image.open(path) as image:
            image.load()
        image.save(path, "BMP")
    begin(pictures, place / "run")
    shutil.copytree(pictures, place / "kept")
    return place


@contextmanager
def restored(place: Path) -> Iterator[Path]:
    """Pictures and a run on them; the pictures are put back afterwards, as a copy."""
    try:
        yield place / "run"
    finally:
        shutil.rmtree(place / "pictures")
        shutil.copytree(place / "kept", place / "pictures")


@pytest.mark.parametrize(
    ("kind", "case"), [("folders", case) for case in FOLDERS] + [("table", case) for case in TABLE]
)
def test_each_is_refused_with_its_counts(
    templates: dict[str, Path], kind: str, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change, expected = {**FOLDERS, **TABLE}[case]
    pictures = templates[kind] / "pictures"
    with restored(templates[kind]) as run:
        change(pictures)
        with pytest.raises(SourceError, match="has changed since the run began: .*" + expected):
            latentbloom.fit(pictures, out=run, overrides=TINY)
        with pytest.raises(SourceError, match=expected):
            sets_of_run(RunFolder(run))
        assert main(["evaluate", str(run)]) == 1
        assert re.search(expected, capsys.readouterr().err)
        assert main(["show", str(run), "reconstructions"]) == 0
        assert re.search(expected, " ".join(capsys.readouterr().out.split()))


def test_a_copy_of_the_same_pictures_is_no_change(templates: dict[str, Path]) -> None:
    place = templates["folders"]
    shutil.copytree(place / "pictures", place / "copy", copy_function=shutil.copyfile)
    shutil.rmtree(place / "pictures")
    (place / "copy").rename(place / "pictures")

    train, val = sets_of_run(RunFolder(place / "run"))

    assert len(train) + len(val) == 20


@pytest.mark.parametrize("option", [{"data.factors": "colour"}, {"data.crop": 108}])
def test_other_choices_are_named(templates: dict[str, Path], option: dict[str, object]) -> None:
    place = templates["folders"]
    name = next(iter(option))
    with pytest.raises(SourceError, match=f"was trained with {name} "):
        sets_of_run(RunFolder(place / "run"), overrides=option)
    with pytest.raises(RunFolderError, match=f"other settings: {name} was"):
        latentbloom.fit(place / "pictures", out=place / "run", overrides=TINY | option)


def test_replaced_pictures_that_are_accepted_are_encoded_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = make_pictures(tmp_path / "pictures", splits=False)
    run = tmp_path / "run"
    latentbloom.fit(pictures, out=run, overrides=TINY, only_autoencoder=True)
    before = (run / "latents" / "train" / "latents-00000.npy").read_bytes()
    shutil.copy(pictures / "day" / "1.png", pictures / "day" / "2.png")

    latentbloom.fit(pictures, out=run, overrides=TINY, accept_changed_data=True)

    assert "1 picture with other content" in capsys.readouterr().out
    assert (run / "latents" / "train" / "latents-00000.npy").read_bytes() != before
