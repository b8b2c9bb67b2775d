"""Score a run, or a folder of generated pictures, against the held-out pictures of a source.

    python -m bench.score RUN SOURCE [-n 1317] [--per-label 1000] [--guidance W] [--json FILE]
    python -m bench.score RUN flowers102 --root DATA --splits train,val,test

RUN is a run folder of latentbloom, or a folder of generated pictures: sub-folders named after the
labels of SOURCE, or the files and records.json that `latentbloom sample` writes. Every model in the
comparison is scored by this program, with the same features, sizes and counts.

Distances: EfficientNet-Lite2 at 112 pixels, samples in val's proportions of labels against val. The
floor is the mean over random subsets of train, with as many pictures as there are samples.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from bench.pieces import finished, keep, this_command
from latentbloom.conditions import ConditionSpec
from latentbloom.config import SourceOptions
from latentbloom.data.imageset import ImageSet
from latentbloom.data.pixels import Fit, fit_square, with_channels
from latentbloom.data.reading import read_picture
from latentbloom.data.sources.open import open_source
from latentbloom.errors import LatentbloomError, SourceError
from latentbloom.evaluate.picture_scores import score_pictures
from latentbloom.evaluate.reference import prepare_reference
from latentbloom.evaluate.run_scores import evaluate_run
from latentbloom.evaluate.score_table import rows_table, score_rows
from latentbloom.runs.folder import RunFolder


def read_generated(
    folder: Path, spec: ConditionSpec, *, size: int, channels: int
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Pictures uint8 (N, C, size, size) of a folder, and the conditions of each."""
    records = folder / "records.json"
    if records.is_file():
        described = json.loads(records.read_text(encoding="utf-8"))["pictures"]
        paths = [folder / one["file"] for one in described]
        words = [one["cond"] for one in described]
    else:
        generated = open_source(SourceOptions(source=str(folder), val_share=0.0))
        paths = [e.path for e in generated.entries if e.path is not None]
        words = [
            {f.name: f.word(i) for f, i in zip(generated.spec.factors, e.labels, strict=True)}
            for e in generated.entries
        ]
    if not paths:
        raise SourceError(f"{folder} holds no pictures.")
    pixels = [
        with_channels(fit_square(read_picture(path).pixels, size), channels) for path in paths
    ]
    rows = [spec.encode(one, 1) for one in words]
    cond = {name: torch.cat([row[name] for row in rows]) for name in spec.names}
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous(), cond


def real_sets(
    source_name: str,
    *,
    size: int,
    channels: int,
    fit: Fit = "crop",
    root: str = "data",
    factors: str = "",
    splits: str = "",
) -> tuple[ImageSet, ImageSet]:
    """Training and held-out pictures of a source.

    Arguments:
        source_name: A folder, or the name of a built-in source.
        size: Side of the pictures, in pixels.
        channels: 1 or 3.
        fit: How pictures that are not square are brought to size.
        root: Folder that holds `celeba` or `flowers102`.
        factors: Conditions to use, as for `fit`.
        splits: Splits to train on, as for `fit`.
    """
    options = SourceOptions(source=source_name, root=root, factors=factors, splits=splits)
    source = open_source(options)
    train, val = (
        ImageSet(
            source,
            [e for e in source.entries if e.split == split],
            size=size,
            channels=channels,
            fit=fit,
        )
        for split in ("train", "val")
    )
    return train, val


def identity(what: Path) -> str:
    """A hash that identifies a model, or a folder of samples; empty where there is none."""
    is_run = (what / "config.json").is_file()
    telling = RunFolder(what).denoiser / "meta.json" if is_run else what / "records.json"
    return hashlib.sha256(telling.read_bytes()).hexdigest() if telling.is_file() else ""


def main() -> int:
    """Parse, score, print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.score", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("source", metavar="SOURCE")
    parser.add_argument("--root", default="data", help="folder that holds celeba or flowers102")
    parser.add_argument("--factors", default="", help="conditions to use, as for `fit`")
    parser.add_argument("--splits", default="", help="splits to train on, as for `fit`")
    parser.add_argument("--guidance", type=float, help="other than the run's own")
    parser.add_argument("-n", type=int, help="samples in val's proportions (default: as val)")
    parser.add_argument(
        "--per-label", type=int, default=1000, help="least number of samples of each label"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=64, help="for a folder of pictures")
    parser.add_argument("--channels", type=int, default=3, help="for a folder of pictures")
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="write the scores to this file, unless it has them",
    )
    args = parser.parse_args()
    began = time.perf_counter()
    is_run = (args.run / "config.json").is_file()
    size, channels, fit, sampling = args.size, args.channels, "crop", None
    if is_run:
        config = RunFolder(args.run).load_config()
        if args.guidance is not None:
            config = config.updated({"sampling.guidance": args.guidance})
        data, sampling = config.data, config.sampling.model_dump(mode="json")
        size, channels, fit = data.size or size, data.channels or channels, data.fit
    train, val = real_sets(
        args.source,
        size=size,
        channels=channels,
        fit=fit,
        root=args.root,
        factors=args.factors,
        splits=args.splits,
    )
    asked = {
        "of": identity(args.run),
        "sampling": sampling,
        "real": [train.fingerprint, val.fingerprint],
        "n": args.n,
        "per_label": args.per_label if is_run else None,
        "seed": args.seed if is_run else None,
    }
    if args.json is not None and asked["of"] and finished(args.json, asked):
        print(f"{args.json} is there already.")
        return 0
    if is_run:
        from latentbloom.model.generator import load

        model = load(args.run)
        if args.guidance is not None:
            model.config = model.config.updated({"sampling.guidance": args.guidance})
        whole = evaluate_run(
            model,
            train,
            val,
            n=args.n or len(val),
            per_label=args.per_label,
            seed=args.seed,
        )
        scores, reconstruction = whole.pictures, whole.reconstruction
        settings = whole.settings
    else:
        reference = prepare_reference(train, val)
        pictures, cond = read_generated(args.run, train.spec, size=size, channels=channels)
        scores = score_pictures(pictures, cond, reference, in_distances=args.n)
        reconstruction, settings = None, {}
    console = Console()
    console.print(rows_table(score_rows(scores, reconstruction), title=str(args.run)))
    for note in scores.notes:
        console.print(f"Note: {note}")
    seconds = time.perf_counter() - began
    print(f"{seconds:.0f} s")
    if args.json is not None:
        found = {
            "settings": settings,
            "pictures": scores.model_dump(mode="json"),
            "reconstruction": None
            if reconstruction is None
            else reconstruction.model_dump(mode="json"),
        }
        keep(args.json, asked, found, command=this_command("bench.score"), seconds=seconds)
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except LatentbloomError as error:
        raise SystemExit(f"bench.score: {error}") from None
