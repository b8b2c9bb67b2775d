"""The classic family against its description: parts, sizes, gradients, and every sampler."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.config import AutoencoderConfig, DenoiserConfig, VaeGanSettings
from latentbloom.diffusion import (
    SAMPLERS,
    Denoiser,
    generators_for,
    make_schedule,
    noise_for,
    sample,
)
from latentbloom.nn.attention import ChannelAttention, FoldedAttention, SpatialAttention
from latentbloom.nn.autoencoders.classic import AttentiveBlock, ClassicAutoencoder, LayerNorm2d
from latentbloom.nn.backbones.dense import DenseBlock, DenseUNet
from latentbloom.nn.backbones.kinds import build_backbone
from latentbloom.nn.backbones.unet import ConditionedBlock
from latentbloom.train.stages.class_terms import ClassTerms

SPEC = ConditionSpec((Factor("smiling", ("no", "yes")), Factor("hair", ("dark", "fair", "red"))))
COND = {"smiling": torch.tensor([0, 1, 2]), "hair": torch.tensor([2, 3, 0])}


def autoencoder(**sizes: object) -> ClassicAutoencoder:
    torch.manual_seed(0)
    known = {"family": "classic", "size": 32, "base_width": 8, "blocks": 1, "latent_numbers": 64}
    return ClassicAutoencoder(AutoencoderConfig.model_validate(known | sizes), SPEC)


def wake(model: torch.nn.Module) -> None:
    """Blocks start as the identity; a first step of training would change that."""
    torch.manual_seed(1)
    for p in model.parameters():
        if not p.detach().any():
            torch.nn.init.normal_(p, std=0.05)


def denoiser(kind: str) -> Denoiser:
    config = DenoiserConfig.model_validate(
        {"kind": kind, "width": 32, "depth": 1, "head_width": 16}
    )
    torch.manual_seed(0)
    backbone = build_backbone(config, SPEC, (256, 1, 1))
    wake(backbone)
    return Denoiser(backbone, make_schedule("linear"), "eps").eval()


def test_full_size_is_64_128_256_512_and_256_numbers() -> None:
    with torch.device("meta"):
        model = ClassicAutoencoder(AutoencoderConfig(family="classic"), SPEC)
        mean, std = model.encode_raw(torch.empty(2, 3, 64, 64))
        assert mean.shape == std.shape == (2, 256, 1, 1)
        assert model.decode_raw(mean).shape == (2, 3, 64, 64)
    down = [m.out_channels for m in model.encoder if isinstance(m, torch.nn.Conv2d)]
    up = [m for m in model.decoder if isinstance(m, torch.nn.ConvTranspose2d)]
    assert down == [64, 128, 256, 512]
    assert [m.out_channels for m in up] == [256, 128, 64]
    assert model.to_latent.in_features == 512 * 8 * 8
    assert model.to_latent.out_features == 2 * 256  # means and log-variances
    for part in (model.encoder, model.decoder):
        blocks = [m for m in part if isinstance(m, AttentiveBlock)]
        assert len(blocks) == 8, "two residual blocks at each of four sizes"
        for block in blocks:
            assert isinstance(block.norm1, LayerNorm2d)
            attention = [type(m) for m in block.attention]
            assert attention == [ChannelAttention, SpatialAttention]


@pytest.mark.parametrize(
    ("setting", "value"), [("base_width", 16), ("blocks", 2), ("latent_numbers", 32)]
)
def test_each_size_does_what_it_says(setting: str, value: int) -> None:
    plain, other = autoencoder(), autoencoder(**{setting: value})
    x = torch.rand(2, 3, 32, 32)
    assert other.encode_raw(x).mean.shape[1] == (value if setting == "latent_numbers" else 64)

    def count(model: ClassicAutoencoder, kind: type) -> int:
        return sum(isinstance(m, kind) for m in model.modules())

    blocks = count(other, AttentiveBlock) / count(plain, AttentiveBlock)
    assert blocks == (2 if setting == "blocks" else 1)
    assert other.pixels.in_channels == (16 if setting == "base_width" else 8)


def test_one_half_of_the_head_is_the_mean_the_other_the_log_variance() -> None:
    model = autoencoder().eval()
    x = torch.rand(2, 3, 32, 32) * 2 - 1
    with torch.no_grad():
        before = model.encode_raw(x)
        model.to_latent.bias[64:] += 0.3  # the second half
        after = model.encode_raw(x)
    assert torch.equal(after.mean, before.mean)
    ratio = (after.std / before.std).log() * 2
    torch.testing.assert_close(ratio, torch.full_like(ratio, 0.3), rtol=0, atol=1e-4)


def test_every_weight_is_trained() -> None:
    model = autoencoder()
    wake(model)
    x = torch.rand(4, 3, 32, 32) * 2 - 1
    y, posterior = model(x, torch.randn(4, 64, 1, 1))
    settings = VaeGanSettings(
        classification_weight=1.0, centre_weight=1.0, repulsion_weight=1.0, spread_weight=1.0
    )
    cond = {"smiling": torch.tensor([0, 0, 1, 1]), "hair": torch.tensor([0, 1, 2, 0])}
    terms, _ = ClassTerms(settings, SPEC).loss(model, posterior.mean, cond, 1.0)
    ((y - x).abs().mean() + terms).backward()
    still = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not still


def test_class_terms_rise_in_a_line_and_reach_the_encoder_through_the_latent() -> None:
    model = autoencoder()
    settings = VaeGanSettings(classification_weight=1.0, class_start=0.2, class_full=0.6)
    terms = ClassTerms(settings, SPEC)
    x = torch.rand(3, 3, 32, 32)
    mean = model.encode_raw(x).mean
    full, logs = terms.loss(model, mean, COND, 0.6)
    assert float(full.detach()) == pytest.approx(float(logs["classification"]))
    for progress, share in ((0.0, 0.0), (0.2, 0.0), (0.3, 0.25), (0.5, 0.75), (1.0, 1.0)):
        part, logs = terms.loss(model, mean, COND, progress)
        assert float(part.detach()) == pytest.approx(share * float(full.detach()), abs=1e-6)
        assert float(logs["class_ramp"]) == pytest.approx(share)
    full.backward()
    assert model.classes is not None
    for head in model.classes.heads.parameters():
        assert head.grad is not None
        assert head.grad.any()
    assert model.to_latent.weight.grad is not None
    assert model.to_latent.weight.grad[:64].any(), "the means learn"
    assert not model.to_latent.weight.grad[64:].any(), "the variances do not"


def test_dense_levels_are_256_512_1024_512_256() -> None:
    with torch.device("meta"):
        model = build_backbone(DenoiserConfig(kind="dense"), SPEC, (256, 1, 1))
    assert isinstance(model, DenseUNet)
    blocks = [m for m in model.modules() if isinstance(m, DenseBlock)]
    assert [b.linear2.out_features for b in blocks] == [256, 512, 1024, 512, 256]
    for block in blocks:
        assert isinstance(block.attention, FoldedAttention)
        assert block.attention.tokens > 1
        assert block.attention.attention.heads > 1


@pytest.mark.parametrize(("kind", "block"), [("dense", DenseBlock), ("unet", ConditionedBlock)])
def test_every_block_of_a_denoiser_hears_time_and_condition(kind: str, block: type) -> None:
    model = denoiser(kind).backbone
    blocks = [m for m in model.modules() if isinstance(m, block)]
    assert len(blocks) >= 5
    x = torch.randn(3, 256, 1, 1)
    torch.manual_seed(2)
    for one in blocks:
        heard: list[torch.Tensor] = []
        hook = one.register_forward_hook(lambda _m, _i, out, to=heard: to.append(out[:1]))
        with torch.no_grad():
            inputs: list[tuple[torch.Tensor, ...]] = []
            look = one.register_forward_pre_hook(lambda _m, given, to=inputs: to.append(given))
            model(x, torch.tensor([0.1, 0.5, 0.9]), COND)
            look.remove()
            model(x, torch.tensor([0.7, 0.5, 0.9]), COND)
            model(x, torch.tensor([0.1, 0.5, 0.9]), COND | {"hair": torch.tensor([1, 3, 0])})
            # The block alone, on equal inputs, with another condition vector.
            h, c = inputs[0]
            alone = one(h, c + 1.0)[:1]
        hook.remove()
        for other in (heard[1], heard[2], alone):
            assert not torch.allclose(other, heard[0], atol=1e-6)


@pytest.mark.parametrize("kind", ["dense", "unet"])
def test_every_weight_of_a_denoiser_is_trained(kind: str) -> None:
    model = denoiser(kind)
    x, t = torch.randn(3, 256, 1, 1), torch.tensor([0.1, 0.5, 0.9])
    F.mse_loss(model.prediction(x, t, COND), torch.randn_like(x)).backward()
    still = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not still


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("kind", ["dense", "unet"])
def test_every_sampler_draws_flat_latents(kind: str, sampler: str) -> None:
    model = denoiser(kind)

    def draw(seed: int) -> torch.Tensor:
        return sample(
            model,
            noise_for(seed, range(3), (256, 1, 1)),
            COND,
            sampler=sampler,
            num_steps=4,
            generators=generators_for(seed, range(3)),
        )

    z = draw(0)
    assert z.shape == (3, 256, 1, 1)
    assert z.isfinite().all()
    assert torch.equal(draw(0), z)
    assert not torch.allclose(draw(1), z, atol=1e-2)


@pytest.mark.parametrize("kind", ["dense", "unet"])
def test_ancestral_sampling_takes_all_thousand_steps(kind: str) -> None:
    torch.manual_seed(0)
    config = DenoiserConfig.model_validate({"kind": kind, "width": 32, "depth": 1})
    fresh = Denoiser(
        build_backbone(config, SPEC, (256, 1, 1)), make_schedule("linear"), "eps"
    ).eval()
    # A fresh network predicts eps = 0: x0_hat = x_t / alpha_t, and the path stays finite.
    z = sample(
        fresh,
        noise_for(0, [0], (256, 1, 1)),
        {name: index[:1] for name, index in COND.items()},
        sampler="ddpm",
        num_steps=1000,
        generators=generators_for(0, [0]),
    )
    assert z.isfinite().all()
