"""Between the stages: every picture is encoded once, and the finished autoencoder is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from latentbloom.config import RunConfig
from latentbloom.latents.cache import LatentCache, Latents, encode_raw_latents, finish_latents
from latentbloom.latents.pixel_latents import PixelLatents
from latentbloom.runs.checkpoint import fingerprint, load_checkpoint, save_checkpoint
from latentbloom.runs.folder import RunFolder

if TYPE_CHECKING:
    from latentbloom.data.imageset import ImageSet
    from latentbloom.nn.autoencoders.base import Autoencoder


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
    if config.autoencoder.family != "pixel":
        _encode(folder, config, autoencoder, train, val, device, say)
    # Written last: that it is there says that the latents are, too.
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
    """What stage 2 learns from, and the same of held-out pictures where there are any."""
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
) -> None:
    low = torch.bfloat16 if config.train.precision == "bf16" else None
    sets = {"train": train} | ({"val": val} if len(val) else {})
    shift = scale = None
    for split, images in sets.items():
        mean, std = encode_raw_latents(
            autoencoder,
            images,
            folder.latents(split),
            mirror=config.data.mirrored,
            device=device,
            autocast_dtype=low,
        )
        if split == "train":
            shift, scale = torch.from_numpy(mean), torch.from_numpy(std)
    assert shift is not None
    assert scale is not None
    autoencoder.set_normalisation(shift, scale)
    say(
        "Latents: per channel shift "
        f"{_numbers(shift)}, scale {_numbers(scale)}; applied in encode and decode."
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


def _numbers(values: torch.Tensor) -> str:
    if len(values) > 16:
        return f"{float(values.min()):.3g} to {float(values.max()):.3g}"
    return "(" + ", ".join(f"{float(v):.3g}" for v in values) + ")"
