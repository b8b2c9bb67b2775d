"""Maps of latents, and what is between two of them."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from latentbloom.data.imageset import ImageSet
from latentbloom.diffusion.editing import slerp
from latentbloom.figures.draw import draw_figures
from latentbloom.figures.from_model.interpolation import Blended
from latentbloom.figures.maps.latent_points import real_latents
from latentbloom.figures.maps.projection import class_centres, principal_components, tsne
from latentbloom.figures.paths.states import states_between
from latentbloom.figures.scene import MissingPiece, Scene, spread_indices
from latentbloom.figures.sheets import Sheet
from latentbloom.model.autoencoder import AutoencoderModel
from latentbloom.model.generator import Model
from latentbloom.model.records import Moment
from latentbloom.model.request import Request


def test_the_plane_is_that_of_greatest_variance_and_does_not_flip() -> None:
    rng = np.random.default_rng(0)
    scales = np.array([5.0, 0.1, 2.0, 0.1, 0.1])
    z = (rng.normal(size=(500, 5)) * scales + 7).astype(np.float32)
    plane = principal_components(z, 2)
    axes = plane.components_
    assert axes == pytest.approx(np.eye(5)[[0, 2]], abs=0.05)
    assert axes @ axes.T == pytest.approx(np.eye(2), abs=1e-5)
    assert plane.transform(z).mean(0) == pytest.approx([0, 0], abs=1e-4)
    assert plane.explained_variance_ratio_[0] == pytest.approx(25 / 29.03, abs=0.03)
    assert principal_components(-z, 2).components_ == pytest.approx(axes, abs=1e-4)
    _, vectors = np.linalg.eigh(np.cov(z, rowvar=False))
    ours = vectors[:, ::-1].T[:2]
    ours *= np.sign(ours[np.arange(2), np.abs(ours).argmax(1)])[:, None]
    assert axes == pytest.approx(ours, abs=1e-4), "as the eigenvectors of the covariance"


@pytest.mark.parametrize("package", ["openTSNE", "sklearn"])
def test_tsne_keeps_far_groups_apart(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if package == "sklearn":
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    elif importlib.util.find_spec("openTSNE") is None:
        package = "sklearn"
    rng = np.random.default_rng(1)
    group = np.arange(60) % 2
    z = (rng.normal(size=(60, 12)) + 12 * group[:, None]).astype(np.float32)
    points = tsne(z, seed=0)
    assert points.shape == (60, 2)
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1) + 1e9 * np.eye(60)
    assert (group[apart.argmin(1)] == group).all()


def test_a_centre_is_the_median_of_its_class_and_of_no_other() -> None:
    points = np.array([[0, 0], [2, 1], [90, 2], [5, 5], [-100, -100]], np.float32)
    centres = class_centres(points, np.array([0, 0, 0, 2, 3]), 3)
    assert {k: place.tolist() for k, place in centres.items()} == {0: [2, 1], 2: [5, 5]}


def test_slerp_ends_where_it_should_and_keeps_the_norm_of_noise() -> None:
    noise = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    first, second = 16 * torch.nn.functional.normalize(noise.flatten(1)).reshape(noise.shape)
    between = slerp(first, second, torch.linspace(0, 1, 5))
    assert torch.allclose(between[0], first, atol=1e-5)
    assert torch.allclose(between[-1], second, atol=1e-5)
    assert ((first + second) / 2).norm() < 13, "a straight line falls short"
    assert between.flatten(1).norm(dim=1).tolist() == pytest.approx([16.0] * 5, rel=1e-4)
    turned = torch.nn.functional.cosine_similarity(
        between[:-1].flatten(1), between[1:].flatten(1), dim=1
    )
    assert turned.tolist() == pytest.approx([float(turned[0])] * 4, abs=1e-4), "even steps"


def test_a_blend_is_each_condition_at_its_ends_and_their_mean_between(model: Model) -> None:
    red, blue = (Request({"colour": c}, 3).cond(model.spec) for c in ("red", "blue"))
    plain = model.guided(1.0)
    x = torch.randn(1, *model.autoencoder.latent_shape).expand(3, -1, -1, -1)
    t = torch.full((3,), 0.5)
    shares = torch.tensor([0.0, 0.5, 1.0])
    made = Blended(plain, blue, shares)(x, t, red)
    first, second = plain(x, t, red), plain(x, t, blue)
    assert torch.allclose(made[0], first[0], atol=1e-6)
    assert torch.allclose(made[1], (first[1] + second[1]) / 2, atol=1e-6)
    assert torch.allclose(made[2], second[2], atol=1e-6)


def test_states_between_begin_and_end_with_the_path_and_are_even() -> None:
    path = [Moment(1.0 - k, torch.full((1, 1, 1), float(k**2)), torch.zeros(1)) for k in range(3)]
    assert states_between(path, 5).ravel().tolist() == [0.0, 0.5, 1.0, 2.5, 4.0]
    assert states_between(path, 2).ravel().tolist() == [0.0, 4.0]


def test_the_map_knows_every_point(drawn: Path, splits: dict[str, ImageSet]) -> None:
    sheet = Sheet.load(drawn, "latent_map")
    assert sheet is not None
    real = len(sheet.pixels) - sheet.about["generated"]
    assert real == len(splits["val"])
    for points in sheet.about["maps"].values():
        assert len(points) == len(sheet.pixels)
        assert 0 <= np.min(points) <= np.max(points) <= 1000
    colour, height = sheet.about["factors"]
    assert (colour["name"], height["name"]) == ("colour", "height")
    assert colour["of"][:real] == splits["val"].labels[:, 0].tolist()
    pairs = zip(colour["of"][real:], height["of"][real:], strict=True)
    counts = Counter(pairs)
    assert set(counts) == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert max(counts.values()) - min(counts.values()) <= 1
    thumb = sheet.pixels[0].astype(float)
    original = splits["val"].images([0])[0].permute(1, 2, 0).numpy().astype(float)
    assert np.abs(thumb - original).mean() < 1.0


def test_cached_latents_serve_when_the_pictures_are_gone(
    model: Model, splits: dict[str, ImageSet], run: Path
) -> None:
    z = model.encode(torch.zeros(18, 3, 32, 32)).mean
    folder = run / "latents" / "val"
    folder.mkdir(parents=True)
    shard = np.stack([z.numpy(), np.ones_like(z.numpy())], axis=1)[:, None]
    np.save(folder / "latents-00000.npy", shard, allow_pickle=False)
    np.save(folder / "labels.npy", np.array([[0, 1]] * 18), allow_pickle=False)
    described = {"count": 18, "mirrored": False, "shape": list(z.shape[1:])}
    manifest = described | {"autoencoder": "x", "images": "x"}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    points, which = real_latents(Scene(run, model))
    assert which == "held-out"
    assert np.allclose(points.z, z.flatten(1).numpy())
    assert points.labels.tolist() == [[0, 1]] * 18
    shutil.rmtree(folder)
    with pytest.raises(MissingPiece, match="neither pictures nor cached latents"):
        real_latents(Scene(run, model))
    assert len(real_latents(Scene(run, model, splits["val"]))[0].z) == len(splits["val"])


def test_steps_end_at_the_picture_that_sampling_makes(drawn: Path, model: Model) -> None:
    noisy, clean = (Sheet.load(drawn, f"denoising_{what}") for what in ("x_t", "x0_hat"))
    assert noisy is not None
    assert clean is not None
    assert noisy.cols == model.config.sampling.num_steps + 1 == len(noisy.about["t"])
    assert noisy.about["t"] == sorted(noisy.about["t"], reverse=True)
    words = {"colour": "blue", "height": "high"}
    wanted = model.sample(words, n=1, seed=0, sampler="dpm++")[0]  # a smooth path
    assert np.array_equal(noisy.row(0)[-1], wanted.image)
    assert np.array_equal(clean.row(0)[-1], wanted.image)
    assert not np.array_equal(noisy.row(0)[0], clean.row(0)[0])
    names = {path.name for path in (drawn / "figures").glob("denoising_path_*.png")}
    assert "denoising_path_blue-high.png" in names
    assert len(names) == 4


def test_neighbours_are_the_nearest_by_brute_force(
    drawn: Path, model: Model, splits: dict[str, ImageSet]
) -> None:
    sheet = Sheet.load(drawn, "neighbours")
    assert sheet is not None
    words = {"colour": "blue", "height": "high"}
    record = model.sample(words, n=1, seed=0)[0]
    assert np.array_equal(sheet.row(0)[0], record.image)
    train = splits["train"].images(range(len(splits["train"])))
    z = model.encode(train / 127.5 - 1).mean
    far = (z - record.z).square().mean(dim=(1, 2, 3)).sqrt()
    nearest = int(far.argmin())
    assert np.array_equal(sheet.row(0)[1], train[nearest].permute(1, 2, 0).numpy())
    assert float(sheet.pictures[1]["caption"]) == pytest.approx(float(far[nearest]), abs=0.006)


def test_factor_grids_change_the_condition_alone(drawn: Path, model: Model) -> None:
    sheet = Sheet.load(drawn, "factors_colour_by_height")
    assert sheet is not None
    assert sheet.rows == ("blue", "red")
    assert sheet.about["heads"] == ["high", "low"] * 2
    wanted = model.sample(cond={"colour": "red", "height": "low"}, n=2, seed=0)
    assert np.array_equal(sheet.row(1)[1], wanted[0].image)
    assert np.array_equal(sheet.row(1)[3], wanted[1].image)


def test_interpolation_begins_and_ends_at_plain_samples(drawn: Path, model: Model) -> None:
    sheet = Sheet.load(drawn, "interpolation")
    assert sheet is not None
    words = {"colour": "blue", "height": "high"}
    pair = model.sample(words, n=2, seed=0, sampler="dpm++")
    row = sheet.row(0).astype(int)
    for k, place in ((0, 0), (1, -1)):
        assert np.abs(row[place] - pair[k].image).mean() < 1.0
    assert sheet.rows[2] == "blue, high to blue, low"


def test_guidance_table_holds_the_models_own_pictures(drawn: Path, model: Model) -> None:
    sheet = Sheet.load(drawn, "guidance_by_steps")
    assert sheet is not None
    words = {"colour": "red", "height": "low"}
    wanted = model.sample(words, n=3, seed=0, guidance=2.0, num_steps=8, sampler="dpm++")
    tile = sheet.row(2)[2].astype(int)
    for k, record in enumerate(wanted):
        assert np.abs(tile[:, 32 * k : 32 * (k + 1)] - record.image).mean() < 1.0


def test_one_condition_asked_for_is_drawn_alone(model: Model, run: Path) -> None:
    from latentbloom.figures.draw import draw_scene

    words = {"colour": "red", "height": "low"}
    files = draw_scene(Scene(run, model, words=words), ["samples", "path"])
    assert [f.name for f in files] == ["samples_by_condition.png", "denoising_path_red-low.png"]


def test_without_a_denoiser_only_curves_are_drawn(run: Path) -> None:
    missing: dict[str, str] = {}
    files = draw_figures(None, None, run, on_missing=missing.__setitem__)
    assert len(files) == 2
    assert set(missing.values()) == {
        "there is no trained model yet",
        "there is no trained autoencoder yet",
        "no training pictures can be read",
    }


def test_before_stage_2_the_autoencoder_is_shown(
    model: Model, splits: dict[str, ImageSet], run: Path
) -> None:
    autoencoder_model = AutoencoderModel(model.config, model.spec, model.autoencoder)
    missing: dict[str, str] = {}
    files = draw_figures(autoencoder_model, splits["val"], run, on_missing=missing.__setitem__)
    names = {path.name for path in files}
    assert {"reconstructions.png", "latent_map.png"} <= names
    sheet = Sheet.load(run, "latent_map")
    assert sheet is not None
    assert "samples (rings)" not in sheet.about["note"]
    assert missing["samples"] == "there is no denoiser yet: stage 2 makes it"


def test_edits_stand_beside_their_originals(
    drawn: Path, model: Model, splits: dict[str, ImageSet]
) -> None:
    sheet = Sheet.load(drawn, "edits")
    assert sheet is not None
    assert sheet.about["heads"] == ["original", "colour changed", "height changed"]
    val = splits["val"]
    chosen = spread_indices(len(val), len(sheet.rows), 0)
    words = val.spec.words(val.cond(chosen))
    flip = {"blue": "red", "red": "blue", "high": "low", "low": "high"}
    wanted = {name: [{name: flip[shown[name]]} for shown in words] for name in ("colour", "height")}
    originals = val.images(chosen)
    edited = [model.edit(originals, to, source=words).pixels for to in wanted.values()]
    for r, shown in enumerate(words):
        expected = [originals[r], *(pixels[r] for pixels in edited)]
        for tile, image in zip(sheet.row(r), expected, strict=True):
            assert np.array_equal(tile, image.permute(1, 2, 0).numpy())
        captions = [p["caption"] for p in sheet.pictures[3 * r : 3 * r + 3]]
        changed = [flip[shown["colour"]], flip[shown["height"]]]
        assert captions == [f"{shown['colour']}, {shown['height']}", *changed]
