"""What a new run takes over from a finished one, weight by weight."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from rich.console import Console

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.config import AutoencoderConfig, DenoiserConfig, DiffusionSettings, RunConfig
from latentbloom.errors import ConfigError, RunFolderError
from latentbloom.fitting.pipeline import fit
from latentbloom.model.build import build_denoiser
from latentbloom.model.warm_start import WarmStart, open_warm_start
from latentbloom.nn.autoencoders.swift import SwiftAutoencoder
from latentbloom.presets import build_preset
from tiny_run import TINY, make_pictures, tiny_config

SPEC = ConditionSpec((Factor("label", ("day", "night")), Factor("place", ("sea", "town"))))
DIFFUSION = DiffusionSettings()
SMALL = DenoiserConfig(width=32, depth=1, head_width=16)


def autoencoder(channels: Literal[1, 3], seed: int = 0, latents: int = 4) -> SwiftAutoencoder:
    torch.manual_seed(seed)
    config = AutoencoderConfig(
        width=16, blocks=1, size=32, channels=channels, latent_channels=latents
    )
    return SwiftAutoencoder(config)


def backbone(
    spec: ConditionSpec,
    side: int = 4,
    seed: int = 0,
    latents: int = 4,
    config: DenoiserConfig = SMALL,
) -> Any:
    torch.manual_seed(seed)
    return build_denoiser(config, DIFFUSION, spec, (latents, side, side)).backbone


def finished(channels: Literal[1, 3] = 1) -> WarmStart:
    old = autoencoder(channels)
    old.set_normalisation(torch.full((4,), 3.0), torch.full((4,), 5.0))
    return WarmStart(
        Path("old"),
        old.config,
        old.state_dict(),
        SMALL,
        DIFFUSION,
        backbone(SPEC).state_dict(),
        SPEC,
    )


def test_the_same_shape_is_copied_and_latents_are_measured_anew() -> None:
    start, new = finished(), autoencoder(1, seed=1)
    carried = start.start_autoencoder(new)
    assert carried.fresh == ()
    assert carried.fitted == 0
    x = torch.randn(2, 1, 32, 32)
    assert torch.equal(new.encode_raw(x).mean, autoencoder(1).encode_raw(x).mean)
    assert torch.equal(new.shift, torch.zeros(4))
    assert torch.equal(new.scale, torch.ones(4))


def test_grey_to_colour_sees_grey_pictures_as_before() -> None:
    start, new = finished(1), autoencoder(3, seed=1)
    carried = start.start_autoencoder(new)
    assert carried.fresh == ()
    grey = torch.randn(2, 1, 32, 32)
    old = autoencoder(1)
    torch.testing.assert_close(
        new.encode_raw(grey.expand(-1, 3, -1, -1)).mean, old.encode_raw(grey).mean
    )
    z = torch.randn(2, 4, 4, 4)
    torch.testing.assert_close(new.decode_raw(z), old.decode_raw(z).expand(-1, 3, -1, -1))


def test_colour_to_grey_sees_grey_pictures_as_before() -> None:
    start, new = finished(3), autoencoder(1, seed=1)
    start.start_autoencoder(new)
    grey = torch.randn(2, 1, 32, 32)
    old = autoencoder(3)
    torch.testing.assert_close(
        new.encode_raw(grey).mean, old.encode_raw(grey.expand(-1, 3, -1, -1)).mean
    )
    z = torch.randn(2, 4, 4, 4)
    torch.testing.assert_close(new.decode_raw(z), old.decode_raw(z).mean(1, keepdim=True))


@pytest.mark.parametrize("latents", [2, 8])
def test_latent_channels_that_both_have_carry_over(latents: int) -> None:
    start, new, fresh = finished(3), autoencoder(3, 1, latents), autoencoder(3, 1, latents)
    carried = start.start_autoencoder(new)
    assert carried.fresh == ()
    made, read = "encoder.6.weight", "decoder.0.weight"
    weights = new.state_dict()
    assert carried.fitted == sum(weights[name].numel() for name in (made, "encoder.6.bias", read))
    old, x, both = autoencoder(3), torch.randn(2, 3, 32, 32), min(latents, 4)
    found, known = new.encode_raw(x), old.encode_raw(x)
    torch.testing.assert_close(found.mean[:, :both], known.mean[:, :both])
    torch.testing.assert_close(found.std[:, :both], known.std[:, :both])
    if latents > 4:
        z = torch.randn(2, 4, 4, 4)
        wide = torch.cat([z, torch.zeros(2, latents - 4, 4, 4)], dim=1)
        torch.testing.assert_close(new.decode_raw(wide), old.decode_raw(z))
        assert torch.equal(weights[made][4:8], fresh.state_dict()[made][4:8])


def test_another_width_starts_its_latent_layers_fresh() -> None:
    wide = SwiftAutoencoder(AutoencoderConfig(width=32, blocks=1, size=32, latent_channels=8))
    fresh = finished(3).start_autoencoder(wide).fresh
    assert {"encoder.1.weight", "encoder.6.weight", "decoder.0.weight"} <= set(fresh)


@pytest.mark.parametrize("latents", [2, 8])
def test_a_denoiser_of_other_latents_knows_the_channels_that_both_have(latents: int) -> None:
    config = SMALL.model_copy(update={"stem": 16})
    old, new = backbone(SPEC, config=config), backbone(SPEC, seed=1, latents=latents, config=config)
    torch.nn.init.normal_(old.last.weight)
    start = WarmStart(
        Path("old"), AutoencoderConfig(), {}, config, DIFFUSION, old.state_dict(), SPEC
    )
    assert start.start_denoiser(new, SPEC, DIFFUSION).fresh == ()
    x, t, both = torch.randn(3, latents, 4, 4), torch.rand(3), min(latents, 4)
    x[:, both:] = 0.0
    known = torch.cat([x[:, :both], torch.zeros(3, 4 - both, 4, 4)], dim=1)
    cond = {f.name: torch.full((3,), f.index("any")) for f in SPEC.factors}
    with torch.no_grad():
        torch.testing.assert_close(new(x, t, cond)[:, :both], old(known, t, cond)[:, :both])


def test_labels_go_by_their_words() -> None:
    more = ConditionSpec((Factor("label", ("dusk", "night", "day")), Factor("size", ("s", "l"))))
    new = backbone(more, seed=1)
    fresh = new.condition.tables[1].weight.clone()
    carried = finished().start_denoiser(new, more, DIFFUSION)
    old = backbone(SPEC).condition.tables[0].weight  # day, night, any
    table = new.condition.tables[0].weight
    gone = backbone(SPEC).condition.tables[1].weight[2] / 2  # "any" of the place, on both tables
    torch.testing.assert_close(table, old[[2, 1, 0, 2]] + gone)  # dusk starts as "any"
    torch.testing.assert_close(new.condition.tables[1].weight, fresh + gone)
    assert carried.fresh == ("condition.tables.1.weight",)


def test_factors_in_another_order_keep_their_tables() -> None:
    turned = ConditionSpec((SPEC.factors[1], SPEC.factors[0]))
    new = backbone(turned, seed=1)
    assert finished().start_denoiser(new, turned, DIFFUSION).fresh == ()
    old = backbone(SPEC).condition.tables
    assert torch.equal(new.condition.tables[0].weight, old[1].weight)
    assert torch.equal(new.condition.tables[1].weight, old[0].weight)


@pytest.mark.parametrize("names", [("species",), ("place",), ("species", "colour", "place")])
def test_without_conditions_a_picture_is_denoised_as_before(names: tuple[str, ...]) -> None:
    start = finished()
    for name, tensor in start.denoiser_weights.items():
        if "tables." in name or not tensor.any():
            torch.nn.init.normal_(tensor, std=0.3)
    old = backbone(SPEC)
    old.load_state_dict(dict(start.denoiser_weights))
    spec = ConditionSpec(tuple(Factor(name, ("sea", "town", "hill")) for name in names))
    new = backbone(spec, seed=1)
    start.start_denoiser(new, spec, DIFFUSION)
    x, t = torch.randn(3, 4, 4, 4), torch.rand(3)
    with torch.no_grad():
        expected, found = (
            model(x, t, {f.name: torch.full((3,), f.index("any")) for f in known.factors})
            for model, known in ((old, SPEC), (new, spec))
        )
    assert (found - expected).abs().mean() < 0.2 * expected.abs().mean()


def test_another_size_resizes_positions() -> None:
    new = backbone(SPEC, side=8, seed=1)
    carried = finished().start_denoiser(new, SPEC, DIFFUSION)
    assert carried.fresh == ()
    old = backbone(SPEC).position.detach()
    assert carried.fitted == new.position.numel()
    torch.testing.assert_close(new.position.mean((0, 1)), old.mean((0, 1)))


def test_what_carried_over_is_said() -> None:
    more = ConditionSpec((*SPEC.factors, Factor("size", ("s", "l"))))
    new = backbone(more, seed=1)
    text = finished().start_denoiser(new, more, DIFFUSION).describe("Denoiser")
    assert text.startswith("Denoiser: 99% of 28,784 weights")
    assert text.endswith("; fresh: condition.tables.2.weight.")


def test_another_family_is_refused() -> None:
    with pytest.raises(ConfigError, match="family 'swift', and the new run is of 'classic'"):
        finished().fill_in(build_preset("classic"))


def test_shapes_that_are_left_open_are_those_of_the_run() -> None:
    start = finished()
    filled = start.fill_in(RunConfig())
    assert filled.autoencoder == start.autoencoder
    assert start.denoiser.stem is None  # as written by a version without convolutions
    assert filled.denoiser == start.denoiser.model_copy(update={"stem": 0})
    told = start.fill_in(RunConfig().updated({"autoencoder.width": 32}))
    assert told.autoencoder is not None
    assert told.autoencoder.width == 32


def test_another_prediction_is_refused() -> None:
    eps = DiffusionSettings(prediction="eps")
    with pytest.raises(ConfigError, match="diffusion.prediction is 'eps', and old was trained wi"):
        finished().start_denoiser(backbone(SPEC), SPEC, eps)


def test_a_run_that_is_not_finished_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="There is no folder"):
        open_warm_start(tmp_path / "nowhere")
    tiny_config().save(tmp_path / "config.json")
    with pytest.raises(RunFolderError, match="is not finished: stage 1 has not ended"):
        open_warm_start(tmp_path)


def test_fit_from_a_run_with_other_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in ("_score", "_pictures"):
        monkeypatch.setattr(f"latentbloom.fitting.finish.{part}", lambda *_: True)
    before = make_pictures(tmp_path / "before")
    fit(before, out=tmp_path / "old", overrides=TINY, console=Console(quiet=True))
    after = make_pictures(tmp_path / "after")
    for split in ("train", "val"):
        (after / split / "night").rename(after / split / "dusk")
    told = Console(record=True, width=200, file=io.StringIO())
    start = {"train.start_from": str(tmp_path / "old"), "train.vae_gan_images": 8}
    fit(after, out=tmp_path / "new", overrides={**TINY, **start}, console=told)
    text = told.export_text()
    assert f"From {tmp_path / 'old'}: autoencoder: 100% of" in text
    assert "weights carried over, 96 of them fitted to the new data." in text
    start = {"train.start_from": str(tmp_path / "new")}
    with pytest.raises(RunFolderError, match="start_from was '', now"):
        fit(before, out=tmp_path / "old", overrides={**TINY, **start}, console=told)
