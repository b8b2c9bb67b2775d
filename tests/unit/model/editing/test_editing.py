"""Edits of real pictures: what stays, what changes, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from latentbloom.errors import ConditionError, ConfigError
from latentbloom.model.editing.methods import METHODS
from latentbloom.model.editing.shown import changed_picture
from latentbloom.model.generator import Model
from shown_run import coloured_pictures, open_splits, untrained_model

BLUE_HIGH = {"colour": "blue", "height": "high"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return coloured_pictures(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return untrained_model(open_splits(folder)["train"])


@pytest.fixture(scope="module")
def images(folder: Path) -> torch.Tensor:
    return open_splits(folder)["val"].images(range(3))


@pytest.mark.parametrize("method", METHODS)
def test_strength_0_gives_the_picture_back(model: Model, images: torch.Tensor, method: str) -> None:
    edits = model.edit(images, {"colour": "red"}, strength=0, source=BLUE_HIGH, method=method)
    assert torch.equal(edits.pixels, images)
    assert torch.equal(edits[0].z, edits[0].z_edited)


@pytest.mark.parametrize("method", METHODS)
def test_an_edit_changes_the_picture(model: Model, images: torch.Tensor, method: str) -> None:
    edits = model.edit(images, {"colour": "red"}, source=BLUE_HIGH, method=method)
    for edit in edits:
        assert edit.changed == {"colour": ("blue", "red")}
        assert edit.cond == {"colour": "red", "height": "high"}
        assert not torch.equal(edit.z, edit.z_edited)
        assert (edit.image != edit.original).any()


@pytest.mark.parametrize("method", ["flowedit", "shift"])
def test_the_same_condition_gives_the_same_latent(
    model: Model, images: torch.Tensor, method: str
) -> None:
    edits = model.edit(images, {"colour": "blue"}, strength=1, source=BLUE_HIGH, method=method)
    assert all(edit.unchanged and torch.equal(edit.z, edit.z_edited) for edit in edits)
    assert torch.equal(edits.pixels, images)


@pytest.mark.parametrize("method", METHODS)
def test_an_edit_does_not_depend_on_the_other_pictures(
    model: Model, images: torch.Tensor, method: str
) -> None:
    together = model.edit(images, {"colour": "red"}, source=BLUE_HIGH, method=method, seed=5)
    alone = model.edit(images[2:], {"colour": "red"}, source=BLUE_HIGH, method=method, seed=5)
    assert torch.equal(together.pixels[2:], alone.pixels)


def test_what_is_shown_is_the_original_and_the_change(model: Model, images: torch.Tensor) -> None:
    shown = model.edit(images, {"colour": "red"}, source=BLUE_HIGH)
    raw = model.edit(images, {"colour": "red"}, source=BLUE_HIGH, raw=True)
    x = images.double() / 127.5 - 1
    z = torch.stack([edit.z for edit in shown])
    after = torch.stack([edit.z_edited for edit in shown])
    changed = changed_picture(x, model.decode(z).double(), model.decode(after).double())
    expected = (changed.clamp(-1, 1) + 1) * 127.5
    assert (shown.pixels.double() - expected).abs().max() <= 0.5001
    expected = (model.decode(after).double() + 1) * 127.5
    assert (raw.pixels.double() - expected).abs().max() <= 0.5001


def test_a_strip_is_the_edits_of_its_strengths(model: Model, images: torch.Tensor) -> None:
    strip = model.edit_strip(images, {"height": "low"}, strengths=(0, 0.4), source=BLUE_HIGH)
    assert torch.equal(strip[0].pixels, images)
    one = model.edit(images, {"height": "low"}, strength=0.4, source=BLUE_HIGH)
    assert torch.equal(strip[1].pixels, one.pixels)


def test_a_source_that_is_not_given_is_found(model: Model, images: torch.Tensor) -> None:
    found, confidence = model.find_source(images)
    edits = model.edit(images, {"colour": "red"}, source={"height": "high"})
    for edit, words, sure in zip(edits, found, confidence, strict=True):
        assert edit.source == {"colour": words["colour"], "height": "high"}
        assert edit.confidence == {"colour": sure["colour"]}
        assert 0.5 <= sure["colour"] <= 1  # the more probable of two values


def test_each_picture_may_have_its_own(model: Model, images: torch.Tensor) -> None:
    to = [{"colour": "red"}, {"height": "low"}, {"colour": "red", "height": "low"}]
    edits = model.edit(images, to, source=BLUE_HIGH)
    assert [set(edit.changed) for edit in edits] == [set(words) for words in to]


def test_a_morph_begins_and_ends_with_the_pictures(model: Model, images: torch.Tensor) -> None:
    between = model.morph(images[0], images[2], steps=4)
    assert between.shape == (4, 3, 32, 32)
    assert torch.equal(between[0], images[0])
    assert torch.equal(between[-1], images[2])


def test_directions_of_a_factor_cancel(model: Model) -> None:
    found = model.directions()
    assert {name: tuple(values) for name, values in found.items()} == {
        factor.name: factor.values for factor in model.spec.factors
    }
    for values in found.values():
        total = torch.stack(list(values.values())).sum(dim=0)
        assert total.abs().max() < 1e-5
        assert all(direction.abs().max() > 1e-3 for direction in values.values())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"to": {"colour": "green"}}, ConditionError, "'green' is no value of 'colour'"),
        ({"to": {"shape": "high"}}, ConditionError, "'shape' is no condition of this model"),
        ({"to": {}}, ConditionError, "Say what to change"),
        ({"to": {"colour": "any"}}, ConditionError, "colour: blue, red; height: high, low"),
        ({"to": [{"colour": "red"}]}, ConditionError, "`to` has 1 dicts for 3 pictures"),
        ({"source": {"colour": "green"}}, ConditionError, "'green' is no value of 'colour'"),
        ({"strength": 1.5}, ConfigError, "strength is 1.5. It must be between 0 and 1"),
        ({"guidance": -1}, ConfigError, "guidance is -1. It must be 0 or more"),
        ({"method": "flow-edit"}, ConfigError, "'flow-edit' is no method of editing. Choose one"),
        ({"seed": 0.5}, ConfigError, "seed is 0.5. It must be a whole number"),
    ],
)
def test_what_makes_no_sense_is_refused(
    model: Model,
    images: torch.Tensor,
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    asked: dict[str, Any] = {"to": {"colour": "red"}, "source": BLUE_HIGH} | options
    with pytest.raises(error) as refused:
        model.edit(images, **asked)
    assert message in str(refused.value)


def test_pictures_of_another_shape_are_refused(model: Model, images: torch.Tensor) -> None:
    for wrong in (images[0], images[:, :1], images[:, :, :16], images[:0]):
        with pytest.raises(ConfigError, match=r"this model takes \(B, 3, 32, 32\)"):
            model.edit(wrong, {"colour": "red"})
