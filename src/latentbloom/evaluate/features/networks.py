"""Other networks to measure distances with than the packaged one.

What cannot be had is refused, never replaced by something else: a number under a wrong name is
worse than none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from latentbloom.errors import ConfigError
from latentbloom.evaluate.features.extractor import FeatureExtractor
from latentbloom.losses.perceptual import load_efficientnet_lite

RULERS = ("efficientnet-lite2", "inception", "dinov2")
INCEPTION_WEIGHTS = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth"
)
DINO = "facebook/dinov2-small"
ANY_SIZE = 224
"""Side of the pictures for an ONNX model that takes any."""


@dataclass(frozen=True)
class Ruler:
    """A network that turns pictures into features.

    Arguments:
        tag: Network and size, as scores carry it: "inception-v3/299".
        measure: From uint8 (B, 3, H, W) to float (B, D).
    """

    tag: str
    measure: Callable[[Tensor], Tensor]


def extractor_for(
    features: str, *, perceptual: str = "none", device: torch.device | str = "cpu"
) -> FeatureExtractor:
    """The extractor whose distances are measured on features of that name.

    The judge always reads the packaged network, which is the one that it was tried on.

    Arguments:
        features: One of `RULERS`, or the path of an ONNX model that takes RGB pictures
            (B, 3, h, w) in [-1, 1] and whose first output is (B, D) or (B, D, h', w').
        perceptual: The network that the perceptual loss of the run trained against.
        device: Where to compute.

    Raises:
        ConfigError: There is no such network, it cannot be had, or the run was trained against it.
    """
    if features == perceptual:
        raise ConfigError(
            f"The run was trained to look good to {perceptual}, so that network cannot score it. "
            f"Use another: {', '.join(name for name in RULERS if name != perceptual)}."
        )
    if features == "efficientnet-lite0" and perceptual != "none":
        raise ConfigError(
            f"The run asked for {perceptual} as its perceptual network, in whose place "
            "efficientnet-lite0 is trained against where its weights cannot be had, so that "
            "network cannot score it. Use another: " + ", ".join(RULERS) + "."
        )
    if features == FeatureExtractor.network:
        return FeatureExtractor(device)
    if features == "inception":
        ruler = _inception(device)
    elif features == "dinov2":
        ruler = _dinov2(device)
    elif features == "efficientnet-lite0":
        ruler = _lite0(device)
    elif features.endswith(".onnx"):
        ruler = _onnx(Path(features))
    else:
        raise ConfigError(
            f"'{features}' is no network for scores. Known: {', '.join(RULERS)}, or the path of "
            "an ONNX model (its name ends with .onnx)."
        )
    return FeatureExtractor(device, measure=ruler.measure, measure_tag=ruler.tag)


def _inception(device: torch.device | str) -> Ruler:
    """The network of the official FID, with its own way of resizing."""
    from torch.hub import get_dir, load_state_dict_from_url
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    try:
        # Proves that the file is the right one and holds tensors alone, before anything else
        # reads it.
        load_state_dict_from_url(
            INCEPTION_WEIGHTS, progress=False, check_hash=True, weights_only=True
        )
    except (OSError, RuntimeError) as error:
        raise ConfigError(_not_here("Inception's official weights", error)) from None
    path = Path(get_dir()) / "checkpoints" / INCEPTION_WEIGHTS.rsplit("/", 1)[-1]
    net = FeatureExtractorInceptionV3(
        "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(path)
    ).to(device)

    def measure(pictures: Tensor) -> Tensor:
        return net(pictures.to(device))[0]

    return Ruler("inception-v3/299", measure)


def _dinov2(device: torch.device | str) -> Ruler:
    """DINOv2, small, the class token; safetensors by way of transformers."""
    try:
        transformers: Any = import_module("transformers")
    except ImportError:
        raise ConfigError(
            "Features of DINOv2 need transformers, which is not installed: "
            "pip install transformers. Or use --features efficientnet-lite2."
        ) from None
    try:
        net = transformers.AutoModel.from_pretrained(
            DINO, use_safetensors=True, trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        raise ConfigError(_not_here(f"The weights of {DINO}", error)) from None
    net = net.to(device).eval()
    mean = torch.tensor([0.485, 0.456, 0.406], device=device)[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225], device=device)[:, None, None]

    def measure(pictures: Tensor) -> Tensor:
        x = (_resized(pictures.to(device), 224) / 255.0 - mean) / std
        return net(pixel_values=x).pooler_output

    return Ruler("dinov2-small/224", measure)


def _lite0(device: torch.device | str) -> Ruler:
    net: Any = load_efficientnet_lite("efficientnet-lite0").to(device)

    def measure(pictures: Tensor) -> Tensor:
        x = (_resized(pictures.to(device), 112) - 127.0) / 128.0
        return net.extract_features(x).mean(dim=(2, 3))

    return Ruler("efficientnet-lite0/112", measure)


def _onnx(path: Path) -> Ruler:
    if not path.is_file():
        raise ConfigError(f"There is no file {path}. Give the path of an ONNX model.")
    try:
        onnxruntime: Any = import_module("onnxruntime")
    except ImportError:
        raise ConfigError(
            f"Features of {path.name} need onnxruntime, which is not installed: "
            "pip install 'latentbloom[export]'."
        ) from None
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a class of its own for each way to fail
        raise ConfigError(f"{path} cannot be read as an ONNX model: {error}") from None
    entry = session.get_inputs()[0]
    side = entry.shape[-1] if isinstance(entry.shape[-1], int) else ANY_SIZE
    mark = hashlib.sha256(path.read_bytes()).hexdigest()[:8]

    def measure(pictures: Tensor) -> Tensor:
        x = _resized(pictures.cpu(), side) / 127.5 - 1.0
        found = torch.from_numpy(session.run(None, {entry.name: x.numpy()})[0])
        return found.flatten(2).mean(dim=2) if found.ndim > 2 else found

    return Ruler(f"{path.stem}-{mark}/{side}", measure)


def _resized(pictures: Tensor, side: int) -> Tensor:
    return F.interpolate(
        pictures.float(), (side, side), mode="bilinear", align_corners=False, antialias=True
    )


def _not_here(what: str, error: Exception) -> str:
    reason = str(getattr(error, "reason", error)).splitlines()[0] or type(error).__name__
    return (
        f"{what} are not on this disk and cannot be fetched ({reason}). Nothing was put in their "
        "place: use --features efficientnet-lite2, which is part of the installation."
    )
