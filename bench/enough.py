"""How many pictures are enough: the same training on ever larger parts of a set.

    python -m bench.enough celeba --root DATA --counts 125,500,2000,8000 --out FOLDER

Every part is a random one of the training pictures and is trained with the same budgets in images,
so that fewer pictures are seen more often. All are scored by the same held-out pictures, and by a
classifier that was trained on all training pictures. Copies are searched in the part that was
trained on.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from rich.console import Console

from bench.pieces import finished, keep, this_command
from bench.score import real_sets
from bench.tables import Row, table
from latentbloom.config import SourceOptions
from latentbloom.data.imageset import ImageSet
from latentbloom.data.sources.open import open_source
from latentbloom.evaluate.features.extractor import in_batches
from latentbloom.evaluate.measures.latent_copies import copies_in_latents
from latentbloom.evaluate.picture_scores import copying_score, score_features
from latentbloom.evaluate.reference import Reference, prepare_reference
from latentbloom.fitting.pipeline import fit

HEADS = ("pictures", "rarest value", "times seen", "distance", "KID", "recall", "precision",
         "as asked", "copies, by features / latents")  # fmt: skip
SIZE = 64
MOST_HELD_OUT = 2000


def write_part(folder: Path, images: ImageSet, rows: np.ndarray, split: str) -> None:
    """Write some pictures as FOLDER/SPLIT/VALUE/NUMBER.png, by the value of the first factor."""
    factor = images.spec.factors[0]
    labels = images.labels[rows, 0]
    for start in range(0, len(rows), 256):
        pixels = images.images(rows[start : start + 256].tolist())
        for offset, picture in enumerate(pixels):
            place = start + offset
            path = folder / split / factor.word(int(labels[place])) / f"{rows[place]:06d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture.permute(1, 2, 0).numpy()).save(path)


def score_part(
    folder: Path, run: Path, whole: Reference, settings: dict[str, Any], guidance: float
) -> dict[str, Any]:
    """Train on one part and score it."""
    quiet = Console(quiet=True)
    model = fit(folder, out=run, overrides=settings, console=quiet)
    assert model is not None
    source = open_source(SourceOptions(source=str(folder)))
    train, val = (
        ImageSet(
            source,
            [e for e in source.entries if e.split == split],
            size=SIZE,
            channels=3,
            fit="crop",
        )
        for split in ("train", "val")
    )
    part = prepare_reference(train, val, extractor=whole.extractor, cache=None)
    name = whole.spec.factors[0].name
    rng = np.random.default_rng(0)
    labels = rng.permutation(whole.val_labels[:, :1])
    values = whole.spec.factors[0].values
    asked = model.spec.names[0]
    words = [{asked: values[int(row[0])]} for row in labels]
    pixels = model.sample(words, n=len(words), guidance=guidance).pixels
    features = whole.extractor.extract(in_batches(pixels))
    cond = {name: torch.from_numpy(labels[:, 0].copy())}
    scores = score_features(features, cond, whole)
    copies = copying_score(features.pooled, part), copies_in_latents(model, pixels, train)
    counts = np.bincount(train.labels[:, 0], minlength=len(values))
    return {
        "count": len(train),
        "rarest": int(counts.min()),
        "distance": scores.frechet.over_floor,
        "kid": scores.kernel.value.value,
        "recall": scores.manifold["recall"].value,
        "precision": scores.manifold["precision"].value,
        "as_asked": scores.control[0].mean.value,
        "real_as_asked": scores.control[0].real_mean.value,
        "copies": [None if found is None else found.share.value for found in copies],
    }


def main() -> int:
    """Write parts, train and score them, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.enough", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("source", metavar="SOURCE", help="a set with one factor")
    parser.add_argument("--root", default="data")
    parser.add_argument("--splits", default="")
    parser.add_argument("--counts", default="125,500,2000,8000")
    parser.add_argument("--images-1", type=int, default=12_000)
    parser.add_argument("--images-2", type=int, default=64_000)
    parser.add_argument("--guidance", type=float, default=1.4)
    parser.add_argument("--out", type=Path, required=True, help="pictures, runs and results")
    args = parser.parse_args()
    train, val = real_sets(args.source, size=SIZE, channels=3, root=args.root, splits=args.splits)
    held_out = np.random.default_rng(1).permutation(len(val))[:MOST_HELD_OUT]
    whole = prepare_reference(train, val, max_val=MOST_HELD_OUT)
    order = np.random.default_rng(0).permutation(len(train))
    settings: dict[str, Any] = {
        "autoencoder.width": 48,
        "denoiser.width": 192,
        "denoiser.depth": 6,
        "train.minutes": None,
        "train.vae_gan_images": args.images_1,
        "train.diffusion_images": args.images_2,
        "sampling.tune_guidance": False,
    }
    rows = []
    for count in sorted(int(word) for word in args.counts.split(",")):
        asked = {"settings": settings, "count": count, "real": train.fingerprint}
        asked |= {"guidance": args.guidance}
        path = args.out / f"{count}.json"
        found = finished(path, asked)
        if found is None:
            began = time.perf_counter()
            folder = args.out / f"set-{count}"
            write_part(folder, train, order[:count], "train")
            write_part(folder, val, held_out, "val")
            found = score_part(folder, args.out / f"run-{count}", whole, settings, args.guidance)
            found = keep(
                path,
                asked,
                found,
                command=this_command("bench.enough"),
                seconds=time.perf_counter() - began,
            )
            print(json.dumps(found), flush=True)
        rows.append(_row(found, args.images_2))
    print("\n".join(table(HEADS, rows)))
    return 0


def _row(found: dict[str, Any], latents: int) -> Row:
    return (
        f"{found['count']:,}",
        f"{found['rarest']:,}",
        f"{latents / found['count']:.0f}",
        f"{found['distance']:.2f}",
        f"{found['kid']:.3f}",
        f"{100 * found['recall']:.1f} %",
        f"{100 * found['precision']:.0f} %",
        f"{100 * found['as_asked']:.1f} % ({100 * found['real_as_asked']:.1f})",
        " / ".join("-" if share is None else f"{100 * share:.1f} %" for share in found["copies"]),
    )


if __name__ == "__main__":
    raise SystemExit(main())
