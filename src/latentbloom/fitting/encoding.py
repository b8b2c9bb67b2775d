"""Between the stages: encode every picture once, and store the finished autoencoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from latentbloom.config import RunConfig
from latentbloom.errors import LatentbloomError
from latentbloom.latents.cache import LatentCache, Latents
from latentbloom.latents.encode import encode_raw_latents, finish_latents
from latentbloom.latents.pixel_latents import PixelLatents
from latentbloom.runs.checkpoint import (
    checkpoint_exists,
    fingerprint,
    load_checkpoint,
    save_checkpoint,
)
from latentbloom.runs.folder import RunFolder

if TYPE_CHECKING:
    from latentbloom.data.imageset import ImageSet
    from latentbloom.nn.autoencoders.base import Autoencoder


def latents_ready(folder: RunFolder, config: RunConfig, train: ImageSet, val: ImageSet) -> bool:
    """Whether the autoencoder is stored, and the latents are whole and of these pictures."""
    assert config.autoencoder is not None
    if not checkpoint_exists(folder.autoencoder):
        return False
    if config.autoencoder.family == "pixel":
        return True
    mark = load_checkpoint(folder.autoencoder, [])[1]["fingerprint"]
    for split, images in _sets(train, val).items():
        try:
            latents = LatentCache(folder.latents(split))
        except (LatentbloomError, OSError, ValueError, KeyError):
            return False
        found = (latents.fingerprint, latents.manifest["images"], latents.mirrored)
        if found != (mark, images.fingerprint, config.data.mirrored):
            return False
    return True


def prepare_latents(
    folder: RunFolder,
    config: RunConfig,
    autoencoder: Autoencoder,
    train: ImageSet,
    val: ImageSet,
    device: torch.device,
    say: Callable[[str], None],
) -> None:
    """Encode both sets, give the autoencoder its normalisation, and store it.

    An autoencoder that is stored already keeps its normalisation: a denoiser may depend on it.
    Where pictures are their own latents, only the autoencoder is stored.

    Arguments:
        folder: The run folder.
        config: Settings of the run, nothing open.
        autoencoder: Trained; receives its normalisation.
        train: Training pictures.
        val: Held-out pictures, may be empty.
        device: Where to encode.
        say: Receives the normalisation in words.
    """
    assert config.autoencoder is not None
    stored = checkpoint_exists(folder.autoencoder)
    if config.autoencoder.family != "pixel":
        _encode(folder, config, autoencoder, train, val, device, say, normalise=not stored)
    if stored:
        return
    # Written last: when it is there, the latents are, too.
    save_checkpoint(
        folder.autoencoder,
        {"model": autoencoder.state_dict()},
        {
            "config": config.autoencoder.model_dump(),
            "spec": train.spec.to_json(),
            "fingerprint": fingerprint(autoencoder.state_dict()),
        },
    )


def open_latents(
    folder: RunFolder, config: RunConfig, train: ImageSet, val: ImageSet
) -> tuple[Latents, Latents | None]:
    """The latents that stage 2 trains on, and those of held-out pictures where there are any."""
    assert config.autoencoder is not None
    if config.autoencoder.family != "pixel":
        held_out = LatentCache(folder.latents("val")) if len(val) else None
        return LatentCache(folder.latents("train")), held_out
    mark: str = load_checkpoint(folder.autoencoder, [])[1]["fingerprint"]
    mirror = config.data.mirrored
    return (
        PixelLatents(train, mirrored=mirror, fingerprint=mark),
        PixelLatents(val, mirrored=mirror, fingerprint=mark) if len(val) else None,
    )


def _encode(
    folder: RunFolder,
    config: RunConfig,
    autoencoder: Autoencoder,
    train: ImageSet,
    val: ImageSet,
    device: torch.device,
    say: Callable[[str], None],
    *,
    normalise: bool,
) -> None:
    low = torch.bfloat16 if config.train.precision == "bf16" else None
    sets = _sets(train, val)
    for split, images in sets.items():
        mean, std = encode_raw_latents(
            autoencoder,
            images,
            folder.latents(split),
            mirror=config.data.mirrored,
            device=device,
            autocast_dtype=low,
        )
        if split == "train" and normalise:
            shift, scale = torch.from_numpy(mean), torch.from_numpy(std)
            autoencoder.set_normalisation(shift, scale)
            say(
                f"Latents: per channel shift {_in_words(shift)}, scale {_in_words(scale)}; "
                "applied in encode and decode."
            )
    mark = fingerprint(autoencoder.state_dict())
    for split, images in sets.items():
        finish_latents(
            autoencoder,
            images,
            folder.latents(split),
            mirror=config.data.mirrored,
            fingerprint=mark,
        )


def _sets(train: ImageSet, val: ImageSet) -> dict[str, ImageSet]:
    return {"train": train} | ({"val": val} if len(val) else {})


def _in_words(values: torch.Tensor) -> str:
    if len(values) > 16:
        return f"{float(values.min()):.3g} to {float(values.max()):.3g}"
    return "(" + ", ".join(f"{float(v):.3g}" for v in values) + ")"
