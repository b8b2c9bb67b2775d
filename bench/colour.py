"""Colour asked for against colour found in the samples of a run.

    python -m bench.colour RUN [-n 720] [--seed 0] [--json FILE]

Every colour is sampled equally often, and in every combination where there are few. The colour of a
sample is found by the rule that labels training pictures.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from latentbloom.errors import LatentbloomError
from latentbloom.evaluate.measures.colour_agreement import ColourAgreement, colour_agreement
from latentbloom.model.generator import load


def agreement_table(result: ColourAgreement, title: str) -> Table:
    """Rows: asked for; columns: found."""
    table = Table(title=title, caption="95 % intervals (Wilson)", box=SIMPLE, pad_edge=False)
    table.add_column("asked", no_wrap=True)
    for word in result.found:
        table.add_column(word, justify="right", no_wrap=True)
    table.add_column("agrees, %", justify="right", no_wrap=True)
    for asked in result.asked:
        counts = [result.pairs.get((asked, found), 0) for found in result.found]
        share = result.agreement(asked)
        table.add_row(
            asked,
            *(str(count) if count else "" for count in counts),
            f"{100 * share.value:.0f} ({100 * share.low:.0f}-{100 * share.high:.0f})",
        )
    return table


def main() -> int:
    """Sample, find colours, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("-n", type=int, default=720, help="total number of samples (default: 720)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also write the counts to this file"
    )
    args = parser.parse_args()
    began = time.perf_counter()
    result = colour_agreement(load(args.run), n=args.n, seed=args.seed)
    Console().print(agreement_table(result, f"Colour asked for and found, {args.run}"))
    share = result.agreement()
    total = sum(result.pairs.values())
    print(f"all: {share.value:.1%} ({share.low:.1%} to {share.high:.1%}) of {total:,} samples")
    print(f"{time.perf_counter() - began:.0f} s")
    if args.json is not None:
        pairs = [{"asked": a, "found": f, "count": n} for (a, f), n in result.pairs.items()]
        args.json.write_text(json.dumps(pairs, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except LatentbloomError as error:
        raise SystemExit(f"bench.colour: {error}") from None
