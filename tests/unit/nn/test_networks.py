"""Shapes, starts and invariances of the networks."""

from __future__ import annotations

import pytest
import torch

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.config import AutoencoderConfig, DenoiserConfig
from latentbloom.nn.autoencoders.build import build_autoencoder
from latentbloom.nn.backbones.hourglass import Hourglass
from latentbloom.nn.backbones.kinds import build_backbone
from latentbloom.nn.backbones.transformer import Transformer
from latentbloom.nn.blocks import ResBlock, Upsample
from latentbloom.nn.discriminator import build_discriminator

SPEC = ConditionSpec((Factor("smiling", ("no", "yes")), Factor("hair", ("dark", "fair", "red"))))


@pytest.mark.parametrize("size", [32, 64, 96, 128, 256])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("reduction", [8, 16])
def test_latents_are_a_part_of_the_picture(size: int, channels: int, reduction: int) -> None:
    sizes = {"size": size, "channels": channels, "width": 16, "blocks": 1, "reduction": reduction}
    model = build_autoencoder(AutoencoderConfig.model_validate(sizes))
    assert model.latent_shape == (4, size // reduction, size // reduction)
    x = torch.rand(2, channels, size, size) * 2 - 1
    y, posterior = model(x, torch.randn(2, *model.latent_shape))
    assert y.shape == x.shape
    assert posterior.mean.shape == (2, *model.latent_shape)
    assert (posterior.std > 0).all()


def test_sixty_four_pixels_are_256_numbers() -> None:
    model = build_autoencoder(AutoencoderConfig(width=16))
    assert torch.Size(model.latent_shape).numel() == 256


def test_normalisation_is_applied_going_in_and_taken_back_coming_out() -> None:
    torch.manual_seed(0)
    model = build_autoencoder(AutoencoderConfig(width=16, channels=1)).eval()
    x = torch.rand(8, 1, 64, 64) * 2 - 1
    with torch.no_grad():
        raw = model.encode_raw(x)
        plain = model.decode(raw.mean)
        shift = raw.mean.mean(dim=(0, 2, 3))
        scale = raw.mean.std(dim=(0, 2, 3))
        model.set_normalisation(shift, scale)
        z = model.encode(x)
        torch.testing.assert_close(z.mean.mean(dim=(0, 2, 3)), torch.zeros(4), atol=1e-4, rtol=0)
        torch.testing.assert_close(z.mean.std(dim=(0, 2, 3)), torch.ones(4), atol=1e-3, rtol=0)
        torch.testing.assert_close(z.std * scale[:, None, None], raw.std, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(model.decode(z.mean), plain, rtol=1e-3, atol=1e-4)


def test_blocks_start_as_the_identity_and_unfolding_without_a_checkerboard() -> None:
    x = torch.randn(2, 16, 8, 8)
    assert torch.equal(ResBlock(16)(x), x)
    y = Upsample(16, 8)(x)  # each pixel becomes a 2x2 block of equal values
    assert torch.equal(y[..., ::2, ::2], y[..., 1::2, 1::2])


def test_discriminator_scores_pixels_and_every_map() -> None:
    model = build_discriminator(3, [16, 24], width=8)
    scores = model(
        torch.randn(2, 3, 64, 64), [torch.randn(1, 16, 32, 32), torch.randn(1, 24, 9, 9)]
    )
    assert [tuple(s.shape) for s in scores] == [(2, 1, 8, 8), (1, 1, 32, 32), (1, 1, 9, 9)]


def test_tokens_go_there_and_back() -> None:
    model = Transformer(DenoiserConfig(width=32, depth=1), SPEC, (4, 8, 8))
    x = torch.randn(3, 4, 8, 8)
    assert torch.equal(model.to_map(model.to_tokens(x)), x)


def test_convolutions_on_the_map_go_around_the_transformer() -> None:
    torch.manual_seed(0)
    model = Hourglass(DenoiserConfig(width=32, depth=1, stem=8), SPEC, (4, 8, 8))
    x, t = torch.randn(2, 4, 8, 8, requires_grad=True), torch.rand(2)
    cond = {"smiling": torch.tensor([0, 1]), "hair": torch.tensor([0, 1])}
    assert not model(x, t, cond).any(), "it starts at zero"
    torch.nn.init.normal_(model.last.weight)
    model.final.weight.detach().zero_()  # what passes by the tokens is local
    (local,) = torch.autograd.grad(model(x, t, cond)[0, :, 0, 0].sum(), x)
    assert local[0, :, :7, :7].any()
    assert not local[0, :, 7:].any()
    assert not local[0, :, :, 7:].any()
    torch.nn.init.normal_(model.final.weight)
    (whole,) = torch.autograd.grad(model(x, t, cond)[0, :, 0, 0].sum(), x)
    assert not whole[1].any()
    for p in model.parameters():  # gates start at zero, and would hide attention
        if not p.any():
            torch.nn.init.normal_(p, std=0.5)
    (whole,) = torch.autograd.grad(model(x, t, cond)[0, :, 0, 0].sum(), x)
    assert whole[0].abs().amin() > 0, "tokens attend to all places"


@pytest.mark.parametrize("stem", [0, 8])
def test_backbone_rows_do_not_see_each_other_and_conditions_matter(stem: int) -> None:
    torch.manual_seed(0)
    config = DenoiserConfig(width=32, depth=2, head_width=16, stem=stem)
    model = build_backbone(config, SPEC, (4, 8, 8)).eval()
    assert isinstance(model, Hourglass) == bool(stem)
    for p in model.parameters():  # the last layer starts at zero, which would hide everything
        if float(p.detach().abs().sum()) == 0:
            torch.nn.init.normal_(p, std=0.1)
    x, t = torch.randn(4, 4, 8, 8), torch.rand(4)
    cond = {"smiling": torch.tensor([0, 1, 2, 0]), "hair": torch.tensor([0, 1, 2, 3])}
    order = torch.tensor([2, 0, 3, 1])
    with torch.no_grad():
        y = model(x, t, cond)
        permuted = model(x[order], t[order], {k: v[order] for k, v in cond.items()})
        other = model(x, t, cond | {"smiling": torch.tensor([1, 1, 2, 0])})
    torch.testing.assert_close(permuted, y[order], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(other[0], y[0], atol=1e-4)
    torch.testing.assert_close(other[1:], y[1:], rtol=1e-4, atol=1e-5)
