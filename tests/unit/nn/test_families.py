"""The classic and the pixel family: shapes, attention, conditions, the latent contract."""

from __future__ import annotations

import pytest
import torch

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.config import AutoencoderConfig, DenoiserConfig
from latentbloom.nn.attention import ChannelAttention, FoldedAttention, SpatialAttention
from latentbloom.nn.autoencoders.base import Autoencoder
from latentbloom.nn.autoencoders.build import build_autoencoder
from latentbloom.nn.autoencoders.classic import AttentiveBlock, ClassicAutoencoder, LayerNorm2d
from latentbloom.nn.backbones.kinds import build_backbone, folded_shape

SPEC = ConditionSpec((Factor("smiling", ("no", "yes")), Factor("hair.1", ("dark", "fair", "red"))))
FLAT, MAP, PICTURE = (256, 1, 1), (4, 8, 8), (3, 32, 32)


def autoencoder(family: str, size: int = 32) -> Autoencoder:
    torch.manual_seed(0)
    config = AutoencoderConfig.model_validate(
        {"family": family, "size": size, "base_width": 8, "blocks": 1, "width": 16}
    )
    return build_autoencoder(config, SPEC).eval()


def awake(model: torch.nn.Module) -> torch.nn.Module:
    """Layers that start at zero would hide everything."""
    for p in model.parameters():
        if float(p.detach().abs().sum()) == 0:
            torch.nn.init.normal_(p, std=0.1)
    return model.eval()


@pytest.mark.parametrize("size", [32, 96])
def test_classic_latent_is_flat(size: int) -> None:
    model = autoencoder("classic", size)
    x = torch.rand(2, 3, size, size) * 2 - 1
    y, posterior = model(x, torch.randn(2, *model.latent_shape))
    assert model.latent_shape == FLAT
    assert posterior.mean.shape == posterior.std.shape == (2, *FLAT)
    assert y.shape == x.shape
    assert model.last_layer.weight.shape[0] == 3


def test_classic_has_the_published_widths() -> None:
    with torch.device("meta"):
        model = ClassicAutoencoder(AutoencoderConfig(family="classic", blocks=1), SPEC)
    found = [m.channels for m in model.encoder if isinstance(m, AttentiveBlock)]
    assert found == [64, 128, 256, 512]
    assert [m.channels for m in model.decoder if isinstance(m, AttentiveBlock)] == found[::-1]
    assert model.classes is not None
    assert [tuple(c.shape) for c in model.classes.centres_of().values()] == [(2, 256), (3, 256)]


@pytest.mark.parametrize("family", ["swift", "classic", "pixel"])
def test_normalised_latents_are_standard_and_come_back(family: str) -> None:
    model = autoencoder(family)
    x = torch.rand(16, 3, 32, 32) * 1.8 - 0.9
    with torch.no_grad():
        raw = model.encode_raw(x).mean
        plain = model.decode(raw)
        axes = (0, 2, 3)
        model.set_normalisation(raw.mean(dim=axes), raw.std(dim=axes))
        z = model.encode(x).mean
        channels = model.latent_shape[0]
        torch.testing.assert_close(z.mean(dim=axes), torch.zeros(channels), atol=1e-4, rtol=0)
        torch.testing.assert_close(z.std(dim=axes), torch.ones(channels), atol=1e-3, rtol=0)
        torch.testing.assert_close(model.decode(z), plain, atol=1e-4, rtol=1e-3)


def test_pixels_are_their_own_latents() -> None:
    model = autoencoder("pixel")
    x = torch.rand(2, 3, 32, 32) * 2 - 1
    mean, std = model.encode(x)
    assert torch.equal(mean, x)
    assert not std.any()
    assert torch.equal(model.decode(2 * x), (2 * x).clamp(-1, 1))
    assert not list(model.parameters())


def test_layer_norm_standardises_the_channels_of_each_place() -> None:
    y = LayerNorm2d(16)(3 + 5 * torch.randn(2, 16, 4, 4))
    torch.testing.assert_close(y.mean(dim=1), torch.zeros(2, 4, 4), atol=1e-5, rtol=0)
    torch.testing.assert_close(y.std(dim=1, correction=0), torch.ones(2, 4, 4), atol=1e-3, rtol=0)


def test_attention_weighs_channels_and_places() -> None:
    torch.manual_seed(0)
    x = torch.rand(2, 16, 6, 6) + 0.1
    by_channel = ChannelAttention(16)(x).detach() / x
    assert torch.allclose(by_channel, by_channel[:, :, :1, :1].expand_as(x), atol=1e-5)
    assert float(by_channel[0].std()) > 1e-3
    by_place = SpatialAttention()(x).detach() / x
    assert torch.allclose(by_place, by_place[:, :1].expand_as(x), atol=1e-5)
    assert float(by_place[0].std()) > 1e-4


def test_folded_attention_carries_news_from_one_token_to_all_others() -> None:
    torch.manual_seed(0)
    model = awake(FoldedAttention(64, tokens=16, heads=2, head_width=8))
    x = torch.randn(1, 64)
    changed = x.clone()
    changed[:, :4] += torch.randn(4)  # the first token
    with torch.no_grad():
        moved = (model(changed) - model(x)).view(16, 4).abs().amax(dim=1)
    assert (moved > 1e-6).all()
    fresh = FoldedAttention(64, tokens=16, heads=2, head_width=8)
    assert torch.equal(fresh(x), x)  # it starts as the identity


def test_a_flat_latent_is_folded_as_a_map() -> None:
    assert folded_shape(FLAT) == MAP
    assert folded_shape((48, 1, 1)) == (3, 4, 4)
    assert folded_shape((7, 1, 1)) == (7, 1, 1)


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("dense", FLAT),
        ("unet", FLAT),
        ("unet", MAP),
        ("unet", (4, 12, 12)),
        ("transformer", FLAT),
        ("pixel-unet", PICTURE),
    ],
)
def test_backbones_keep_rows_apart_and_listen(kind: str, shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    config = DenoiserConfig.model_validate(
        {"kind": kind, "width": 32, "depth": 1, "head_width": 16}
    )
    model = build_backbone(config, SPEC, shape)
    x, t = torch.randn(3, *shape), torch.tensor([0.1, 0.5, 0.9])
    cond = {"smiling": torch.tensor([0, 1, 2]), "hair.1": torch.tensor([0, 3, 1])}
    fresh = model(x, t, cond)
    assert fresh.shape == x.shape
    assert not fresh.any()  # the last layer starts at zero
    awake(model)
    order = torch.tensor([2, 0, 1])
    with torch.no_grad():
        y = model(x, t, cond)
        permuted = model(x[order], t[order], {k: v[order] for k, v in cond.items()})
        other = model(x, t, cond | {"hair.1": torch.tensor([2, 3, 1])})
        later = model(x, t + torch.tensor([0.0, 0.2, 0.0]), cond)
    torch.testing.assert_close(permuted, y[order], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(other[0], y[0], atol=1e-4)
    torch.testing.assert_close(other[1:], y[1:], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(later[1], y[1], atol=1e-4)
