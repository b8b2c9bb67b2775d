"""Reconstructions: originals above what the autoencoder makes of them, worst to best."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from latentbloom.figures.scene import Scene, float_images, need_latents, spread_indices
from latentbloom.figures.sheets import make_sheet
from latentbloom.pictures.grids import reconstruction_grid
from latentbloom.pictures.images import as_uint8, save_picture

_SEARCHED = 512  # pictures that the worst and the best are searched among


def draw_reconstructions(scene: Scene) -> list[Path]:
    """Originals above their reconstructions: the worst, the middle and the best by PSNR."""
    import torch

    from latentbloom.data.pixels import to_uint8
    from latentbloom.evaluate.features.extractor import FeatureExtractor
    from latentbloom.evaluate.measures.fidelity import map_distance, psnr, ssim

    model = need_latents(scene.need_autoencoder())
    images, which = scene.real()
    indices = spread_indices(len(images), _SEARCHED, scene.seed)
    x = float_images(images, indices)
    rebuilt = torch.cat([model.reconstruct(part) for part in x.split(64)])
    before, after = to_uint8(x), to_uint8(rebuilt)
    quality = psnr(before, after)
    order = torch.argsort(quality).tolist()
    n = len(order)
    third = min(4, max(1, n // 3))
    middle = max(0, (n - third) // 2)
    groups = {"worst": order[:third]}
    if n >= 3:
        groups |= {"middle": order[middle : middle + third], "best": order[n - third :]}
    chosen = [k for group in groups.values() for k in group]
    likeness = ssim(before[chosen], after[chosen]).tolist()
    look = FeatureExtractor(model.device)
    with torch.inference_mode():
        apart = map_distance(look.maps(before[chosen]), look.maps(after[chosen])).tolist()
    known = [
        {"psnr": round(float(quality[k]), 2), "ssim": round(a, 3), "apart": round(d, 3)}
        for k, a, d in zip(chosen, likeness, apart, strict=True)
    ]
    captions = [f"{one['psnr']:.1f} / {one['ssim']:.2f} / {one['apart']:.2f}" for one in known]
    names = [name for name, group in groups.items() for _ in group]
    first, second = as_uint8(before[chosen]), as_uint8(after[chosen])
    note = (
        f"The worst, middle and best of {n} {which} pictures by PSNR. "
        f"Under each: PSNR in dB (higher is better), SSIM (1 is identical), and the distance of "
        f"{look.network}'s feature maps (0 is identical). "
        f"Mean PSNR {quality.mean():.1f} dB, median {quality.median():.1f} dB."
    )
    grid = reconstruction_grid(
        first, second, captions=captions, differences=True, title="Reconstructions", note=note
    )
    known = [one | {"group": group} for one, group in zip(known, names, strict=True)]
    make_sheet(
        "reconstructions",
        np.concatenate([first, second]),
        rows=["original", "reconstruction"],
        cols=len(chosen),
        pictures=known * 2,
        about={"mean": float(quality.mean()), "of": n, "which": which, "note": note},
    ).save(scene.run)
    return [save_picture(scene.figures / "reconstructions.png", grid)]
