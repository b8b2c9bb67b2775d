"""A grid of 8 x 12 samples of a run, for the page of samples: generated pictures only.

    python -m bench.grids RUN --out FILE.jpg [--guidance W] [--seed 0]

Each column is a value of the first condition, spread evenly over all of them; each row starts from
the same noise. Nothing is chosen by eye.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from PIL import Image

from latentbloom.model.generator import load
from latentbloom.pictures.grids import picture_grid
from latentbloom.storage.files import write_atomic

ROWS, COLUMNS = 8, 12
WIDTH = 1200  # pixels
QUALITY = 80  # of the JPEG


def main() -> int:
    """Sample and write one grid."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--guidance", type=float)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    model = load(args.run)
    factor = model.spec.factors[0]
    values = [factor.values[k * len(factor.values) // COLUMNS] for k in range(COLUMNS)]
    few = len(factor.values) < COLUMNS  # then each picture has a noise of its own
    asked = [{factor.name: value} for _ in range(ROWS) for value in values]
    numbers = [row * COLUMNS + k if few else row for row in range(ROWS) for k in range(COLUMNS)]
    records = model.sample(asked, seed=args.seed, indices=numbers, guidance=args.guidance)
    grid = picture_grid(records.images, rows=ROWS, col_labels=values)
    picture = Image.fromarray(grid)
    picture.thumbnail((WIDTH, WIDTH), Image.Resampling.LANCZOS)
    write_atomic(args.out, lambda path: picture.save(path, quality=QUALITY, optimize=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
