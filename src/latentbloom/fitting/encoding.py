"""Between the stages: encode every picture once, and store the finished autoencoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from latentbloom.config import AutoencoderConfig, DenoiserConfig, RunConfig
from latentbloom.errors import LatentbloomError
from latentbloom.latents.cache import LatentCache, Latents
from latentbloom.latents.encode import encode_raw_latents, finish_latents
from latentbloom.latents.feature_maps import FeatureMaps, write_feature_maps
from latentbloom.latents.pixel_latents import PixelLatents
from latentbloom.losses.perceptual import build_perceptual
from latentbloom.nn.autoencoders.base import latent_shape_of
from latentbloom.runs.checkpoint import (
    checkpoint_exists,
    fingerprint,
    load_checkpoint,
    save_checkpoint,
)
from latentbloom.runs.folder import RunFolder
from latentbloom.sharing import ALONE, Group

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
    group: Group = ALONE,
) -> None:
    """Encode both sets, give the autoencoder its normalisation, and store it.

    All processes of the group call this; each encodes its part.

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
        group: The processes.
    """
    assert config.autoencoder is not None
    stored = group.same(checkpoint_exists(folder.autoencoder))
    if config.autoencoder.family != "pixel":
        _encode(folder, config, autoencoder, train, val, device, say, group, normalise=not stored)
    if stored or not group.first:
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


def prepare_feature_maps(
    folder: RunFolder,
    config: RunConfig,
    train: ImageSet,
    device: torch.device,
    say: Callable[[str], None],
    group: Group = ALONE,
) -> None:
    """Write what stage 2 aligns its tokens with, where it does; on the group's first process."""
    grid = _grid_of_run(config)
    if grid is not None and group.first:
        network = build_perceptual(config.vae_gan.perceptual, say)
        if network is not None:
            write_feature_maps(network.to(device), train, folder.latents("train"), grid, device)


def open_feature_maps(folder: RunFolder, config: RunConfig, train: ImageSet) -> FeatureMaps | None:
    """What stage 2 aligns its tokens with; None where it aligns nothing.

    Raises:
        LatentbloomError: The maps are missing, or of other pictures.
    """
    grid = _grid_of_run(config)
    if grid is None:
        return None
    return FeatureMaps(folder.latents("train"), train.fingerprint, grid)


def grid_of_tokens(
    config: RunConfig, autoencoder: AutoencoderConfig, denoiser: DenoiserConfig
) -> tuple[int, int] | None:
    """Places of the denoiser's tokens; None where nothing is aligned.

    Arguments:
        config: Settings of the run.
        autoencoder: Shape of the latents.
        denoiser: Shape of the denoiser.
    """
    wanted = config.diffusion.alignment_weight > 0 and config.vae_gan.perceptual != "none"
    if not wanted or denoiser.kind != "transformer":
        return None
    if autoencoder.family != "swift":
        return None  # a flat latent has no places, and pixels have no stage 1
    side = latent_shape_of(autoencoder)[1] // denoiser.patch
    return side, side


def _grid_of_run(config: RunConfig) -> tuple[int, int] | None:
    assert config.autoencoder is not None
    assert config.denoiser is not None
    return grid_of_tokens(config, config.autoencoder, config.denoiser)


def _encode(
    folder: RunFolder,
    config: RunConfig,
    autoencoder: Autoencoder,
    train: ImageSet,
    val: ImageSet,
    device: torch.device,
    say: Callable[[str], None],
    group: Group,
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
            group=group,
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
            group=group,
        )


def _sets(train: ImageSet, val: ImageSet) -> dict[str, ImageSet]:
    return {"train": train} | ({"val": val} if len(val) else {})


def _in_words(values: torch.Tensor) -> str:
    if len(values) > 16:
        return f"{float(values.min()):.3g} to {float(values.max()):.3g}"
    return "(" + ", ".join(f"{float(v):.3g}" for v in values) + ")"
