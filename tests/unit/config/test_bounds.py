"""Whatever the settings accept builds a model that takes a step; the rest is refused by name."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from latentbloom.cli.options.settings import Setting, iter_settings
from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.config import RunConfig, parse_config
from latentbloom.errors import ConfigError
from latentbloom.nn.autoencoders.base import latent_shape_of
from latentbloom.nn.autoencoders.build import build_autoencoder
from latentbloom.nn.backbones.kinds import build_backbone

SPEC = ConditionSpec((Factor("label", ("day", "night")), Factor("hat", ("no", "yes"))))
SETTINGS = {setting.name: setting for setting in iter_settings()}
NUMBERS = {
    name: setting
    for name, setting in SETTINGS.items()
    if any(words in setting.allowed for words in ("number",)) and "text" not in setting.allowed
}
EXTREMES = (
    *(float("nan"), float("inf"), float("-inf"), -1, 0, 10**30, -(10**30), 1e308, 5e-324),
    *("inf", "nan", "", [], {}, True),
)


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_has_two_ends(name: str) -> None:
    """No infinite, enormous or missing value is accepted, and the message names the field."""
    accepted, refused = [], []
    for value in EXTREMES:
        try:
            config = RunConfig().updated({name: value})
        except ConfigError as error:
            refused.append(str(error))
            continue
        section, _, leaf = name.partition(".")
        accepted.append(getattr(getattr(config, section), leaf))
    assert all(name in message for message in refused)
    assert all(isinstance(v, int | float) and -(10**19) < v < 1e19 for v in accepted), accepted


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"data.source.x": 1}, "No setting is called 'data.source.x'"),
        ({"data.source.x.y": 1}, "No setting is called 'data.source.x.y'"),
        ({"denoiser.width.x": 1}, "No setting is called 'denoiser.width.x'"),
        ({"nothing": 1}, "No setting is called 'nothing'"),
        ({"": 1}, "No setting is called ''"),
        ({"data": 3}, "data: "),
        ({"data.nothing": 3}, "data.nothing: "),
        ({"denoiser.width": 224}, "denoiser.width: 224 cannot be divided among 3 attention heads"),
        ({"denoiser.patch": 3, "data.size": 64}, "denoiser.patch: 3 does not divide"),
        (
            {"train.decoder_images": 64, "autoencoder.family": "classic"},
            "train.decoder_images: stage 3 trains decoders of the swift family only",
        ),
        (
            {"train.decoder_images": 64, "vae_gan.adversarial_weight": 0.0},
            "train.decoder_images: stage 3 needs the discriminator of stage 1",
        ),
        ({"train.minutes": float("inf")}, "train.minutes: "),
    ],
)
def test_what_does_not_work_is_refused_by_name(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        RunConfig().updated(overrides)
    assert message in str(error.value)


def values_of(setting: Setting) -> st.SearchStrategy[Any]:
    """Values that a setting may have: its choices, numbers between its ends, or none."""
    kind, bounds = setting.kind, []
    if type(None) in get_args(kind):
        one = next(part for part in get_args(kind) if part is not type(None))
        return st.none() | values_of(replace(setting, kind=one))
    while get_origin(kind) is Annotated:
        kind, *found = get_args(kind)
        bounds += [part for bound in found for part in getattr(bound, "metadata", [bound])]
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    ends = {n: v for b in bounds for n in ("ge", "le") if (v := getattr(b, n, None)) is not None}
    step = next((b.multiple_of for b in bounds if hasattr(b, "multiple_of")), 1)
    most = min(ends["le"], 640)  # larger ones take too long; they are the same code
    return st.integers(-(-ends["ge"] // step), most // step).map(lambda k: k * step)


NETWORKS = {n: s for n, s in SETTINGS.items() if n.startswith(("autoencoder.", "denoiser."))}
SLOW = {"autoencoder.blocks": st.integers(1, 2), "denoiser.depth": st.integers(1, 6)}


STRATEGIES = {n: SLOW[n] if n in SLOW else values_of(s) for n, s in NETWORKS.items()}


@settings(max_examples=60, deadline=None)
@given(
    given=st.fixed_dictionaries(STRATEGIES),
    size=st.sampled_from([32, 64, 96, 128, 256]),
)
def test_networks_that_are_accepted_take_a_step(given: dict[str, Any], size: int) -> None:
    """On PyTorch's meta device, which knows the shapes and computes nothing."""
    overrides = {**given, "data.size": size, "autoencoder.size": size}
    with contextlib.suppress(ConfigError):
        take_a_step(RunConfig().updated(overrides), size)


def take_a_step(config: RunConfig, size: int) -> None:
    assert config.autoencoder is not None
    assert config.denoiser is not None
    shape = latent_shape_of(config.autoencoder)
    channels = config.autoencoder.channels
    with torch.device("meta"):
        autoencoder = build_autoencoder(config.autoencoder, SPEC)
        images = torch.zeros(2, channels, size, size)
        reconstruction, _ = autoencoder(images, torch.zeros(2, *shape))
        backbone = build_backbone(config.denoiser, SPEC, shape)
        cond = {name: torch.zeros(2, dtype=torch.long) for name in SPEC.names}
        x = torch.zeros(2, *shape)
        answer = backbone(x, torch.zeros(2), cond)
        answer.sum().backward()
    assert reconstruction.shape == images.shape
    assert answer.shape == x.shape


def test_the_whole_tree_is_checked_when_a_file_is_read() -> None:
    tree = RunConfig.model_validate({"denoiser": {"width": 224}}).model_dump()
    with pytest.raises(ConfigError, match=r"In here:\n  denoiser\.width: 224"):
        parse_config(tree, where="here")
