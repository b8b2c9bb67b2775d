"""`latentbloom push`: publish a finished run on the Hugging Face Hub."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = (
        "The upload holds weights, settings, scores, a model card and generated pictures, and no "
        "real picture. Load it with latentbloom.load('hub:user/name')."
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder of a finished `fit`")
    parser.add_argument("name", metavar="USER/NAME", help="repository on the Hub")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="what is uploaded (default: RUN/published)"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="write that folder and upload nothing"
    )
    parser.add_argument(
        "--license", metavar="ID", help="licence of the weights, such as mit (default: none)"
    )
    parser.add_argument(
        "--public", action="store_true", help="everybody may see it (default: private)"
    )
    parser.add_argument(
        "--accept-data-terms",
        action="store_true",
        help="you have read the terms of the training pictures, and may publish",
    )


def run(args: argparse.Namespace) -> int:
    """Publish; returns the exit code."""
    from rich.console import Console

    from latentbloom.export.data_terms import terms_of_run
    from latentbloom.export.hub.push import push, write_published
    from latentbloom.report.run_files import read_run

    console = Console()

    def say(text: str) -> None:
        console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)

    read_run(args.run)  # refuses what is no run
    terms = terms_of_run(args.run)
    if terms:
        say(f"Mind the terms of {terms.name}: {terms.sentence} {terms.url}")
    out = args.out or args.run / "published"
    if args.dry_run:
        write_published(args.run, args.name, out, licence=args.license)
        say(f"Nothing was uploaded. What would be is in {out}; its README.md is the model card.")
        return 0
    address = push(
        args.run,
        args.name,
        out,
        licence=args.license,
        public=args.public,
        accept_data_terms=args.accept_data_terms,
        say=say,
    )
    say(f"Published: {address}")
    return 0
