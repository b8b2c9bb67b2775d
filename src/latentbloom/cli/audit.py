"""`latentbloom audit`: what is in a set of labelled pictures, and whether it is enough."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("source", metavar="SOURCE", help="as for `latentbloom fit`")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the findings as JSON, too")


def run(args: argparse.Namespace) -> int:
    """Print the findings; returns the exit code."""
    from rich.console import Console

    from latentbloom.data.audit import audit_source
    from latentbloom.data.audit_table import audit_table
    from latentbloom.data.source import open_source

    audit = audit_source(open_source(args.source))
    console = Console()
    console.print(audit_table(audit))
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        audit.save(args.out)
        console.print(f"Written to {args.out}", markup=False, highlight=False, soft_wrap=True)
    return 0
