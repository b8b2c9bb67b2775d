"""`latentbloom pack`: a source as WebDataset shards with an index."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from latentbloom.cli.options.numbers import whole_number
from latentbloom.cli.options.settings import add_setting, add_source_settings, overrides_of

MOST_SIDE = 4096
MOST_PER_SHARD = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("source", metavar="SOURCE", help="as for `latentbloom fit`")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for shards")
    parser.add_argument(
        "--size",
        type=whole_number(8, MOST_SIDE),
        metavar="N",
        help="store pictures at N x N pixels, losslessly; default: copy their files untouched",
    )
    add_setting(parser, "--fit", "data.fit")
    parser.add_argument(
        "--per-shard",
        type=whole_number(1, MOST_PER_SHARD),
        default=1000,
        metavar="N",
        help="pictures in a shard (default: 1000)",
    )
    parser.add_argument(
        "--workers",
        type=whole_number(1, 256),
        default=min(8, os.cpu_count() or 1),
        metavar="N",
        help="shards that are written at a time (default: one a core, at most 8)",
    )
    add_source_settings(parser)
    add_setting(parser, "--seed", "train.seed", "decides which pictures are held out")


def run(args: argparse.Namespace) -> int:
    """Pack; returns the exit code."""
    from rich.console import Console

    from latentbloom.commands import command_line
    from latentbloom.config import RunConfig
    from latentbloom.data.packing.pack_plan import PackPlan
    from latentbloom.data.packing.pack_shards import pack_source
    from latentbloom.data.sources.open import open_source
    from latentbloom.words import plural, shortened

    console = Console()

    def say(text: str) -> None:
        console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)

    began = time.perf_counter()
    asked = RunConfig().updated({"data.source": args.source, **overrides_of(args)})
    with console.status("Listing the pictures ...") as status:
        source = open_source(asked.data, seed=asked.train.seed)
        plan = PackPlan(source, args.size, asked.data.fit, args.per_shard)
        result = pack_source(
            plan,
            args.out,
            workers=args.workers,
            on_progress=lambda done, total: status.update(f"Shard {done:,} of {total:,}"),
        )
    seconds = time.perf_counter() - began
    for note in source.notes:
        say(note)
    how = "their files as they were" if result.copied else "stored losslessly"
    there = f", {plural(result.kept, 'shard')} already there" if result.kept else ""
    say(
        f"{plural(result.pictures, 'picture')} ({how}) in "
        f"{plural(result.kept + result.written, 'shard')}, {result.size / 1e6:,.1f} MB: "
        f"{result.written:,} written{there}, in {seconds:.1f} s."
    )
    if result.unread:
        say(f"Not packed, because they cannot be read: {shortened([*result.unread])}.")
    say(f"Train on them: {command_line('fit', f'wds:{args.out}')}")
    return 0
