"""The map of latents over HTTP."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from latentbloom.model.generator import load
from served import Served


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content))).astype(int)


@pytest.fixture(scope="module")
def atlas(served: Served) -> dict[str, Any]:
    return served.get("/map").json()


def test_every_held_out_picture_has_a_place_and_a_label(
    served: Served, atlas: dict[str, Any]
) -> None:
    assert (atlas["count"], atlas["which"]) == (24, "held-out")
    assert set(atlas["maps"]) == {"PCA", "t-SNE"}
    for places in atlas["maps"].values():
        assert np.shape(places) == (24, 2)
        assert np.min(places) >= 0
        assert np.max(places) <= 1000
        assert np.ptp(places, axis=0).min() > 500
    assert [len(factor["of"]) for factor in atlas["factors"]] == [24, 24]
    sheet = Image.open(io.BytesIO(served.get("/map.png").content))
    assert sheet.size == (40 * atlas["thumb"], atlas["thumb"])


def test_a_picture_decodes_to_its_reconstruction(served: Served) -> None:
    model = load(served.run)
    from latentbloom.app.work.held_out import open_held_out

    original = open_held_out(served.run).pixels([3])[0]
    x = np.moveaxis(original, -1, 0)[None] / 127.5 - 1
    import torch

    expected = model.reconstruct(torch.from_numpy(x).float())[0].permute(1, 2, 0).numpy()
    shown = pixels(served.post("/decode", {"place": {"point": 3}}).content)
    assert np.abs(shown - ((expected.clip(-1, 1) + 1) * 127.5)).max() <= 1


def test_a_place_on_a_picture_is_that_picture(served: Served, atlas: dict[str, Any]) -> None:
    x, y = atlas["maps"]["PCA"][5]
    place = {"map": "PCA", "x": x, "y": y}
    on_it = pixels(served.post("/decode", {"place": place}).content)
    itself = pixels(served.post("/decode", {"place": {"point": 5}}).content)
    assert np.abs(on_it - itself).mean() < 2


def test_directions_move_and_nothing_does_not(served: Served, atlas: dict[str, Any]) -> None:
    names = ["colour=blue", "colour=red", "height=high", "height=low"]
    assert atlas["directions"][:4] == names
    assert atlas["directions"][4].startswith("component")
    still = served.post("/decode", {"amounts": {name: 0 for name in names}}).content
    assert served.post("/decode", {}).content == still
    there = {"amounts": {"colour=red": 3, "component 1": -2}}
    assert served.post("/decode", there).content != still
    assert served.post("/decode", {**there, "refine": True}).status_code == 200


def test_a_latent_of_the_right_size_decodes(served: Served, atlas: dict[str, Any]) -> None:
    size = int(np.prod(atlas["latent"]))
    assert served.post("/decode", {"place": {"z": [0.0] * size}}).status_code == 200
    answer = served.post("/decode", {"place": {"z": [0.0, 1.0]}})
    assert answer.status_code == 422
    assert f"z has 2 values. This model's have {size}." in answer.json()["detail"]


@pytest.mark.parametrize("refine", [False, True])
def test_a_morph_runs_from_one_place_to_the_other(served: Served, refine: bool) -> None:
    ends = {"start": {"point": 0}, "end": {"point": 9}, "frames": 5, "refine": refine}
    pictures = served.post("/morph", ends).json()["pictures"]
    assert len(set(pictures)) == 5
    film = served.post("/morph/gif", ends)
    assert Image.open(io.BytesIO(film.content)).n_frames == 8  # type: ignore[attr-defined]


def test_the_ends_of_a_plain_morph_are_the_places(served: Served) -> None:
    import base64

    ends = {"start": {"point": 0}, "end": {"point": 9}, "frames": 3, "refine": False}
    pictures = served.post("/morph", ends).json()["pictures"]
    last = served.post("/decode", {"place": {"point": 9}}).content
    shown = pixels(base64.b64decode(pictures[-1].partition(",")[2]))
    assert np.array_equal(shown, pixels(last))


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"place": {"map": "UMAP"}}, "'UMAP' is no map. Known: t-SNE and PCA."),
        ({"place": {"point": 24}}, "point is 24. It must be 23 or less."),
        ({"place": {"map": "PCA", "x": 1001}}, "place.x"),
        ({"amounts": {"colour=rod": 1}}, "Did you mean colour=red"),
        ({"amounts": {"colour=red": 11}}, "amounts.colour=red"),
    ],
)
def test_what_is_not_on_the_map_is_said(served: Served, body: Any, text: str) -> None:
    answer = served.post("/decode", body)
    assert answer.status_code == 422
    assert text in answer.json()["detail"]
