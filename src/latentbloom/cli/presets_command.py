"""`latentbloom presets`: the ready-made settings, and what each of them needs."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = (
        "Use one with `latentbloom fit SOURCE --preset NAME`, or without SOURCE where it brings "
        "its own: `latentbloom fit --preset celeba-smiling --root DIR`."
    )


def run(args: argparse.Namespace) -> int:
    """Print the table; returns the exit code."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from latentbloom.presets import PRESETS

    table = Table("preset", "what it is", "needs", box=None, pad_edge=False)
    for name, preset in PRESETS.items():
        table.add_row(Text(name, style="bold"), Text(preset.summary), Text(preset.needs))
    Console().print(table)
    return 0
