"""Other feature extractors to measure distances with than the packaged one.

A network that is not available is refused, never replaced by another one: a score under the wrong
name is worse than none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentbloom.errors import ConfigError
from latentbloom.evaluate.features.extractor import FeatureExtractor
from latentbloom.nn.efficientnet import load_efficientnet_lite
from latentbloom.storage.user_files import read_bytes

NETWORKS = ("efficientnet-lite2", "inception", "dinov2")
INCEPTION_WEIGHTS = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth"
)
DINO = "facebook/dinov2-small"
ANY_SIZE = 224
"""Side of the pictures for an ONNX model that takes any."""


def extractor_for(
    features: str, *, perceptual: str = "none", device: torch.device | str | None = None
) -> FeatureExtractor:
    """The feature extractor of a name.

    The classifier always reads the packaged network, which is the one that it was tested on.

    Arguments:
        features: One of `NETWORKS`, or the path of an ONNX model that takes RGB pictures
            (B, 3, h, w) in [-1, 1] and whose first output is (B, D) or (B, D, h', w').
        perceptual: The network of the run's perceptual loss.
        device: Where to compute; default as for `FeatureExtractor`.

    Raises:
        ConfigError: There is no such network, it is not available, or the run was trained
            against it.
    """
    if features == perceptual:
        raise ConfigError(
            f"The run was trained with {perceptual} as its perceptual loss, so that network cannot "
            f"score it. Use another: {', '.join(name for name in NETWORKS if name != perceptual)}."
        )
    if features == "efficientnet-lite0" and perceptual != "none":
        raise ConfigError(
            f"The run asked for {perceptual} as its perceptual loss. Without the weights for it "
            "it was trained with efficientnet-lite0, so that network cannot score it. Use another: "
            f"{', '.join(NETWORKS)}."
        )
    if features == FeatureExtractor.network:
        return FeatureExtractor(device)
    if features in _KNOWN:
        tag, build = _KNOWN[features]
        return FeatureExtractor(device, measure=build(), measure_tag=tag)
    if features.endswith(".onnx"):
        network = _Onnx(Path(features))
        return FeatureExtractor(device, measure=network, measure_tag=network.tag)
    raise ConfigError(
        f"'{features}' is no network for scores. Known: {', '.join(NETWORKS)}, or the path of "
        "an ONNX model (its name ends with .onnx)."
    )


class _Inception(nn.Module):
    """The network of the official FID, with its own way of resizing."""

    def __init__(self) -> None:
        super().__init__()
        theirs = _optional(
            "torch_fidelity.feature_extractor_inceptionv3", "Inception", "'latentbloom[scores]'"
        )
        from torch.hub import get_dir, load_state_dict_from_url

        try:
            # Checks the file's hash and that it holds tensors only, before anything else reads it.
            load_state_dict_from_url(
                INCEPTION_WEIGHTS, progress=False, check_hash=True, weights_only=True
            )
        except (OSError, RuntimeError) as error:
            raise ConfigError(_not_here("Inception's official weights", error)) from None
        path = Path(get_dir()) / "checkpoints" / INCEPTION_WEIGHTS.rsplit("/", 1)[-1]
        self.net = theirs.FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(path)
        )

    def forward(self, pictures: Tensor) -> Tensor:
        return self.net(pictures)[0]


class _DinoV2(nn.Module):
    """DINOv2, small, the class token; safetensors by way of transformers."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        transformers = _optional("transformers", "DINOv2", "transformers")
        try:
            self.net = transformers.AutoModel.from_pretrained(
                DINO, use_safetensors=True, trust_remote_code=False
            ).eval()
        except (OSError, ValueError) as error:
            raise ConfigError(_not_here(f"The weights of {DINO}", error)) from None
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None])
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225])[:, None, None])

    def forward(self, pictures: Tensor) -> Tensor:
        x = (_resized(pictures, 224) / 255.0 - self.mean) / self.std
        return self.net(pixel_values=x).pooler_output


class _Lite0(nn.Module):
    """EfficientNet-Lite0, its last map averaged over places."""

    def __init__(self) -> None:
        super().__init__()
        self.net: Any = load_efficientnet_lite("efficientnet-lite0")

    def forward(self, pictures: Tensor) -> Tensor:
        x = (_resized(pictures, 112) - 127.0) / 128.0
        return self.net.extract_features(x).mean(dim=(2, 3))


class _Onnx(nn.Module):
    """A model of the user's, run by ONNX Runtime on the CPU.

    Arguments:
        path: Its file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        if not path.is_file():
            raise ConfigError(f"There is no file {path}. Give the path of an ONNX model.")
        onnxruntime = _optional("onnxruntime", path.name, "'latentbloom[export]'")
        try:
            self.session = onnxruntime.InferenceSession(
                str(path), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime has a class of its own for each way to fail
            raise ConfigError(f"{path} cannot be read as an ONNX model: {error}") from None
        self.input = self.session.get_inputs()[0]
        side = self.input.shape[-1]
        self.side = side if isinstance(side, int) else ANY_SIZE
        mark = hashlib.sha256(read_bytes(path)).hexdigest()[:8]
        self.tag = f"{path.stem}-{mark}/{self.side}"

    def forward(self, pictures: Tensor) -> Tensor:
        x = _resized(pictures.cpu(), self.side) / 127.5 - 1.0
        found = torch.from_numpy(self.session.run(None, {self.input.name: x.numpy()})[0])
        return found.flatten(2).mean(dim=2) if found.ndim > 2 else found


_KNOWN: dict[str, tuple[str, Callable[[], nn.Module]]] = {
    "inception": ("inception-v3/299", _Inception),
    "dinov2": ("dinov2-small/224", _DinoV2),
    "efficientnet-lite0": ("efficientnet-lite0/112", _Lite0),
}
"""Name in scores and network, by the word of the command line."""


def _optional(module: str, what: str, install: str) -> Any:
    """Import a module that not every installation has.

    Arguments:
        module: Its name.
        what: Whose features need it.
        install: What to install, as `pip install` takes it.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        return import_module(module)
    except ImportError:
        name = module.partition(".")[0].replace("_", "-")
        raise ConfigError(
            f"Features of {what} need {name}, which is not installed: pip install {install}. "
            f"Or use --features {FeatureExtractor.network}."
        ) from None


def _resized(pictures: Tensor, side: int) -> Tensor:
    return F.interpolate(
        pictures.float(), (side, side), mode="bilinear", align_corners=False, antialias=True
    )


def _not_here(what: str, error: Exception) -> str:
    reason = str(getattr(error, "reason", error)).splitlines()[0] or type(error).__name__
    return (
        f"{what} are not on this disk and cannot be downloaded ({reason}). They were not replaced. "
        f"Use --features {FeatureExtractor.network}, which is part of the installation."
    )
