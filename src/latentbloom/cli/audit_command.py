"""`latentbloom audit`: what is in a set of labelled pictures, and whether it is enough."""

from __future__ import annotations

import argparse
from pathlib import Path

from latentbloom.cli.options.settings import add_source_settings, overrides_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("source", metavar="SOURCE", help="as for `latentbloom fit`")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the findings as JSON")
    add_source_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Print the findings; returns the exit code."""
    from rich.console import Console

    from latentbloom.config import RunConfig
    from latentbloom.data.audit.run import audit_source, audit_table
    from latentbloom.data.sources.open import open_source
    from latentbloom.device import default_device
    from latentbloom.storage.files import check_writable

    if args.out is not None:
        check_writable(args.out.parent)
    console = Console()
    asked = RunConfig().updated({"data.source": args.source, **overrides_of(args)})
    with console.status("Reading every picture ...") as status:
        source = open_source(asked.data, seed=asked.train.seed)
        audit = audit_source(
            source,
            device_type=default_device().type,  # as in `fit`, so that both give the same advice
            on_progress=lambda done, total: status.update(f"Picture {done:,} of {total:,}"),
        )
    console.print(audit_table(audit))
    if args.out is not None:
        audit.save(args.out)
        console.print(
            f"Written to {args.out}", markup=False, emoji=False, highlight=False, soft_wrap=True
        )
    return 0
