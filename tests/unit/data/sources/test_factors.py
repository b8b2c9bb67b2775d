"""Which factors of a source are used, and options that a source does not take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import latentbloom
from latentbloom.config import SourceOptions
from latentbloom.data.imageset import ImageSet
from latentbloom.data.sources.open import open_source
from latentbloom.data.sources.options import parse_factors, parse_splits
from latentbloom.errors import LatentbloomError, SourceError
from picture_files import tree


@pytest.fixture
def table(tmp_path: Path) -> Path:
    tree(tmp_path, {"pictures": 24})
    rows = [
        f"pictures/{k}.png,{'cat' if k % 2 else 'dog'},{'red' if k % 3 else 'blue'},{k % 4 // 2}"
        for k in range(24)
    ]
    (tmp_path / "labels.csv").write_text("\n".join(["file,kind,Coat,asleep", *rows]))
    return tmp_path


def test_all_of_them_when_nothing_is_said(table: Path) -> None:
    assert open_source(table).spec.names == ("kind", "coat", "asleep")


def test_some_of_them_in_the_order_asked(table: Path) -> None:
    whole = open_source(table)
    source = open_source(SourceOptions(source=str(table), factors="Asleep, kind"))

    assert source.spec.names == ("asleep", "kind")
    assert source.spec.factor("kind") == whole.spec.factor("kind")
    assert [(e.name, e.split, e.labels) for e in source.entries] == [
        (e.name, e.split, (e.labels[2], e.labels[0])) for e in whole.entries
    ]
    np.testing.assert_array_equal(source.read(source.entries[5]), whole.read(whole.entries[5]))
    assert source.notes == (*whole.notes, "Factors that are not used: coat.")
    assert (source.name, source.synthetic, source.set_aside) == (whole.name, False, ())


def test_a_factor_that_is_not_there(table: Path) -> None:
    with pytest.raises(SourceError) as error:
        open_source(SourceOptions(source=str(table), factors="kind,aslep"))

    assert str(error.value) == (
        f"'{table}' has no factor 'aslep'. Did you mean asleep? It has: kind, coat, asleep. Name "
        "some of them, as in --factors kind. colour works, too: it is computed from the pictures."
    )


def test_drawn_pictures_stay_the_same(tmp_path: Path) -> None:
    whole = open_source("synthetic-flowers:36")
    source = open_source(SourceOptions(source="synthetic-flowers:36", factors="colour"))

    assert source.spec.names == ("colour",)
    every = range(len(source.entries))
    one = ImageSet(source, source.entries, size=32, channels=3)
    other = ImageSet(whole, whole.entries, size=32, channels=3)
    np.testing.assert_array_equal(one.images(every), other.images(every))
    assert (one.labels[:, 0] == other.labels[:, 1]).all()
    assert one.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"splits": "train,val"},
            "takes no --splits ('train,val'). It is for celeba and flowers102; leave it out.",
        ),
        ({"root": "x"}, "takes no --root ('x'). It is for celeba and flowers102; leave it out."),
        ({"crop": 108}, "takes no --crop ('108'). It is for celeba; leave it out."),
        ({"background": "white"}, "takes no --background ('white'). It is for flowers102; "),
        ({"crop": 100}, "crop: Input should be 108, 148 or 178 (found 100)"),
    ],
)
def test_what_means_nothing_here_is_refused(
    table: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(LatentbloomError) as error:
        latentbloom.audit(table, **options)

    assert message in str(error.value)


def test_each_published_source_refuses_what_is_for_the_other(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="'celeba' takes no --background"):
        open_source(SourceOptions(source="celeba", root=str(tmp_path), background="white"))
    with pytest.raises(SourceError, match="'flowers102' takes no --crop"):
        open_source(SourceOptions(source="flowers102", root=str(tmp_path), crop=108))
    with pytest.raises(SourceError, match="celeba takes no number of pictures. Write celeba."):
        open_source(SourceOptions(source="celeba:2000", root=str(tmp_path)))


def test_words_are_read_with_patience() -> None:
    assert parse_factors(" Wearing Hat,,young , Young") == ("wearing_hat", "young")
    assert parse_splits("Validation, train,val") == ("val", "train")
