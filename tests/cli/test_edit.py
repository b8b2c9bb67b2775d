"""`latentbloom edit`: files of every kind in, edited pictures out; a bad one stops no other."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from latentbloom.cli import edit_command
from latentbloom.model.editing.defaults import STRENGTH, STRIP
from latentbloom.model.editing.methods import METHODS
from latentbloom.model.generator import load
from shown_run import coloured_pictures, open_splits, save_run, untrained_model
from tests.cli.conftest import CommandLine, Outcome


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return coloured_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Path:
    """A run with both models, untrained."""
    model = untrained_model(open_splits(pictures)["train"])
    return save_run(tmp_path_factory.mktemp("runs") / "run", model, pictures)


@pytest.fixture
def photos(pictures: Path, tmp_path: Path) -> Path:
    """What people have: a picture of the model's size, a large one, a grey one, a broken one."""
    folder = tmp_path / "photos"
    folder.mkdir()
    fitting = Image.open(pictures / "val_blue_high_0.png").convert("RGB")
    fitting.save(folder / "fits.png")
    fitting.resize((90, 120)).save(folder / "large.jpg")
    fitting.convert("L").save(folder / "grey.png")
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("no picture either")
    return folder


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.array(picture)


def edit(call: CommandLine, run: Path, *words: object) -> Outcome:
    return call("edit", run, *words)


FROM = ("--from", "colour=blue,height=high")


def test_a_folder_with_a_broken_file(
    call: CommandLine, run: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code, said, wrong = edit(call, run, photos, "--to", "colour=red", *FROM, "--out", out)
    assert code == 1
    broken = photos / "broken.png"
    assert wrong == (
        f"latentbloom: {broken} cannot be read as a picture: its content is not a known picture "
        "format.\n"
    )
    names = ["fits_colour-red_0.8.png", "grey_colour-red_0.8.png", "large_colour-red_0.8.png"]
    assert sorted(path.name for path in out.glob("*.png")) == names
    assert all(size_of(out / name) == (32, 32) for name in names)
    assert f"{photos / 'fits.png'}: colour blue to red: {out / names[0]}\n" in said
    assert (
        "  As in training: cropped to the central square and resized from 90x120 to 32x32 pixels.\n"
    ) in said
    assert "  As in training: grey made three channels. The picture is grey, and the model" in said
    assert said.endswith(f"3 pictures in {out}, 1 failed\n")
    rows = json.loads((out / "edits.json").read_text())["pictures"]
    assert [row["file"] for row in rows] == names
    assert rows[0] == {
        "file": names[0],
        "from": {"colour": "blue", "height": "high"},
        "to": {"colour": "red", "height": "high"},
        "confidence": {},
        "method": "flowedit",
        "strength": 0.8,
        "guidance": METHODS["flowedit"].guidance,
        "seed": 0,
    }


def test_a_second_edit_leaves_the_first(
    call: CommandLine, run: Path, photos: Path, tmp_path: Path
) -> None:
    first = (photos / "fits.png", *FROM, "--out", tmp_path, "--to", "colour=red")
    assert edit(call, run, *first).code == 0
    assert edit(call, run, *first, "--strength", "0.3", "--method", "shift").code == 0
    rows = json.loads((tmp_path / "edits.json").read_text())["pictures"]
    assert [(row["file"], row["method"]) for row in rows] == [
        ("fits_colour-red_0.8.png", "flowedit"),
        ("fits_colour-red_0.3.png", "shift"),
    ]


def test_a_strip_begins_with_the_original(
    call: CommandLine, run: Path, photos: Path, tmp_path: Path
) -> None:
    words = ("--to", "colour=red", *FROM, "--out", tmp_path, "--strip", "--strength", "0.5")
    code, _, wrong = edit(call, run, photos / "fits.png", photos / "large.jpg", *words)
    assert (code, wrong) == (0, "")
    strip = pixels_of(tmp_path / "strip_colour-red.png")
    picture = Image.open(photos / "fits.png")
    original = np.asarray(picture.resize((128, 128), Image.Resampling.LANCZOS))
    places = np.lib.stride_tricks.sliding_window_view(strip, original.shape)[..., 0, :, :, :]
    same = (places[:, :, 0, 0] == original[0, 0]).all(axis=-1)
    where = [(y, x) for y, x in np.argwhere(same) if (places[y, x] == original).all()]
    assert len(where) == 1  # the first column of the first row, and nowhere else
    assert strip.shape[1] > len(STRIP) * 128
    assert (tmp_path / "fits_colour-red_0.5.png").is_file()


def found_colour(run: Path, picture: Path) -> tuple[str, str]:
    """What the model takes the picture's colour for, and the other colour."""
    image = torch.from_numpy(pixels_of(picture)).permute(2, 0, 1)
    ((words,), _) = load(run).find_source(image[None])
    return words["colour"], {"red": "blue", "blue": "red"}[words["colour"]]


def test_what_the_picture_shows_is_found_and_said(
    call: CommandLine, run: Path, photos: Path, tmp_path: Path
) -> None:
    shown, other = found_colour(run, photos / "fits.png")
    words = ("--to", f"colour={other}", "--out", tmp_path)
    said = edit(call, run, photos / "fits.png", *words).out
    assert f"{photos / 'fits.png'}: colour {shown} (found, " in said
    assert f"% sure) to {other}: " in said


def test_a_picture_that_shows_it_already_stays(
    call: CommandLine, run: Path, photos: Path, tmp_path: Path
) -> None:
    shown, other = found_colour(run, photos / "fits.png")
    words = ("--to", f"colour={shown}", "--out", tmp_path)
    code, said, _ = edit(call, run, photos / "fits.png", *words)
    assert code == 0
    assert f"{photos / 'fits.png'}: shows colour={shown} (found, " in said
    assert "already and stays as it is. --from says otherwise.\n" in said
    before, after = pixels_of(photos / "fits.png"), pixels_of(tmp_path / "fits_same.png")
    assert np.array_equal(before, after)
    forced = edit(call, run, photos / "fits.png", *words, "--from", f"colour={other}").out
    assert f"colour {other} to {shown}: " in forced


def test_equal_names_of_two_folders(
    call: CommandLine, run: Path, photos: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other" / "fits.png"
    other.parent.mkdir()
    Image.open(photos / "fits.png").save(other)
    words = ("--to", "colour=red", *FROM, "--out", tmp_path / "out")
    assert edit(call, run, photos / "fits.png", other, *words).code == 0
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == [
        "other-fits.png_colour-red_0.8.png",
        "photos-fits.png_colour-red_0.8.png",
    ]


def test_a_morph(call: CommandLine, run: Path, photos: Path, tmp_path: Path) -> None:
    pair = (photos / "fits.png", photos / "large.jpg")
    words = ("--morph", "--morph-steps", "5", "--out", tmp_path)
    code, said, _ = edit(call, run, *pair, *words)
    assert (code, said) == (0, f"{tmp_path / 'morph_fits_large.png'}\n")
    width, height = size_of(tmp_path / "morph_fits_large.png")
    assert width > 5 * 128 > height


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["fits.png", "--to", "colour=green"],
            "'green' is no value of 'colour'. Known values: blue",
        ),
        (["fits.png", "--to", "shape=round"], "'shape' is no condition of this model. Known"),
        (["fits.png", "--to", "colour=red", "--from", "colour=x"], "'x' is no value of 'colour'"),
        (["fits.png", "--to", "colour=any"], "Say what to change, and to which value"),
        (["fits.png"], "Say either what to change, as in --to smiling=yes, or --morph"),
        (["fits.png", "--to", "colour=red", "--morph"], "Say either what to change"),
        (["fits.png", "--morph"], "A morph takes two pictures; 1 is given."),
        (["fits.png", "--to", "colour=red", "--strength", "2"], "'2' is not allowed. Allowed: a"),
        (["fits.png", "--to", "colour=red", "--method", "magic"], "invalid choice: 'magic'"),
    ],
)
def test_what_makes_no_sense_is_refused(
    call: CommandLine, run: Path, photos: Path, words: list[str], message: str
) -> None:
    code, said, wrong = edit(call, run, photos / words[0], *words[1:])
    assert (code, said) == (2, "")
    assert message in wrong


def test_nothing_that_can_be_read(call: CommandLine, run: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    places = (tmp_path / "empty", tmp_path / "nowhere.png")
    code, said, wrong = edit(call, run, *places, "--to", "colour=red", "--out", tmp_path / "out")
    assert code == 1
    assert f"{tmp_path / 'empty'} holds no pictures." in wrong
    assert (
        f"{tmp_path / 'nowhere.png'} cannot be read as a picture: there is no such file." in wrong
    )
    assert said == f"0 pictures in {tmp_path / 'out'}, 2 failed\n"


def test_help_names_every_method_and_the_default_strength(call: CommandLine) -> None:
    said = call("edit", "--help").out
    assert tuple(METHODS) == edit_command.METHODS
    assert "{" + ",".join(METHODS) + "}" in said
    assert f"(default: {STRENGTH:g})" in said
