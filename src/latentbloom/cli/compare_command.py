"""`latentbloom compare`: runs side by side, their scores and their samples."""

from __future__ import annotations

import argparse
from pathlib import Path

from latentbloom.cli.options.numbers import sample_seed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = "Runs are scored by `latentbloom fit` and by `latentbloom evaluate`."
    parser.add_argument(
        "runs", type=Path, nargs="+", metavar="RUN", help="run folders, two or more"
    )
    parser.add_argument("--seed", type=sample_seed, default=0, metavar="N", help="default: 0")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("compare.png"),
        metavar="FILE",
        help="picture with samples of each run (default: compare.png)",
    )


def run(args: argparse.Namespace) -> int:
    """Print the table, draw the picture; returns the exit code."""
    from rich.console import Console

    from latentbloom.errors import ConfigError, LatentbloomError
    from latentbloom.evaluate.against.common import against_all, held_out_title
    from latentbloom.evaluate.comparison import compare_table
    from latentbloom.evaluate.scores import Scores
    from latentbloom.figures.from_model.side_by_side import compare_picture
    from latentbloom.runs.folder import RunFolder

    if len(args.runs) < 2:
        raise ConfigError(f"{args.runs[0]} alone cannot be compared; name two runs or more.")
    scores = [Scores.load(RunFolder(path).scores) for path in args.runs]
    names = _names(args.runs)
    console = Console()
    sources = [RunFolder(path).load_config().data.source for path in args.runs]
    console.print(compare_table(names, scores, title=held_out_title(names, sources)))
    for title, common in against_all(args.runs):
        console.print(compare_table(names, common, title=title))
    try:
        compare_picture(args.runs, names, args.out, seed=args.seed)
    except LatentbloomError as error:
        console.print(
            f"No picture: {error}", markup=False, emoji=False, highlight=False, soft_wrap=True
        )
    else:
        console.print(f"Samples of each in {args.out}", markup=False, emoji=False, highlight=False)
    return 0


def _names(runs: list[Path]) -> list[str]:
    """Last parts of the paths, or whole paths where those would be the same."""
    short = [path.resolve().name for path in runs]
    return short if len(set(short)) == len(short) else [str(path) for path in runs]
