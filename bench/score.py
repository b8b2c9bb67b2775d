"""Score a run, or a folder of generated pictures, against the kept-aside pictures of a source.

    python bench/score.py RUN SOURCE [-n 1317] [--per-label 1000] [--json FILE]

RUN is a run folder of latentbloom, or a folder of generated pictures: sub-folders named as the
labels of SOURCE, or the files and records.json that `latentbloom sample` leaves. Every program
that is compared goes through this one, so that features, sizes and counts are the same.

Distances: EfficientNet-Lite2 at 112 pixels, samples in val's proportions against val; the floor is
the mean of random samples of train, as many as there are samples, against val.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from latentbloom.data.conditions import ConditionSpec
from latentbloom.data.imageset import ImageSet
from latentbloom.data.pixels import fit_square, with_channels
from latentbloom.data.reading import read_picture
from latentbloom.data.source import open_source
from latentbloom.errors import LatentbloomError, SourceError
from latentbloom.evaluate.reference import prepare_reference
from latentbloom.evaluate.run import evaluate_run
from latentbloom.evaluate.score import score_pictures
from latentbloom.evaluate.table import rows_table, score_rows


def read_generated(
    folder: Path, spec: ConditionSpec, *, size: int, channels: int
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Pictures uint8 (N, C, size, size) of a folder, and what was asked of each."""
    records = folder / "records.json"
    if records.is_file():
        described = json.loads(records.read_text(encoding="utf-8"))["pictures"]
        paths = [folder / one["file"] for one in described]
        words = [one["cond"] for one in described]
    else:
        generated = open_source(folder, val_share=0.0)
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


def main() -> int:
    """Parse, score, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("source", metavar="SOURCE")
    parser.add_argument("-n", type=int, help="samples in val's proportions (default: as val)")
    parser.add_argument("--per-label", type=int, default=1000, help="asked of each label")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=64, help="for a folder of pictures")
    parser.add_argument("--channels", type=int, default=3, help="for a folder of pictures")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the scores there, too")
    args = parser.parse_args()
    began = time.perf_counter()
    is_run = (args.run / "config.json").is_file()
    size, channels, fit, model = args.size, args.channels, "crop", None
    if is_run:
        from latentbloom.model import load

        model = load(args.run)
        size, channels, fit = model.size, model.channels, model.config.data.fit
    source = open_source(args.source)
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
    if model is not None:
        whole = evaluate_run(
            model, train, val, n=args.n or len(val), per_label=args.per_label, seed=args.seed
        )
        scores, reconstruction, text = whole.pictures, whole.reconstruction, whole
    else:
        reference = prepare_reference(train, val)
        pictures, cond = read_generated(args.run, source.spec, size=size, channels=channels)
        scores = score_pictures(pictures, cond, reference, in_distances=args.n)
        reconstruction, text = None, scores
    console = Console()
    console.print(rows_table(score_rows(scores, reconstruction), title=str(args.run)))
    for note in scores.notes:
        console.print(f"Note: {note}")
    print(f"{time.perf_counter() - began:.0f} s")
    if args.json is not None:
        args.json.write_text(text.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except LatentbloomError as error:
        raise SystemExit(f"bench/score.py: {error}") from None
