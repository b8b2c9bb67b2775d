"""Perceptual distance: pictures compared by the features of a frozen network.

Source: Johnson et al. 2016, arXiv:1603.08155; Zhang et al. 2018, arXiv:1801.03924 (unit-length
features, squared distance, sum over layers).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentbloom.config import PerceptualName
from latentbloom.errors import ConfigError
from latentbloom.nn.efficientnet import load_folded_layers

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class PerceptualLoss(nn.Module):
    r"""Distance between two pictures in the feature maps of a frozen network.

    .. math:: d(x, y) = \sum_l \frac{1}{h_l w_l} \sum_p
        \lVert \hat f_l(x)_p - \hat f_l(y)_p \rVert^2

    where the features at each place p are scaled to unit length.

    Arguments:
        name: Name of the network.
        stages: The network cut into stages; the map after each one is compared.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, stages: Sequence[nn.Module]) -> None:
        super().__init__()
        self.name = name
        self.stages = nn.ModuleList(stages)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN)[None, :, None, None])
        self.register_buffer("std", torch.tensor(IMAGENET_STD)[None, :, None, None])
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> PerceptualLoss:
        """Stay in evaluation mode: this network is never trained."""
        return super().train(False)

    def features(self, images: Tensor) -> list[Tensor]:
        """Feature maps of pictures (B, C, H, W) in [-1, 1]; grey ones get three equal channels."""
        x = (images + 1.0) / 2.0
        if x.shape[1] == 1:
            x = x.expand(-1, 3, -1, -1)
        x = ((x - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps

    def directions(self, images: Tensor) -> list[Tensor]:
        """The feature maps with the features at each place scaled to unit length, in float32."""
        return self.to_directions(self.features(images))

    @staticmethod
    def to_directions(maps: Sequence[Tensor]) -> list[Tensor]:
        """Feature maps with the features at each place scaled to unit length, in float32."""
        return [F.normalize(x.float(), dim=1) for x in maps]

    def forward(self, images: Tensor, reconstruction: Tensor) -> Tensor:
        """Distances (B,) of pictures (B, C, H, W) in [-1, 1]; gradient flows to the second."""
        with torch.no_grad():
            real = self.directions(images)
        return self.distance(real, self.directions(reconstruction))

    @property
    def channels(self) -> list[int]:
        """Channels of each feature map."""
        with torch.no_grad():
            return [x.shape[1] for x in self.features(torch.zeros(1, 3, 32, 32))]

    @staticmethod
    def distance(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
        """Distances (B,) of pictures, from their maps as `directions` returns them."""
        distances = [
            (a - b).square().sum(dim=1).mean(dim=(1, 2)) for a, b in zip(real, fake, strict=True)
        ]
        return torch.stack(distances).sum(dim=0)


def build_perceptual(
    name: PerceptualName, say: Callable[[str], None] = print
) -> PerceptualLoss | None:
    """The perceptual distance of that name, with pretrained weights.

    torchvision's weights come from its cache or are downloaded. Where neither works, one message
    says so, and the packaged EfficientNet-Lite0 is used.

    Arguments:
        name: "vgg16", "squeezenet", "efficientnet-lite0" or "none".
        say: Called with the message about the fall-back.

    Returns:
        The distance, or None for "none".
    """
    if name == "none":
        return None
    if name not in PERCEPTUAL_NETWORKS:
        known = ", ".join([*PERCEPTUAL_NETWORKS, "none"])
        raise ConfigError(f"No perceptual network is called '{name}'. Known: {known}.")
    try:
        stages = PERCEPTUAL_NETWORKS[name]()
    except OSError as error:  # URLError, HTTPError and time-outs are OSErrors
        reason = str(getattr(error, "reason", error)) or type(error).__name__
        say(
            f"The weights of {name} are not on this disk and cannot be fetched ({reason}): "
            "using efficientnet-lite0, which is part of the installation."
        )
        name, stages = "efficientnet-lite0", _efficientnet_lite0()
    return PerceptualLoss(name, stages).to(memory_format=torch.channels_last)


def _vgg16() -> list[nn.Module]:
    from torchvision.models import VGG16_Weights, vgg16

    net: Any = _with_weights(vgg16(), VGG16_Weights.IMAGENET1K_V1)
    return _cut(net.features, (4, 9, 16))  # relu1_2, relu2_2, relu3_3


def _squeezenet() -> list[nn.Module]:
    from torchvision.models import SqueezeNet1_1_Weights, squeezenet1_1

    net: Any = _with_weights(squeezenet1_1(), SqueezeNet1_1_Weights.IMAGENET1K_V1)
    return _cut(net.features, (2, 5, 8))


def _with_weights(net: nn.Module, weights: WeightsEnum) -> nn.Module:
    """A network with torchvision's weights: their hash is checked, and only tensors are read."""
    from torch.hub import load_state_dict_from_url

    state = load_state_dict_from_url(
        weights.url, progress=False, check_hash=True, weights_only=True
    )
    net.load_state_dict(state)
    return net


def _efficientnet_lite0() -> list[nn.Module]:
    stem, blocks, _ = load_folded_layers("efficientnet-lite0")
    for block in blocks:
        depthwise = block.get_submodule("_depthwise_conv")
        assert isinstance(depthwise, nn.Conv2d)
        if max(depthwise.stride) > 1:
            block._depthwise_conv = InFloat32(depthwise)
    # Ends of the levels at a half, a quarter, an eighth and a sixteenth of the picture.
    return [
        nn.Sequential(stem, blocks[0]),
        nn.Sequential(*blocks[1:3]),
        nn.Sequential(*blocks[3:5]),
        nn.Sequential(*blocks[5:11]),
    ]


PERCEPTUAL_NETWORKS: dict[str, Callable[[], list[nn.Module]]] = {
    "vgg16": _vgg16,
    "squeezenet": _squeezenet,
    "efficientnet-lite0": _efficientnet_lite0,
}


def _cut(layers: nn.Sequential, ends: tuple[int, ...]) -> list[nn.Module]:
    starts = (0, *ends[:-1])
    cut = [layers[a:b] for a, b in zip(starts, ends, strict=True)]
    for layer in layers:
        if isinstance(layer, nn.ReLU):
            layer.inplace = False  # the maps are compared after the next stage has run
    return cast(list[nn.Module], cut)


class InFloat32(nn.Module):
    """A layer that autocast leaves alone.

    On CPUs the gradient of a strided depthwise convolution takes ten times as long in bfloat16.
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """The layer of `x` in float32."""
        with torch.autocast(x.device.type, enabled=False):
            return self.layer(x.float())
