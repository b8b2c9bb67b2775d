"""`latentbloom sample`: new pictures from a trained run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentbloom.cli.options.numbers import (
    MOST_GUIDANCE,
    MOST_STEPS,
    count,
    number_from,
    sample_seed,
    whole_number,
)
from latentbloom.cli.options.settings import find_setting
from latentbloom.commands import command_line

if TYPE_CHECKING:
    from latentbloom.model.generator import Model
    from latentbloom.model.sample_shards import Shard


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = (
        "Picture k depends on the seed and on k alone: it is the same at any -n and batch size."
    )
    parser.add_argument(
        "run",
        type=Path,
        metavar="RUN",
        help="run folder that `fit` made, or hub:user/name@revision",
    )
    parser.add_argument(
        "--cond",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="what the pictures show; repeat it for several conditions, or write A=x,B=y; "
        "conditions that are not named are left open",
    )
    parser.add_argument("-n", type=count, default=16, help="number of pictures (default: 16)")
    parser.add_argument("--seed", type=sample_seed, default=0, metavar="N", help="default: 0")
    parser.add_argument(
        "--guidance",
        type=number_from(0.0, MOST_GUIDANCE),
        metavar="W",
        help="1 plain conditional, 0 unconditional, above 1 stronger (default: the model's)",
    )
    interval = find_setting("sampling.guidance_interval")
    parser.add_argument(
        "--guidance-interval",
        type=interval.parse,
        metavar="LOW,HIGH",
        help="times between which guidance acts, from 0 (picture) to 1 (noise) "
        "(default: the model's)",
    )
    parser.add_argument(
        "--steps", type=whole_number(1, MOST_STEPS), metavar="N", help="default: the model's"
    )
    sampler = find_setting("sampling.sampler")
    parser.add_argument(
        "--sampler",
        type=sampler.parse,
        metavar="NAME",
        help=f"{sampler.allowed} (default: the model's)",
    )
    parser.add_argument(
        "--quality",
        choices=("draft", "balanced", "best"),
        help="steps, sampler and guidance that `latentbloom evaluate RUN --map` found",
    )
    parser.add_argument(
        "--shard",
        metavar="I/N",
        help="sample part I of N into tar files of 1,000 pictures, which --out keeps together; "
        "files that exist are skipped",
    )
    parser.add_argument("--batch-size", type=count, default=64, metavar="N", help="default: 64")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="default: a folder in RUN/samples named by what"
    )


def run(args: argparse.Namespace) -> int:
    """Draw the pictures; returns the exit code."""
    from rich.console import Console

    from latentbloom.model.generator import load
    from latentbloom.model.sample_shards import Shard
    from latentbloom.runs.hub import local_run
    from latentbloom.runs.names import file_word_of, record_names
    from latentbloom.storage.files import check_writable

    shard = None if args.shard is None else Shard.parse(args.shard)
    given, args.run = args.run, local_run(args.run)
    model = load(args.run)
    words = model.spec.parse(args.cond)
    word = file_word_of(words)
    # A run of the Hub lies in a cache, where nobody looks for pictures.
    own = args.run == given
    samples = args.run / "samples" if own else Path("samples")
    out = args.out or samples / f"{word}_seed{args.seed}"
    check_writable(out)
    guidance, steps, sampler = _quality(args)
    settings = {
        "guidance": guidance,
        "guidance_interval": args.guidance_interval,
        "num_steps": steps,
        "sampler": sampler,
        "batch_size": args.batch_size,
    }
    if shard is not None:
        return _sample_shard(args, model, out, shard, words, settings)
    records = model.sample(cond=words, n=args.n, seed=args.seed, **settings)
    records.save(out)
    if own:
        record_names(args.run, {word: words})
    noun = "picture" if args.n == 1 else "pictures"
    Console().print(
        f"{args.n} {noun} in {out}", markup=False, emoji=False, highlight=False, soft_wrap=True
    )
    return 0


def _sample_shard(
    args: argparse.Namespace,
    model: Model,
    out: Path,
    shard: Shard,
    words: dict[str, str],
    settings: dict[str, Any],
) -> int:
    from rich.console import Console

    from latentbloom.model.sample_shards import sample_shard

    console = Console()

    def say(path: Path, new: bool) -> None:
        text = f"{path.name}{'' if new else ' is there already'}"
        console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)

    made = sample_shard(
        model, out, shard, cond=words, n=args.n, seed=args.seed, settings=settings, on_file=say
    )
    console.print(
        f"{made:,} pictures sampled, part {shard.number} of {shard.count}, in {out}",
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=True,
    )
    return 0


def _quality(args: argparse.Namespace) -> tuple[float | None, int | None, str | None]:
    """Guidance, steps and sampler: those of a quality, where none is given on its own."""
    if args.quality is None:
        return args.guidance, args.steps, args.sampler
    from latentbloom.errors import RunFolderError
    from latentbloom.evaluate.speed_map import FILE_NAME, SpeedMap

    found = SpeedMap.load(args.run / FILE_NAME)
    if found is None:
        raise RunFolderError(
            f"{args.run} has no {FILE_NAME}, so what '{args.quality}' means for it is not known. "
            "Measure it: " + command_line("evaluate", args.run, "--map")
        )
    chosen = found.chosen[args.quality]
    guidance = chosen.guidance if args.guidance is None else args.guidance
    return guidance, args.steps or chosen.num_steps, args.sampler or chosen.sampler
