"""A trained autoencoder: pictures to latents and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentbloom.conditions import ConditionSpec
from latentbloom.config import AutoencoderConfig, RunConfig
from latentbloom.device import default_device, find_device, low_precision
from latentbloom.errors import CheckpointError
from latentbloom.model.described import check_shapes, described, described_spec
from latentbloom.nn.autoencoders.base import Autoencoder, Posterior
from latentbloom.nn.autoencoders.build import build_autoencoder
from latentbloom.runs.checkpoint import checkpoint_exists, load_checkpoint
from latentbloom.runs.folder import RunFolder

CHUNK = 32


class AutoencoderModel:
    """The autoencoder of one run; all there is before stage 2 has started.

    Pictures are always decoded in groups of `CHUNK`, padded if there are fewer, so that a picture
    is the same to the bit whatever it is decoded with.

    Arguments:
        config: Settings of the run.
        spec: The factors of the pictures.
        autoencoder: Encodes pictures and decodes latents.
        device: Where to compute.
        autocast_dtype: Lower precision for the networks, or None.
    """

    def __init__(
        self,
        config: RunConfig,
        spec: ConditionSpec,
        autoencoder: Autoencoder,
        *,
        device: torch.device | None = None,
        autocast_dtype: torch.dtype | None = None,
    ) -> None:
        self.config = config
        self.spec = spec
        self.device = device or default_device()
        self.autoencoder = autoencoder.to(self.device).eval().requires_grad_(False)
        self.autocast_dtype = autocast_dtype

    @property
    def size(self) -> int:
        """Height and width of the pictures, in pixels."""
        return self.autoencoder.config.size

    @property
    def channels(self) -> int:
        """1 for grey, 3 for colour."""
        return self.autoencoder.config.channels

    @property
    def reconstructs(self) -> bool:
        """Whether it encodes to latents; False where diffusion runs on the pixels themselves."""
        return self.autoencoder.config.family != "pixel"

    @torch.no_grad()
    def encode(self, images: Tensor) -> Posterior:
        """Posterior over the normalised latents of pictures (B, C, H, W) in [-1, 1], on the CPU."""
        parts = [self._encode(part) for part in images.split(64)]
        means, stds = zip(*parts, strict=True)
        return Posterior(torch.cat(means), torch.cat(stds))

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        """Normalised latents (B, C, h, w) to pictures (B, C, H, W) in [-1, 1], on the CPU."""
        return torch.cat([self._decode(part) for part in z.split(CHUNK)])

    def reconstruct(self, images: Tensor) -> Tensor:
        """Encode and decode pictures (B, C, H, W) in [-1, 1], by the posterior's mean."""
        return self.decode(self.encode(images).mean)

    def _encode(self, images: Tensor) -> Posterior:
        x = images.to(self.device, memory_format=torch.channels_last)
        with self._autocast():
            mean, std = self.autoencoder.encode(x)
        return Posterior(mean.float().cpu(), std.float().cpu())

    def _decode(self, z: Tensor) -> Tensor:
        rows = len(z)
        filled = torch.cat([z, z[-1:].expand(CHUNK - rows, -1, -1, -1)]).to(self.device)
        with self._autocast():
            images = self.autoencoder.decode(filled.contiguous(memory_format=torch.channels_last))
        return images[:rows].float().cpu().contiguous()

    def _autocast(self) -> torch.autocast:
        enabled = self.autocast_dtype is not None
        return torch.autocast(self.device.type, dtype=self.autocast_dtype, enabled=enabled)


def load_autoencoder_model(run: Path | str, *, device: str | None = None) -> AutoencoderModel:
    """Load the autoencoder of a run: the finished one, or the best so far of stage 1.

    Raises:
        RunFolderError: The folder is not a run.
        CheckpointError: There is no autoencoder yet, or it is broken.
        ConfigError: There is no such device.
    """
    folder = RunFolder(Path(run))
    config = folder.load_config()
    autoencoder, meta = _read(folder.best_autoencoder)
    finish_decoder(folder, autoencoder, meta.get("fingerprint"))
    return AutoencoderModel(
        config,
        described_spec(meta, folder.best_autoencoder),
        autoencoder,
        device=find_device(device),
        autocast_dtype=low_precision(config),
    )


def load_autoencoder(folder: Path) -> tuple[Autoencoder, str]:
    """Load a finished autoencoder and its fingerprint."""
    autoencoder, meta = _read(folder)
    if not isinstance(meta.get("fingerprint"), str):
        raise CheckpointError(f"{folder} is not usable: its meta.json has no 'fingerprint'.")
    return autoencoder, meta["fingerprint"]


def finish_decoder(folder: RunFolder, autoencoder: Autoencoder, fingerprint: str | None) -> bool:
    """Give an autoencoder the decoder of stage 3, where the run has one that belongs to it.

    Arguments:
        folder: The run.
        autoencoder: That of stage 1; it is changed.
        fingerprint: Its fingerprint.

    Returns:
        Whether there was one.

    Raises:
        CheckpointError: It is broken.
    """
    if fingerprint is None or not checkpoint_exists(folder.decoder):
        return False
    tensors, meta = load_checkpoint(folder.decoder, ["model"])
    if meta["autoencoder"] != fingerprint:
        return False
    try:
        autoencoder.get_submodule("decoder").load_state_dict(tensors["model"])
    except RuntimeError as error:
        raise CheckpointError(
            f"{folder.decoder} does not fit {folder.autoencoder}: {error}"
        ) from None
    return True


def _read(folder: Path) -> tuple[Autoencoder, dict[str, Any]]:
    _, meta = load_checkpoint(folder, [])
    spec = described_spec(meta, folder) if "spec" in meta else None
    config = described(AutoencoderConfig, meta, "config", folder)
    check_shapes(folder, "model", lambda: build_autoencoder(config, spec))
    tensors, meta = load_checkpoint(folder, ["model"])
    autoencoder = build_autoencoder(config, spec)
    try:
        autoencoder.load_state_dict(tensors["model"])
    except RuntimeError as error:
        raise CheckpointError(f"{folder} does not fit its own meta.json: {error}") from None
    return autoencoder, meta
