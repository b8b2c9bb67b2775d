"""Encode all pictures once, and write their latents as a `LatentCache` reads them."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from latentbloom.latents.arrays import new_array
from latentbloom.latents.cache import MANIFEST, SHARD, LatentCache
from latentbloom.sharing import ALONE, Group
from latentbloom.storage.disk import make_folder, remove, step, sync
from latentbloom.storage.files import write_atomic

if TYPE_CHECKING:
    import torch

    from latentbloom.data.imageset import ImageSet
    from latentbloom.nn.autoencoders.base import Autoencoder

_BATCH = 64


def encode_raw_latents(
    autoencoder: Autoencoder,
    images: ImageSet,
    folder: Path,
    *,
    mirror: bool,
    device: torch.device,
    autocast_dtype: torch.dtype | None,
    on_progress: Callable[[int, int], None] | None = None,
    group: Group = ALONE,
) -> tuple[np.ndarray, np.ndarray]:
    """Encode every picture once, with its mirror image, as raw latents.

    The standard deviation is that of latents sampled from the posteriors, as in training: it
    includes the spread of the means and the noise of the posteriors. Each process of the group
    writes shards of its own: no two write to one file.

    Returns:
        Mean and standard deviation of all raw latents by channel, float64 (C,).
    """
    import torch

    from latentbloom.data.pixels import to_float

    make_folder(folder)
    if group.first:
        remove(folder / MANIFEST)
    shape = autoencoder.latent_shape
    views = 2 if mirror else 1
    total, squares, count = np.zeros(shape[0]), np.zeros(shape[0]), 0
    size = rows_of_shard(len(images), group)
    for number in group.rows(-(-len(images) // size)):
        first = number * size
        rows = min(size, len(images) - first)
        place = folder / f"latents-{number:05d}.npy"
        shard = new_array(place, (rows, views, 2, *shape), np.float32)
        for start in range(0, rows, _BATCH):
            stop = min(start + _BATCH, rows)
            x = to_float(images.images(range(first + start, first + stop))).to(device)
            for view in range(views):
                seen = x.flip(3) if view else x
                seen = seen.contiguous(memory_format=torch.channels_last)
                with (
                    torch.no_grad(),
                    torch.autocast(device.type, autocast_dtype, autocast_dtype is not None),
                ):
                    mean, std = autoencoder.encode_raw(seen)
                pair = torch.stack([mean, std], dim=1).float().cpu().numpy()
                shard[start:stop, view] = pair
                pair = pair.astype(np.float64)
                total += pair[:, 0].sum(axis=(0, 2, 3))
                squares += np.square(pair).sum(axis=(0, 1, 3, 4))
                count += pair.shape[0] * shape[1] * shape[2]
            if on_progress is not None:
                on_progress(first + stop, len(images))
        with step("sync", place):
            shard.flush()
    sums = group.sum(np.concatenate([total, squares, [count]]))
    total, squares, count = sums[: shape[0]], sums[shape[0] : -1], sums[-1]
    mean = total / count
    return mean, np.sqrt(np.maximum(squares / count - np.square(mean), 1e-12))


def rows_of_shard(count: int, group: Group) -> int:
    """Pictures in a shard: whole batches, and a shard for each process at least."""
    return min(SHARD, _BATCH * -(-count // (_BATCH * group.count))) if group.count > 1 else SHARD


def finish_latents(
    autoencoder: Autoencoder,
    images: ImageSet,
    folder: Path,
    *,
    mirror: bool,
    fingerprint: str,
    group: Group = ALONE,
) -> LatentCache:
    """Normalise the shards in place by the autoencoder's shift and scale, and write the manifest.

    The manifest is written last: a folder without one is unfinished and is encoded again. Each
    process of the group normalises the shards that it wrote; the first writes the rest.
    """
    shift = autoencoder.shift.cpu().numpy()[:, None, None]
    scale = autoencoder.scale.cpu().numpy()[:, None, None]
    size = rows_of_shard(len(images), group)
    for number in group.rows(-(-len(images) // size)):
        path = folder / f"latents-{number:05d}.npy"
        with step("write", path):
            shard = np.load(path, mmap_mode="r+", allow_pickle=False)
            for start in range(0, len(shard), 1024):
                part = shard[start : start + 1024]
                part[:, :, 0] = (part[:, :, 0] - shift) / scale
                part[:, :, 1] = part[:, :, 1] / scale
            shard.flush()
        sync(path)
    group.wait()
    if group.first:
        _describe(autoencoder, images, folder, mirror=mirror, fingerprint=fingerprint, rows=size)
    group.wait()
    return LatentCache(folder)


def _describe(
    autoencoder: Autoencoder,
    images: ImageSet,
    folder: Path,
    *,
    mirror: bool,
    fingerprint: str,
    rows: int,
) -> None:
    """Write the labels, and then the manifest."""
    save = partial(np.save, arr=images.labels, allow_pickle=False)
    write_atomic(folder / "labels.npy", save)
    manifest = {
        "count": len(images),
        "rows": rows,
        "shape": list(autoencoder.latent_shape),
        "mirrored": mirror,
        "autoencoder": fingerprint,
        "images": images.fingerprint,
        "shift": autoencoder.shift.flatten().tolist(),
        "scale": autoencoder.scale.flatten().tolist(),
    }
    write_atomic(folder / MANIFEST, json.dumps(manifest))
