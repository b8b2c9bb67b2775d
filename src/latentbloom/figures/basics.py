"""The first things to look at: reconstructions, samples by condition, prior samples, curves."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from latentbloom.figures.curves import FILES, loss_curves
from latentbloom.figures.scene import (
    MissingPiece,
    Scene,
    condition_rows,
    float_images,
    need_latents,
    phrase,
    spread_indices,
)
from latentbloom.figures.sheets import make_sheet
from latentbloom.model.requests import ask, pixels_of
from latentbloom.pictures.grids import picture_grid, reconstruction_grid
from latentbloom.pictures.images import as_uint8, save_picture

LOOKED_AT = 512  # pictures that the worst and the best are searched among
COLUMNS = 8
PRIOR = 8


def draw_reconstructions(scene: Scene) -> list[Path]:
    """Original above reconstruction: the worst, the middle and the best by PSNR."""
    import torch

    from latentbloom.data.pixels import to_uint8
    from latentbloom.evaluate.features.extractor import FeatureExtractor
    from latentbloom.evaluate.measures.fidelity import map_distance, psnr, ssim

    model = need_latents(scene.need_autoencoder())
    images, which = scene.real()
    indices = spread_indices(len(images), LOOKED_AT, scene.seed)
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
        f"From the worst to the best of {n} pictures {which}, by PSNR. "
        f"Under each: PSNR in dB (higher is better), SSIM (1 is equal), and the distance of "
        f"{look.network}'s feature maps (0 is equal). "
        f"Mean PSNR {quality.mean():.1f} dB, median {quality.median():.1f} dB."
    )
    grid = reconstruction_grid(
        first, second, captions=captions, differences=True, title="Reconstructions", note=note
    )
    known = [one | {"group": group} for one, group in zip(known, names, strict=True)]
    make_sheet(
        "reconstructions",
        np.concatenate([first, second]),
        rows=["original", "rebuilt"],
        cols=len(chosen),
        pictures=known * 2,
        about={"mean": float(quality.mean()), "of": n, "which": which, "note": note},
    ).save(scene.run)
    return [save_picture(scene.figures / "reconstructions.png", grid)]


def draw_samples(scene: Scene) -> list[Path]:
    """Class by sample; pictures of a column begin with the same noise."""
    model = scene.need_model()
    conditions, left_out = condition_rows(model.spec)
    if scene.words:
        conditions, left_out = [dict(scene.words)], ""
    asked = [words for words in conditions for _ in range(COLUMNS)]
    records = ask(model, asked, list(range(COLUMNS)) * len(conditions), seed=scene.seed)
    labels = [phrase(words) for words in conditions]
    usual = model.config.sampling
    note = (
        f"{usual.num_steps} steps of {usual.sampler}, guidance {usual.guidance:g}. "
        f"A column begins with the same noise: only the condition changes. {left_out}".strip()
    )
    grid = picture_grid(
        pixels_of(records),
        rows=len(conditions),
        row_labels=labels,
        title="Samples by condition",
        note=note,
    )
    known = [{"cond": r.cond, "seed": r.seed, "index": r.index} for r in records]
    make_sheet(
        "samples_by_condition",
        pixels_of(records),
        rows=labels,
        cols=COLUMNS,
        pictures=known,
        about={"note": note},
    ).save(scene.run)
    return [save_picture(scene.figures / "samples_by_condition.png", grid)]


def draw_prior(scene: Scene) -> list[Path]:
    """Random latents decoded without the denoiser, beside what the denoiser makes of them."""
    import torch

    from latentbloom.diffusion import noise_for

    model = scene.need_model()
    need_latents(model)  # bare noise is no news
    z = noise_for(scene.seed, list(range(PRIOR)), model.autoencoder.latent_shape)
    bare = as_uint8(model.decode(z.to(torch.float32)))
    records = ask(model, [{}] * PRIOR, list(range(PRIOR)), seed=scene.seed, guidance=1.0)
    note = (
        "Latents drawn from a normal distribution look like this when they are decoded as they "
        "are. That is no fault: real latents fill a small part of that space, and finding it is "
        "the work of the diffusion model, which begins with the same noise."
    )
    rows = ["noise, decoded", "noise, denoised, decoded"]
    both = np.concatenate([bare, as_uint8(pixels_of(records))])
    grid = picture_grid(both, rows=2, row_labels=rows, title="Why diffusion", note=note)
    make_sheet("prior_samples", both, rows=rows, cols=PRIOR, about={"note": note}).save(scene.run)
    return [save_picture(scene.figures / "prior_samples.png", grid)]


def draw_curves(scene: Scene) -> list[Path]:
    """Losses of the stages that have begun, as figure files."""
    from latentbloom.runs.metrics import read_metrics

    metrics = read_metrics(scene.run / "metrics.jsonl")
    paths = []
    for stage, file in FILES.items():
        if any(m.get("stage") == stage and m.get("kind") != "phase" for m in metrics):
            paths.append(loss_curves(metrics, stage, scene.figures / file, log=scene.log))
    if not paths:
        raise MissingPiece("metrics.jsonl holds no losses yet")
    return paths
