"""How well the latents of runs separate the classes.

    python -m bench.centres RUN [RUN ...] [--json FILE]

A class centre is the mean of the latents of its training pictures. The table gives the share of
held-out pictures whose nearest centre is that of their own class, and the spread: the mean distance
of two centres over the root mean square distance of a training latent from its own centre.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from latentbloom.conditions import ConditionSpec
from latentbloom.errors import LatentbloomError
from latentbloom.evaluate.measures.intervals import share_interval
from latentbloom.latents.cache import LatentCache
from latentbloom.model.generator import load
from latentbloom.runs.folder import RunFolder


def means(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Normalised latents (N, D) of a cache, as their posterior's means, and labels (N, factors)."""
    cache = LatentCache(folder)
    mean, _ = cache.posterior(range(len(cache)))
    return mean.flatten(1).numpy(), cache.labels.numpy()


def separation(
    train: tuple[np.ndarray, np.ndarray], val: tuple[np.ndarray, np.ndarray], spec: ConditionSpec
) -> list[dict[str, Any]]:
    """For each factor: accuracy of the nearest centre on val, chance, and spread.

    Arguments:
        train: Latents (N, D) and labels (N, factors) that give the centres.
        val: The same of held-out pictures.
        spec: The factors; pictures of unknown value are left out.

    Returns:
        A row for each factor that has pictures of two values. The accuracy is the mean over values.
    """
    rows: list[dict[str, Any]] = []
    for column, factor in enumerate(spec.factors):
        labels, asked = train[1][:, column], val[1][:, column]
        there = [k for k in range(len(factor.values)) if (labels == k).any()]
        if len(there) < 2:
            continue
        centres = np.stack([train[0][labels == k].mean(0) for k in there])
        inside = [
            ((train[0][labels == k] - c) ** 2).sum(1) for k, c in zip(there, centres, strict=True)
        ]
        pairs = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
        apart = pairs[np.triu_indices(len(there), 1)].mean()
        distance = np.linalg.norm(val[0][:, None] - centres[None], axis=-1)
        hits = np.array(there)[distance.argmin(1)] == asked
        of_each = {
            factor.values[k]: share_interval(hits[asked == k]) for k in there if (asked == k).any()
        }
        rows.append(
            {
                "factor": factor.name,
                "accuracy": float(np.mean([share.value for share in of_each.values()])),
                "chance": 1 / len(there),
                "of_each": {word: share.model_dump() for word, share in of_each.items()},
                "spread": float(apart / np.sqrt(np.concatenate(inside).mean())),
            }
        )
    return rows


def main() -> int:
    """Read, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also write the values to this file"
    )
    args = parser.parse_args()
    table = Table("run", "factor", "nearest centre is its own", "of each", "spread", box=SIMPLE)
    found = {}
    for run in args.runs:
        folder = RunFolder(run)
        rows = separation(
            means(folder.latents("train")), means(folder.latents("val")), load(run).spec
        )
        found[str(run)] = rows
        for row in rows:
            each = ", ".join(
                f"{word} {100 * s['value']:.1f} ({100 * s['low']:.1f}-{100 * s['high']:.1f})"
                for word, s in row["of_each"].items()
            )
            table.add_row(
                run.name,
                row["factor"],
                f"{row['accuracy']:.1%} (chance {row['chance']:.0%})",
                each,
                f"{row['spread']:.3f}",
            )
    Console().print(table)
    if args.json is not None:
        args.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except LatentbloomError as error:
        raise SystemExit(f"bench.centres: {error}") from None
