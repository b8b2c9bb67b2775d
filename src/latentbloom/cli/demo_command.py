"""`latentbloom demo`: a first model from pictures that the program renders."""

from __future__ import annotations

import argparse
from pathlib import Path

from latentbloom.cli.options.numbers import number_above
from latentbloom.config.settings_base import MOST_MINUTES

SOURCE = "synthetic-flowers"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--minutes",
        type=number_above(0.0, MOST_MINUTES),
        default=8.0,
        metavar="N",
        help="time for everything, scores and report included (default: 8)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/demo"),
        metavar="RUN",
        help="run folder (default: runs/demo); the same command resumes it",
    )


def run(args: argparse.Namespace) -> int:
    """Train; returns the exit code."""
    from latentbloom.fitting.pipeline import fit

    fit(SOURCE, out=args.out, minutes=args.minutes)
    return 0
