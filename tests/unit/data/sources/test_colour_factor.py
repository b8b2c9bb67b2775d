"""Colour as a factor: found once, kept, and told together with what the labels tell."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from latentbloom.config import SourceOptions
from latentbloom.data.audit.run import audit_source
from latentbloom.data.sources import colour_finds
from latentbloom.data.sources.base import Source
from latentbloom.data.sources.colour_factor import colours_found, save_colours
from latentbloom.data.sources.open import open_source
from latentbloom.errors import SourceError
from picture_files import save, tree
from published_files import flowers102, segmentations

INKS = {"red": (210, 30, 30), "yellow": (250, 210, 30), "white": (245, 245, 245)}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("LATENTBLOOM_CACHE", str(folder))
    return folder


def flowers(root: Path, counts: dict[tuple[str, str], int]) -> Path:
    """Discs on grass, so many of each kind and colour."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:24, :24] - 11.5
    for (kind, colour), count in counts.items():
        for k in range(count):
            inside = np.hypot(x, y) < rng.uniform(7, 9)
            picture = np.where(inside[..., None], INKS[colour], (70, 110, 50))
            noise = rng.normal(0, 6, (24, 24, 3))
            pixels = (picture + noise).clip(0, 255).astype(np.uint8)
            save(root / kind / f"{colour}{k}.png", pixels)
    return root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    counts = {("rose", "red"): 20, ("rose", "yellow"): 12, ("daisy", "white"): 28}
    return flowers(tmp_path / "flowers", counts)


def words(source: Source, factor: str) -> dict[str, str]:
    place = source.spec.names.index(factor)
    return {e.name: source.spec.factors[place].word(e.labels[place]) for e in source.entries}


def test_colour_stands_beside_the_labels_in_the_order_asked_for(folder: Path) -> None:
    source = open_source(SourceOptions(source=str(folder), factors="label,colour"))
    assert source.spec.names == ("label", "colour")
    assert source.spec.factor("colour").values == ("red", "yellow", "white")
    for name, word in words(source, "colour").items():
        assert Path(name).name.startswith(word)
    assert set(words(source, "label").values()) == {"rose", "daisy"}
    turned = open_source(SourceOptions(source=str(folder), factors="colour,label"))
    assert turned.spec.names == ("colour", "label")
    assert words(turned, "colour") == words(source, "colour")
    assert open_source(SourceOptions(source=str(folder), factors="colour")).spec.names == (
        "colour",
    )
    first = source.entries[0]
    assert source.read(first).shape == (24, 24, 3)
    train = [e for e in source.entries if e.split == "train"]
    reds = sum(Path(e.name).name.startswith("red") for e in train)
    assert any(f"red {reds}" in note for note in source.notes)


def test_a_colour_that_the_labels_tell_is_taken_from_them(tmp_path: Path) -> None:
    source = open_source(SourceOptions(source="synthetic-flowers:72", factors="species,colour"))
    plain = open_source("synthetic-flowers:72")
    assert source.spec == plain.spec
    assert [e.labels for e in source.entries] == [e.labels for e in plain.entries]
    assert colours_found(source) is None
    assert "colour is read from the labels, not computed from the pictures." in source.notes
    flowers(tmp_path, {("a", "red"): 10, ("b", "white"): 10})
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png"))
    rows = "".join(f"{name},{'dark' if k % 2 else 'light'}\n" for k, name in enumerate(files))
    (tmp_path / "labels.csv").write_text("file,colour\n" + rows, encoding="utf-8")
    told = open_source(SourceOptions(source=str(tmp_path), factors="colour"))
    assert told.spec.factor("colour").values == ("dark", "light")


def test_what_the_program_draws_has_its_colours_found_too() -> None:
    source = open_source(SourceOptions(source="synthetic-faces:80", factors="glasses,colour"))
    assert source.spec.names == ("glasses", "colour")
    assert len(source.spec.factor("colour").values) >= 2
    assert source.synthetic
    assert source.read(source.entries[0], size=32).shape == (32, 32, 3)


def test_grey_pictures_are_refused(tmp_path: Path) -> None:
    tree(tmp_path / "grey", {"a": 10, "b": 10}, channels=1)
    with pytest.raises(SourceError) as caught:
        open_source(SourceOptions(source=str(tmp_path / "grey"), factors="label,colour"))
    assert str(caught.value) == (
        f"'{tmp_path / 'grey'}': all pictures are grey, and colour can only be found in colour "
        "pictures. Leave colour out of --factors."
    )


def test_one_colour_alone_is_refused(tmp_path: Path) -> None:
    flowers(tmp_path / "red", {("a", "red"): 10, ("b", "red"): 10})
    with pytest.raises(SourceError, match="the colours found in the training pictures are red 18"):
        open_source(SourceOptions(source=str(tmp_path / "red"), factors="label,colour"))


def test_rare_colours_are_left_open_and_said(tmp_path: Path) -> None:
    counts = {("rose", "red"): 60, ("daisy", "white"): 60, ("tulip", "yellow"): 4}
    source = open_source(
        SourceOptions(
            source=str(flowers(tmp_path / "f", counts)), factors="label,colour", val_share=0.0
        )
    )
    assert source.spec.factor("colour").values == ("red", "white")
    found = Counter(words(source, "colour").values())
    assert found == {"red": 60, "white": 60, "any": 4}
    assert (
        "Colours of too few pictures to be conditions: yellow 4. Those pictures are trained on "
        "with the colour 'any'." in source.notes
    )


def test_finds_are_kept_and_only_changed_files_looked_at_again(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = open_source(SourceOptions(source=str(folder), factors="label,colour"))
    assert len(list((cache / "colours").glob("*.json"))) == 1
    looked = []
    real = colour_finds.colour_of
    monkeypatch.setattr(colour_finds, "colour_of", lambda *given: looked.append(1) or real(*given))
    again = open_source(SourceOptions(source=str(folder), factors="label,colour"))
    assert not looked
    assert again.entries == before.entries
    name = before.entries[0].name
    path = folder / name
    save(path, np.full((24, 24, 3), INKS["red"], np.uint8))
    changed = open_source(SourceOptions(source=str(folder), factors="label,colour"))
    assert len(looked) == 1
    assert words(changed, "colour")[name] == "red" != words(before, "colour")[name]


def test_a_broken_cache_is_written_again(folder: Path, cache: Path) -> None:
    before = open_source(SourceOptions(source=str(folder), factors="colour"))
    (file,) = (cache / "colours").glob("*.json")
    for text in ("{", "[]", '{"pictures": {"a": ["mauve"]}}'):
        file.write_text(text, encoding="utf-8")
        assert (
            open_source(SourceOptions(source=str(folder), factors="colour")).entries
            == before.entries
        )
    assert json.loads(file.read_text(encoding="utf-8"))["pictures"]


def test_a_run_keeps_its_own_copy_which_goes_before(folder: Path, tmp_path: Path) -> None:
    """As if a later version of the program named a picture differently."""
    run = tmp_path / "run" / "colours.json"
    save_colours(open_source(SourceOptions(source=str(folder), factors="label,colour")), run)
    kept = json.loads(run.read_text(encoding="utf-8"))
    kept["pictures"]["rose/red3.png"][0] = "white"
    run.write_text(json.dumps(kept), encoding="utf-8")
    assert (
        words(open_source(SourceOptions(source=str(folder), factors="colour")), "colour")[
            "rose/red3.png"
        ]
        == "red"
    )
    of_run = open_source(SourceOptions(source=str(folder), factors="colour"), colours=run)
    assert words(of_run, "colour")["rose/red3.png"] == "white"
    save_colours(open_source(folder), tmp_path / "none.json")
    assert not (tmp_path / "none.json").exists()


def test_a_file_that_cannot_be_read_is_left_to_the_audit(folder: Path) -> None:
    (folder / "rose" / "red0.png").write_bytes(b"no picture")
    source = open_source(SourceOptions(source=str(folder), factors="label,colour"))
    assert words(source, "colour")["rose/red0.png"] == "any"
    audit = audit_source(source)
    assert [aside.name for aside in audit.broken] == ["rose/red0.png"]


def test_the_audit_speaks_of_colours_and_of_thin_combinations(folder: Path) -> None:
    flowers(folder, {("rose", "white"): 3})
    audit = audit_source(open_source(SourceOptions(source=str(folder), factors="label,colour")))
    assert [c.value for c in audit.counts if c.factor == "colour"] == ["red", "yellow", "white"]
    assert any(note.startswith("colour was computed from the pictures") for note in audit.notes)
    thin = "2 of 6 combinations have fewer than 10 pictures to train on (rose white, rose yellow)"
    assert any(line.startswith(thin) for line in audit.advice)


def test_an_unknown_factor_is_told_that_colour_could_be_found(folder: Path) -> None:
    with pytest.raises(SourceError, match=r"colour works, too: it is computed from the pictures"):
        open_source(SourceOptions(source=str(folder), factors="label,size"))


def test_segmentations_say_where_the_flower_is(tmp_path: Path) -> None:
    flowers102(tmp_path)
    segmentations(tmp_path)
    source = open_source(SourceOptions(source="flowers102", root=str(tmp_path)))
    assert isinstance(source, colour_finds.KnowsSubject)
    assert source.outlined == len(list((tmp_path / "segmim").iterdir()))
    where = source.subject(source.entries[0])
    assert where is not None
    assert where.dtype == bool
    assert where.shape == source.read(source.entries[0]).shape[:2]
    assert 0 < where.mean() < 1
