"""Perceptual networks: where their weights come from, and what the distance does."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch

from latentbloom.errors import ConfigError
from latentbloom.losses.perceptual import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    InFloat32,
    build_perceptual,
)
from latentbloom.nn.efficientnet import load_efficientnet_lite


def write_random_weights(home: Path, file: str, build: Any) -> dict[str, torch.Tensor]:
    """A weights file as torchvision caches it. The classifier is one number, repeated."""
    torch.manual_seed(0)
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in build().state_dict().items()}
    state = {
        name: torch.randn(shape) * 0.05
        if name.startswith("features")
        else torch.zeros(1).expand(shape)
        for name, shape in shapes.items()
    }
    folder = home / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(state, folder / file)
    return state


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of weights, and no network."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise URLError("no network in tests")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", refuse)
    return tmp_path


def test_vgg16_is_read_from_its_file_up_to_relu3_3(home: Path) -> None:
    from torchvision.models import vgg16

    state = write_random_weights(home, "vgg16-397923af.pth", vgg16)
    ruler = build_perceptual("vgg16")
    assert ruler is not None
    assert ruler.name == "vgg16"
    assert ruler.channels == [64, 128, 256]
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    # The same first layers by hand, on inputs normalised by hand.
    mean, std = (torch.tensor(v)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_STD))
    h = ((x + 1) / 2 - mean) / std
    found = ruler.features(x)
    assert [f.shape[-1] for f in found] == [32, 16, 8]
    for feature, layers in zip(found, ((0, 2), (5, 7), (10, 12, 14)), strict=True):
        for layer in layers:
            weight, bias = state[f"features.{layer}.weight"], state[f"features.{layer}.bias"]
            h = torch.relu(torch.conv2d(h, weight, bias, padding=1))
        torch.testing.assert_close(feature, h, rtol=1e-4, atol=1e-5)
        h = torch.nn.functional.max_pool2d(h, 2)


def test_squeezenet_is_read_from_its_file(home: Path) -> None:
    from torchvision.models import squeezenet1_1

    state = write_random_weights(home, "squeezenet1_1-b8a52dc0.pth", squeezenet1_1)
    ruler = build_perceptual("squeezenet")
    assert ruler is not None
    assert ruler.channels == [64, 128, 256]
    # torchvision's own network, up to the second, fifth and eighth layer.
    whole = squeezenet1_1()
    whole.load_state_dict(state)
    x = torch.rand(1, 3, 64, 64) * 2 - 1
    mean, std = (torch.tensor(v)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_STD))
    with torch.no_grad():
        for feature, end in zip(ruler.features(x), (2, 5, 8), strict=True):
            expected = whole.features[:end](((x + 1) / 2 - mean) / std)
            torch.testing.assert_close(feature, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["vgg16", "squeezenet"])
def test_weights_that_cannot_be_had_are_said_in_one_line(home: Path, name: Any) -> None:
    del home
    said: list[str] = []
    ruler = build_perceptual(name, said.append)
    assert ruler is not None
    assert ruler.name == "efficientnet-lite0"
    assert said == [
        f"The weights of {name} are not on this disk and cannot be fetched (no network in tests): "
        "using efficientnet-lite0, which is part of the installation."
    ]


def test_folding_the_norms_changes_nothing() -> None:
    ruler = build_perceptual("efficientnet-lite0")
    assert ruler is not None
    net: Any = load_efficientnet_lite("efficientnet-lite0")
    x = torch.rand(2, 3, 64, 64) * 2 - 1
    mean, std = (torch.tensor(v)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_STD))
    h = net._swish(net._bn0(net._conv_stem(((x + 1) / 2 - mean) / std)))
    expected = {}
    with torch.no_grad():
        for i, block in enumerate(net._blocks[:11]):
            h = block(h)
            expected[i] = h
    for found, i in zip(ruler.features(x), (0, 2, 4, 10), strict=True):
        torch.testing.assert_close(found, expected[i], rtol=1e-3, atol=1e-3)
    # A pass of its own over the map is left to padding that a convolution cannot do.
    pads = [m.padding for m in ruler.modules() if isinstance(m, torch.nn.ZeroPad2d)]
    assert pads
    assert all(before < after for before, after, *_ in pads)


def test_distance_is_zero_for_equals_and_grows_with_blur() -> None:
    ruler = build_perceptual("efficientnet-lite0")
    assert ruler is not None
    torch.manual_seed(0)
    x = torch.rand(2, 1, 64, 64) * 2 - 1
    soft = torch.nn.functional.avg_pool2d(x, 3, stride=1, padding=1)
    softer = torch.nn.functional.avg_pool2d(soft, 5, stride=1, padding=2)
    assert float(ruler(x, x).max()) == 0.0
    assert (ruler(x, soft) < ruler(x, softer)).all()
    y = soft.clone().requires_grad_(True)
    ruler(x, y).sum().backward()
    assert y.grad is not None
    assert float(y.grad.abs().sum()) > 0
    assert not any(p.requires_grad for p in ruler.parameters())
    assert not any(module.training for module in ruler.train().modules())


def test_grey_pictures_have_three_equal_channels() -> None:
    ruler = build_perceptual("efficientnet-lite0")
    assert ruler is not None
    x, y = torch.rand(2, 2, 1, 32, 32) * 2 - 1
    torch.testing.assert_close(ruler(x, y), ruler(x.repeat(1, 3, 1, 1), y.repeat(1, 3, 1, 1)))


def test_strided_layers_stay_in_single_precision_under_autocast() -> None:
    ruler = build_perceptual("efficientnet-lite0")
    assert ruler is not None
    apart = [m for m in ruler.modules() if isinstance(m, InFloat32)]
    assert len(apart) == 3  # to a quarter, an eighth and a sixteenth; the stem is no block
    channels = apart[0].get_submodule("layer").in_channels
    assert isinstance(channels, int)
    with torch.autocast("cpu", torch.bfloat16):
        x = torch.rand(1, channels, 16, 16)
        assert apart[0](x.bfloat16()).dtype == torch.float32
        found, expected = apart[0](x), apart[0].layer(x)
    assert expected.dtype == torch.bfloat16
    torch.testing.assert_close(found, apart[0].layer(x))
    maps = ruler.to_directions([torch.ones(1, 3, 2, 2, dtype=torch.bfloat16)])
    assert maps[0].dtype == torch.float32


def test_the_distance_compares_directions_of_unit_length_at_each_place() -> None:
    ruler = build_perceptual("efficientnet-lite0")
    assert ruler is not None
    torch.manual_seed(0)
    x, y = torch.rand(2, 2, 3, 64, 64) * 2 - 1
    expected = torch.zeros(2)
    for a, b, found in zip(ruler.features(x), ruler.features(y), ruler.directions(x), strict=True):
        torch.testing.assert_close(found.norm(dim=1), torch.ones_like(found[:, 0]))
        cosine = torch.nn.functional.cosine_similarity(a, b, dim=1)
        expected += (2 - 2 * cosine).mean(dim=(1, 2))
    torch.testing.assert_close(ruler(x, y), expected, rtol=1e-4, atol=1e-4)


def test_pictures_are_normalised_as_torchvision_does() -> None:
    from torchvision.models import SqueezeNet1_1_Weights, VGG16_Weights

    for weights in (VGG16_Weights.IMAGENET1K_V1, SqueezeNet1_1_Weights.IMAGENET1K_V1):
        preset = weights.transforms()
        assert (tuple(preset.mean), tuple(preset.std)) == (IMAGENET_MEAN, IMAGENET_STD)


def test_none_and_unknown_names() -> None:
    assert build_perceptual("none") is None
    wrong: Any = "vgg19"
    with pytest.raises(ConfigError, match="No perceptual network is called 'vgg19'. Known: vgg16"):
        build_perceptual(wrong)
