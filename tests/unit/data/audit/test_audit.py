"""What the audit says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from latentbloom.config import SourceOptions
from latentbloom.data.audit.findings import Audit
from latentbloom.data.audit.run import audit_source, audit_table
from latentbloom.data.sources.open import open_source
from latentbloom.errors import SourceError
from picture_files import noise, save, tree


def audited(folder: Path | str, **options: object) -> Audit:
    return audit_source(open_source(folder), **options)  # type: ignore[arg-type]


def printed(audit: Audit) -> str:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(audit_table(audit))
    return " ".join(capture.get().split())


def advice(audit: Audit) -> str:
    return " ".join(audit.advice)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    return tree(
        tmp_path / "pets", {"train/cat": 20, "train/dog": 10, "val/cat": 4, "val/dog": 3}, size=24
    )


def test_counts(pets: Path) -> None:
    audit = audited(pets)

    assert (audit.train, audit.val, audit.looked_at) == (30, 7, 37)
    assert [(c.factor, c.value, c.train, c.val) for c in audit.counts] == [
        ("label", "cat", 20, 4),
        ("label", "dog", 10, 3),
    ]
    assert audit.combinations == ()
    assert audit.imbalance("label") == 2.0
    assert audit.condition_spec() == open_source(pets).spec


def test_counts_of_combinations_and_of_what_is_unknown(tmp_path: Path) -> None:
    rows = [("red", "yes"), ("blue", "no"), ("red", "no"), ("red", "")] * 5
    lines = [f"{k}.png,{colour},{yes}" for k, (colour, yes) in enumerate(rows)]
    for k in range(20):
        save(tmp_path / f"{k}.png", noise(k))
    (tmp_path / "labels.csv").write_text("\n".join(["file,colour,smiling", *lines]))

    audit = audit_source(open_source(SourceOptions(source=str(tmp_path), val_share=0.0)))

    assert {(c.factor, c.value): c.train for c in audit.counts} == {
        ("colour", "blue"): 5,
        ("colour", "red"): 15,
        ("smiling", "no"): 10,
        ("smiling", "yes"): 5,
        ("smiling", "any"): 5,
    }
    assert {c.values: c.train for c in audit.combinations} == {
        ("blue", "no"): 5,
        ("blue", "yes"): 0,
        ("red", "no"): 5,
        ("red", "yes"): 5,
    }
    assert "1 of 4 combinations have no picture to train on (blue yes)" in advice(audit)
    assert "colour is imbalanced: red is 3.0 times as frequent as blue" in advice(audit)
    assert "No pictures are held out" in advice(audit)
    assert "any (unknown)" in printed(audit)


def test_sizes_and_modes(pets: Path) -> None:
    save(pets / "train/cat/wide.png", noise(1, height=40, width=90))
    Image.fromarray(noise(2, channels=1)[..., 0]).save(pets / "train/cat/grey.png")

    audit = audited(pets)

    assert audit.sizes.width == (20, 24.0, 90)
    assert audit.sizes.height == (20, 24.0, 40)
    assert audit.sizes.short_side == 24.0
    assert audit.sizes.not_square == 1
    assert audit.sizes.different == 3
    assert audit.sizes.common[0] == (24, 24, 37)
    assert audit.modes == {"RGB": 38, "L": 1}
    assert (audit.grey, audit.channels) == (1, 3)
    assert audit.suggested_size == 32
    assert "smaller than 32 px. They are enlarged" in advice(audit)


def test_grey_stored_as_colour_needs_one_channel(tmp_path: Path) -> None:
    for k in range(20):
        pixels = np.repeat(noise(k, channels=1), 3, axis=2)
        save(tmp_path / ("cat", "dog")[k % 2] / f"{k}.png", pixels)

    audit = audited(tmp_path)

    assert audit.channels == 1
    assert audit.modes == {"RGB": 20}


def test_one_coloured_picture_among_many_grey_ones(tmp_path: Path) -> None:
    tree(tmp_path, {"cat": 40, "dog": 40}, channels=1)
    save(tmp_path / "cat/odd.png", noise(7777))

    audit = audited(tmp_path)

    assert audit.channels == 3
    assert "All but 1 picture are grey" in advice(audit)


@pytest.mark.parametrize(("device_type", "size"), [("cpu", 64), ("cuda", 96)])
def test_the_size_depends_on_the_device(tmp_path: Path, device_type: str, size: int) -> None:
    tree(tmp_path, {"cat": 10, "dog": 10}, size=100)

    assert audited(tmp_path, device_type=device_type).suggested_size == size


def test_broken_files_are_named_and_set_aside(pets: Path) -> None:
    (pets / "train/dog/3.png").write_bytes(b"no picture")
    whole = (pets / "val/cat/0.png").read_bytes()
    (pets / "val/cat/0.png").write_bytes(whole[: len(whole) // 2])

    source = open_source(pets)
    audit = audit_source(source)

    assert [aside.name for aside in audit.broken] == ["train/dog/3.png", "val/cat/0.png"]
    assert "its content is not a known picture format" in audit.broken[0].reason
    assert (audit.train, audit.val) == (29, 6)
    kept = audit.kept(source.entries, "train")
    assert len(kept) == 29
    assert {entry.split for entry in kept} == {"train"}
    assert "train/dog/3.png" not in {entry.name for entry in kept}
    assert "2 files cannot be read and are set aside: train/dog/3.png, val/cat/0.png" in (
        advice(audit)
    )
    assert "cannot be read 2 files train/dog/3.png: " in printed(audit)


def test_too_little_is_left(tmp_path: Path) -> None:
    tree(tmp_path, {"cat": 10, "dog": 8})
    for k in range(5):
        (tmp_path / f"cat/{k}.png").write_bytes(b"")

    with pytest.raises(SourceError) as error:
        audited(tmp_path)

    message = str(error.value)
    assert "has 13 labelled pictures; at least 16 are needed" in message
    assert "5 of its files cannot be read; the first: " in message
    assert "0.png cannot be read as a picture" in message


def test_one_label_is_left(tmp_path: Path) -> None:
    tree(tmp_path, {"not_cat": 20, "cat": 2})
    for k in range(2):
        (tmp_path / f"cat/{k}.png").write_bytes(b"")

    with pytest.raises(SourceError) as error:
        audited(tmp_path)

    assert "has one label only, cat=no, without the 2 files that cannot be read" in (
        str(error.value)
    )


def test_duplicates_leaks_and_contradictions(pets: Path) -> None:
    original = noise(1, height=24, width=24)
    save(pets / "train/cat/same.png", noise(3, height=24, width=24))  # as train/cat/3
    save(pets / "train/dog/cat.bmp", original)  # as train/cat/1, under another label
    bright = np.clip(noise(2003, height=24, width=24).astype(int) + 3, 0, 255).astype(np.uint8)
    save(pets / "train/cat/leak.png", bright)  # nearly val/cat/3

    audit = audited(pets)

    found = {t.names: (t.exact, t.across_splits, t.across_labels) for t in audit.duplicates}
    assert found == {
        ("train/cat/1.png", "train/dog/cat.bmp"): (True, False, True),
        ("train/cat/3.png", "train/cat/same.png"): (True, False, False),
        ("train/cat/leak.png", "val/cat/3.png"): (False, True, False),
    }
    assert [group.names[0] for group in audit.leaks] == ["train/cat/leak.png"]
    assert [group.names[0] for group in audit.contradictions] == ["train/cat/1.png"]
    said = advice(audit)
    assert "has a duplicate under another label: train/cat/1.png = train/dog/cat.bmp" in said
    assert "1 picture of val is in train, too (train/cat/leak.png = val/cat/3.png)" in said
    assert "2 exact duplicates and 1 near duplicate, named in audit.json" in said
    assert "in train and val 1 picture cannot be read none" in printed(audit)


def test_exact_and_near_duplicates_of_one_picture_are_found_together(pets: Path) -> None:
    save(pets / "train/cat/same.png", noise(3, height=24, width=24))
    bright = np.clip(noise(3, height=24, width=24).astype(int) + 3, 0, 255).astype(np.uint8)
    save(pets / "val/cat/near.png", bright)

    audit = audited(pets)

    assert {group.names for group in audit.duplicates} == {
        ("train/cat/3.png", "train/cat/same.png"),
        ("train/cat/3.png", "val/cat/near.png"),
    }


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        ({"cat": 200, "dog": 3800}, "good"),
        ({"cat": 199, "dog": 9000}, "fair"),
        ({"cat": 1200, "dog": 1200}, "fair"),
        ({"cat": 27, "dog": 5000}, "fair"),
        ({"cat": 499, "dog": 500}, "few"),
        ({"cat": 25, "dog": 75}, "few"),
        ({"cat": 24, "dog": 5000}, "few"),
        ({"cat": 9, "dog": 5000}, "far too few"),
        ({"cat": 40, "dog": 50}, "far too few"),
        ({"cat": 0, "dog": 50}, "far too few"),
    ],
)
def test_the_verdict_follows_the_rarest_value_and_the_total(
    pets: Path, counts: dict[str, int], verdict: str
) -> None:
    from latentbloom.data.audit.advice import judge

    small = audited(pets)
    values = [c.model_copy(update={"train": counts[c.value]}) for c in small.counts]
    update = {"train": sum(counts.values()), "counts": tuple(values)}

    found, words = judge(small.model_copy(update=update))

    assert found == verdict
    assert verdict in words[0]
    assert f"(label=cat) has {counts['cat']:,}" in words[0]


def test_values_without_pictures_are_named(tmp_path: Path) -> None:
    tree(tmp_path, {"train/cat": 10, "train/dog": 10, "val/cat": 2})

    assert "val has no picture of label=dog" in advice(audited(tmp_path))


def test_the_same_after_a_round_trip_through_json(pets: Path, tmp_path: Path) -> None:
    audit = audited(pets)
    path = tmp_path / "audit.json"

    audit.save(path)

    assert Audit.load(path) == audit
    assert json.loads(path.read_text())["format"] == "latentbloom-audit"
    assert [child.name for child in tmp_path.iterdir() if "part" in child.name] == []
    with pytest.raises(ValueError, match="frozen"):
        audit.train = 3  # type: ignore[misc]


def test_no_audit_and_something_else(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"There is no audit at .*`latentbloom audit SOURCE`"):
        Audit.load(tmp_path / "audit.json")
    for text in ("{}", "no json", json.dumps({"format": "other"})):
        (tmp_path / "audit.json").write_text(text)
        with pytest.raises(SourceError, match="is not an audit of this version"):
            Audit.load(tmp_path / "audit.json")


@pytest.mark.parametrize("workers", [1, 3])
def test_progress_and_the_number_of_threads_change_nothing(pets: Path, workers: int) -> None:
    calls: list[tuple[int, int]] = []

    audit = audited(pets, workers=workers, on_progress=lambda *done: calls.append(done))

    assert calls == [(32, 37), (37, 37)]
    same = {"seconds": 0.0}
    assert audit.model_copy(update=same) == audited(pets).model_copy(update=same)


def test_what_stops_the_progress_stops_the_audit(pets: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        audited(pets, on_progress=stop)


def test_unused_files_are_counted_and_all_are_named_in_the_file(pets: Path) -> None:
    for k in range(120):
        (pets / f"train/cat/{k}.txt").touch()

    audit = audited(pets)

    assert audit.unused_count == 120
    assert len(audit.unused) == 120
    assert "120 others, such as train/cat/0.txt (it is not a picture)" in printed(audit)


def test_a_drawn_source_is_sampled() -> None:
    audit = audited("synthetic-faces:4000", device_type="cuda")

    assert audit.synthetic
    assert (audit.train, audit.val) == (4000, 800)
    assert audit.looked_at == 128
    assert audit.channels == 3
    assert audit.suggested_size == 128
    assert audit.duplicates == ()
    assert "rendered by the program at any size, exact labels" in printed(audit)


def test_names_with_brackets_are_printed_as_they_are(tmp_path: Path) -> None:
    tree(tmp_path / "[red]pets", {"[bold]cat": 10, "dog": 10})

    text = printed(audited(tmp_path / "[red]pets"))

    assert "[bold]cat" in text
    assert "[red]pets" in text


def lines(audit: Audit, width: int = 80) -> list[str]:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(audit_table(audit))
    return capture.get().splitlines()


def test_counts_are_of_pictures_and_lists_are_short(tmp_path: Path) -> None:
    """Stills of two films: one picture many times, in both splits and under both labels."""
    still = noise(77_777, height=24, width=24)
    for k in range(30):
        bright = np.clip(still.astype(int) + k % 3, 0, 255).astype(np.uint8)
        save(tmp_path / f"train/film{k % 2}/{k}.png", bright)
    for k in range(10):
        save(tmp_path / f"val/film{k % 2}/{k}.png", still)
    tree(tmp_path, {"train/film2": 20, "val/film2": 4}, size=24)

    audit = audited(tmp_path)

    said = advice(audit)
    assert "10 pictures of val are in train, too" in said
    assert sum(len(group.names) for group in audit.duplicates if group.exact) == 40
    assert "and 17 more" in said
    assert len(said) < 1500
    assert len(lines(audit)) <= 40
    text = printed(audit)
    assert "in train and val 10 pictures" in text
    assert "exact duplicates 37 pictures, such as" in text


@pytest.mark.parametrize("count", [2, 40, 300])
def test_the_text_fits_a_screen(tmp_path: Path, count: int) -> None:
    tree(tmp_path, {f"class number {k:03d}": 1 for k in range(count)}, size=8)
    tree(tmp_path / "one", {"class number 000": 10, "class number 001": 10}, size=8)
    for k in range(8):
        (tmp_path / f"class number 000/broken{k}.png").touch()

    audit = audited(tmp_path if count > 2 else tmp_path / "one")

    text = lines(audit)
    assert len(text) <= 40
    assert all(len(line) <= 80 for line in text)
    if count > 30:
        assert "more values in audit.json" in " ".join(text)
    assert len(audit.counts) == (count + 1 if count > 2 else 2)


def test_the_text_of_forty_conditions_fits_a_screen(tmp_path: Path) -> None:
    header = ",".join(["file", *(f"attribute_{k}" for k in range(40))])
    rows = [
        ",".join([f"{n}.png", *(str(n // (k % 5 + 1) % 2) for k in range(40))]) for n in range(60)
    ]
    for n in range(60):
        save(tmp_path / f"{n}.png", noise(n, height=8, width=8))
    (tmp_path / "labels.csv").write_text("\n".join([header, *rows]))

    text = lines(audited(tmp_path))

    assert len(text) <= 40
    assert "more conditions in audit.json" in " ".join(text)
    assert "0 as no, 1 as yes" in " ".join(text)


def test_many_imbalanced_factors_take_one_sentence(tmp_path: Path) -> None:
    header = ",".join(["file", *(f"f{k:02d}" for k in range(40))])
    # Of 60 pictures, 6 to 45 show "yes"; no is 9.0 times as frequent in the first factor.
    rows = [",".join([f"{n}.png", *("yes" if n < 6 + k else "no" for k in range(40))])
            for n in range(60)]  # fmt: skip
    for n in range(60):
        save(tmp_path / f"{n}.png", noise(n, height=8, width=8))
    (tmp_path / "labels.csv").write_text("\n".join([header, *rows]))

    audit = audit_source(open_source(SourceOptions(source=str(tmp_path), val_share=0.0)))

    (said,) = [text for text in audit.advice if "imbalanced" in text]
    assert said.startswith("11 factors are imbalanced.")
    assert "f00=yes (9.0), f01=yes (7.6), f02=yes (6.5) and 8 more" in said


def test_a_value_of_many_letters_is_cut_in_the_text_and_whole_in_the_file(tmp_path: Path) -> None:
    value = "a photograph of something round " * 8
    for k in range(40):
        save(tmp_path / f"{k}.png", noise(k, height=8, width=8))
    rows = [f'{k}.png,"{value if k % 2 else "square"}"' for k in range(40)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,kind", *rows]))

    audit = audited(tmp_path)

    assert value.strip() in {count.value for count in audit.counts}
    assert len(lines(audit)) < 28
    assert "a photograph of something round" in printed(audit)


def test_what_words_were_read_as_is_said_and_kept(tmp_path: Path) -> None:
    for k in range(40):
        save(tmp_path / f"{k}.png", noise(k, height=8, width=8))
    rows = [f"{k}.png,{('Y', 'N', 'nan', 'N')[k % 4]}" for k in range(40)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,smiling", *rows]))

    audit = audited(tmp_path)

    assert audit.notes[0].startswith(
        "Labels read as other words: smiling: N as no, Y as yes, nan as not known (10 pictures)."
    )
    assert [(r.value, r.words) for r in audit.readings] == [
        ("no", (("N", 20),)),
        ("yes", (("Y", 10),)),
        ("any", (("nan", 10),)),
    ]
    audit.save(tmp_path / "audit.json")
    assert Audit.load(tmp_path / "audit.json") == audit


@pytest.mark.parametrize("count", [1, 2])
def test_one_file_is_no_files(pets: Path, count: int) -> None:
    for k in range(count):
        (pets / f"train/dog/{k}.png").write_bytes(b"no picture")
        (pets / f"train/dog/{k}.txt").touch()

    text = printed(audited(pets))

    assert ("cannot be read 1 file " in text) is (count == 1)
    assert ("not used 1 other, such" in text) is (count == 1)
    assert "(s)" not in text
